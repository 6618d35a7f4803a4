/* Float kernels: every CPU level against the reference, bit for bit, on random sizes.
 *
 * All levels do the same operations in the same order (kernels.h), so nothing is allowed to differ.
 * Every array lies at a random alignment of whole elements between poisoned margins that must
 * survive the call; sizes are mostly small and not multiples of a vector; among the numbers are
 * halves (ties of rounding), zeros of both signs, huge ones, infinities and NaNs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/kernels.h"
#include "core/rng.h"
#include "tests/kerncheck_arena.h"
#include "tests/suites.h"
#include "tests/walk.h"

#include <check.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

enum { SEED = 20261121, CASES = 300 };

/* ---- elements ---- */

static void check_minmax(Arena *a, const Kernels *const *t)
{
    size_t n = random_size(&a->rng);
    int x = reals_new(a, n, rng_below(&a->rng, 2)), out = reals_new(a, 2, false);
    for (int s = 0; s < 2; s++)
        t[s]->minmax(n, reals(a, s, x), reals(a, s, out), reals(a, s, out) + 1);
    arena_check(a, t[1]->name, "minmax", n);
}

static void check_add(Arena *a, const Kernels *const *t)
{
    size_t n = random_size(&a->rng);
    int x = reals_new(a, n, true), y = reals_new(a, n, true), z = reals_new(a, n, true);
    for (int s = 0; s < 2; s++) {
        t[s]->add(n, reals(a, s, x), reals(a, s, y));
        t[s]->sum(n, reals(a, s, x), reals(a, s, y), reals(a, s, z));
        t[s]->sum(n, reals(a, s, x), reals(a, s, x), reals(a, s, x));
        t[s]->sum(n, reals(a, s, y), reals(a, s, z), reals(a, s, y));
    }
    arena_check(a, t[1]->name, "add or sum", n);
}

static void check_relu(Arena *a, const Kernels *const *t)
{
    size_t n = random_size(&a->rng);
    bool in_place = rng_below(&a->rng, 2), masked = rng_below(&a->rng, 4);
    Real hi = rng_below(&a->rng, 2) ? 6 : (Real)INFINITY;
    int x = reals_new(a, n, true), y = in_place ? x : reals_new(a, n, false);
    int mask = bytes_new(a, (n + 7) / 8);
    for (int s = 0; s < 2; s++)
        t[s]->relu(n, reals(a, s, x), hi, reals(a, s, y), masked ? a->data[s][mask] : NULL);
    arena_check(a, t[1]->name, "relu", n);
}

static void check_mask_grad(Arena *a, const Kernels *const *t)
{
    size_t n = random_size(&a->rng);
    bool accumulate = rng_below(&a->rng, 2), in_place = !accumulate && rng_below(&a->rng, 2);
    int dy = reals_new(a, n, true), dx = in_place ? dy : reals_new(a, n, false);
    int mask = bytes_new(a, (n + 7) / 8);
    for (int s = 0; s < 2; s++)
        t[s]->mask_grad(n, reals(a, s, dy), a->data[s][mask], accumulate, reals(a, s, dx));
    arena_check(a, t[1]->name, "mask_grad", n);
}

static void check_quantize(Arena *a, const Kernels *const *t)
{
    size_t n = random_size(&a->rng);
    bool masked = rng_below(&a->rng, 4);
    Real scale = (Real)(rng_below(&a->rng, 2) ? 0.25 : 0.01 + (double)rng_uniform(&a->rng));
    int32_t lo = (int32_t)rng_below(&a->rng, 128) - 128, hi = (int32_t)rng_below(&a->rng, 128);
    int32_t zero = (int32_t)rng_below(&a->rng, 256) - 128;
    int x = reals_new(a, n, true), q = bytes_new(a, n), mask = bytes_new(a, (n + 7) / 8);
    int scales = reals_new(a, n, false);
    for (size_t i = 0; i < n; i++)
        for (int s = 0; s < 2; s++)
            reals(a, s, scales)[i] = (Real)0.05 + (Real)(i % 7);
    for (int s = 0; s < 2; s++)
        t[s]->quantize(n, reals(a, s, x), scale, zero, lo, hi, (int8_t *)a->data[s][q],
                       masked ? a->data[s][mask] : NULL);
    int each = bytes_new(a, n), mask2 = bytes_new(a, (n + 7) / 8);
    for (int s = 0; s < 2; s++)
        t[s]->quantize_each(n, reals(a, s, x), reals(a, s, scales), lo, hi,
                            (int8_t *)a->data[s][each], masked ? a->data[s][mask2] : NULL);
    arena_check(a, t[1]->name, "quantize", n);
}

static void check_dequantize(Arena *a, const Kernels *const *t)
{
    size_t n = random_size(&a->rng);
    int32_t zero = (int32_t)rng_below(&a->rng, 256) - 128;
    int q = bytes_new(a, n), x = reals_new(a, n, false);
    for (int s = 0; s < 2; s++)
        t[s]->dequantize(n, (const int8_t *)a->data[s][q], (Real)0.037, zero, reals(a, s, x));
    arena_check(a, t[1]->name, "dequantize", n);
}

/* ---- channels ---- */

typedef struct Block {
    size_t rows, n;
    int c;
} Block;

static Block random_block(Rng *r)
{
    Block b = {.rows = 1 + rng_below(r, 20), .c = 1 + (int)rng_below(r, 150)};
    b.n = b.rows * (size_t)b.c;
    return b;
}

static void check_moments(Arena *a, const Kernels *const *t)
{
    Block b = random_block(&a->rng);
    size_t c = (size_t)b.c;
    int x = reals_new(a, b.n, false), dy = reals_new(a, b.n, false), pivot = reals_new(a, c, false);
    int sums[4];
    for (int k = 0; k < 4; k++)
        sums[k] = reals_new(a, c, false);
    size_t cut = rng_below(&a->rng, (uint32_t)b.rows + 1); /* cutting must not matter */
    for (int s = 0; s < 2; s++) {
        size_t first = s == 0 ? b.rows : cut, rest = b.rows - first, at = first * c;
        t[s]->channel_moments(first, b.c, reals(a, s, x), reals(a, s, pivot), reals(a, s, sums[0]),
                              reals(a, s, sums[1]));
        t[s]->channel_moments(rest, b.c, reals(a, s, x) + at, reals(a, s, pivot),
                              reals(a, s, sums[0]), reals(a, s, sums[1]));
        t[s]->channel_grad_sums(first, b.c, reals(a, s, dy), reals(a, s, x), reals(a, s, pivot),
                                reals(a, s, sums[2]), reals(a, s, sums[3]));
        t[s]->channel_grad_sums(rest, b.c, reals(a, s, dy) + at, reals(a, s, x) + at,
                                reals(a, s, pivot), reals(a, s, sums[2]), reals(a, s, sums[3]));
    }
    arena_check(a, t[1]->name, "channel_moments or channel_grad_sums", c);
}

static void check_affine(Arena *a, const Kernels *const *t)
{
    Block b = random_block(&a->rng);
    bool in_place = rng_below(&a->rng, 2);
    int x = reals_new(a, b.n, true), y = in_place ? x : reals_new(a, b.n, false);
    int slope = reals_new(a, (size_t)b.c, false), shift = reals_new(a, (size_t)b.c, false);
    for (int s = 0; s < 2; s++)
        t[s]->channel_affine(b.rows, b.c, reals(a, s, x), reals(a, s, slope), reals(a, s, shift),
                             reals(a, s, y));
    arena_check(a, t[1]->name, "channel_affine", (size_t)b.c);
}

static void check_channel_grad(Arena *a, const Kernels *const *t)
{
    Block b = random_block(&a->rng);
    size_t c = (size_t)b.c;
    bool accumulate = rng_below(&a->rng, 2), in_place = !accumulate && rng_below(&a->rng, 2);
    int x = reals_new(a, b.n, false), dy = reals_new(a, b.n, false);
    int dx = in_place ? dy : reals_new(a, b.n, false);
    int p = reals_new(a, c, false), q = reals_new(a, c, false), k = reals_new(a, c, false);
    for (int s = 0; s < 2; s++)
        t[s]->channel_grad(b.rows, b.c, reals(a, s, dy), reals(a, s, x), reals(a, s, p),
                           reals(a, s, q), reals(a, s, k), accumulate, reals(a, s, dx));
    arena_check(a, t[1]->name, "channel_grad", c);
}

/* ---- fused nodes ---- */

static void check_statistics(Arena *a, const Kernels *const *t)
{
    Block b = random_block(&a->rng);
    const size_t c = (size_t)b.c, cut = rng_below(&a->rng, (uint32_t)b.rows + 1);
    int x = reals_new(a, b.n, rng_below(&a->rng, 2)), pivot = reals_new(a, c, false), out[6];
    for (int k = 0; k < 6; k++)
        out[k] = reals_new(a, c, false);
    for (int s = 0; s < 2; s++) {
        const size_t first = s == 0 ? b.rows : cut;
        const Real *const from[2] = {reals(a, s, x), reals(a, s, x) + first * c};
        const size_t rows[2] = {first, b.rows - first};
        for (int i = 0; i < 2; i++) {
            t[s]->channel_statistics(rows[i], b.c, from[i], reals(a, s, pivot), reals(a, s, out[0]),
                                     reals(a, s, out[1]), reals(a, s, out[2]), reals(a, s, out[3]));
            t[s]->channel_extent(rows[i], b.c, from[i], reals(a, s, out[4]), reals(a, s, out[5]));
        }
    }
    arena_check(a, t[1]->name, "channel_statistics or channel_extent", c);
}

/* Grids and activations of all kinds: each clips more than the other, above and below. */
typedef struct Codes {
    Real low, high, scale;
    int32_t zero_point, lo, hi;
} Codes;

static Codes random_codes(Rng *r)
{
    static const double tops[] = {INFINITY, 6, 1, 40};
    Codes c = {.scale = (Real)(rng_below(r, 2) ? 0.25 : 0.01 + (double)rng_uniform(r))};
    c.low = rng_below(r, 2) ? 0 : -(Real)(rng_below(r, 2) ? (double)INFINITY : 2.5);
    c.high = (Real)tops[rng_below(r, 4)];
    c.lo = (int32_t)rng_below(r, 128) - 128;
    c.hi = c.lo + 1 + (int32_t)rng_below(r, (uint32_t)(127 - c.lo));
    c.zero_point = c.lo + (int32_t)rng_below(r, (uint32_t)(c.hi - c.lo + 1));
    return c;
}

/* What channel_quantize replaces. */
static void quantize_in_turns(const Kernels *k, const ChannelQuantize *p, size_t rows,
                              const Real *x, int8_t *q, uint8_t *mask)
{
    enum { MOST = 150 };
    Real y[MOST];
    uint8_t between[MASK_ROW_BYTES(MOST)], inside[MASK_ROW_BYTES(MOST)];
    const size_t c = (size_t)p->channels;
    for (size_t r = 0; r < rows; r++, x += c, q += c, mask += MASK_ROW_BYTES(c)) {
        memset(between, 0xff, sizeof between);
        k->channel_affine(1, p->channels, x, p->slope, p->shift, y);
        if (p->low == 0)
            k->relu(c, y, p->high, y, between);
        k->quantize(c, y, p->scale, p->zero_point, p->lo, p->hi, q, inside);
        for (size_t i = 0; i < MASK_ROW_BYTES(c); i++)
            mask[i] = between[i] & inside[i];
    }
}

static void check_channel_quantize(Arena *a, const Kernels *const *t)
{
    Block b = random_block(&a->rng);
    const size_t c = (size_t)b.c;
    const bool masked = rng_below(&a->rng, 8);
    Codes codes = random_codes(&a->rng);
    int x = reals_new(a, b.n, true), slope = reals_new(a, c, false), shift = reals_new(a, c, false);
    int q = bytes_new(a, b.n), mask = bytes_new(a, b.rows * MASK_ROW_BYTES(c));
    int q2 = bytes_new(a, b.n), mask2 = bytes_new(a, b.rows * MASK_ROW_BYTES(c));
    codes.high = codes.low < 0 ? (Real)INFINITY : codes.high;
    codes.low = codes.low < 0 ? -(Real)INFINITY : codes.low; /* with relu's or none */
    for (int s = 0; s < 2; s++) {
        ChannelQuantize p = {.channels = b.c,
                             .slope = reals(a, s, slope),
                             .shift = reals(a, s, shift),
                             .low = codes.low,
                             .high = codes.high,
                             .scale = codes.scale,
                             .zero_point = codes.zero_point,
                             .lo = codes.lo,
                             .hi = codes.hi};
        t[s]->channel_quantize(&p, b.rows, reals(a, s, x), (int8_t *)a->data[s][q],
                               masked ? a->data[s][mask] : NULL);
        quantize_in_turns(t[s], &p, b.rows, reals(a, s, x), (int8_t *)a->data[s][q2],
                          a->data[s][mask2]);
        ck_assert_msg(memcmp(a->data[s][q], a->data[s][q2], b.n) == 0,
                      "%s: channel_quantize is not its parts", t[s]->name);
        ck_assert_msg(
            !masked || memcmp(a->data[s][mask], a->data[s][mask2], b.rows * MASK_ROW_BYTES(c)) == 0,
            "%s: the mask of channel_quantize is not its parts'", t[s]->name);
    }
    arena_check(a, t[1]->name, "channel_quantize", c);
}

static void check_add_quantize(Arena *a, const Kernels *const *t)
{
    const size_t n = random_size(&a->rng);
    const bool masked = rng_below(&a->rng, 8);
    const Codes codes = random_codes(&a->rng);
    int x = bytes_new(a, n), y = bytes_new(a, n), q = bytes_new(a, n);
    int mask = bytes_new(a, (n + 7) / 8), extent = reals_new(a, 2, false);
    AddQuantize p = {.a_scale = (Real)0.037,
                     .b_scale = (Real)0.125,
                     .a_zero = -5,
                     .b_zero = 17,
                     .low = codes.low,
                     .high = codes.high,
                     .scale = codes.scale,
                     .zero_point = codes.zero_point,
                     .lo = codes.lo,
                     .hi = codes.hi};
    for (int s = 0; s < 2; s++)
        t[s]->add_quantize(&p, n, (const int8_t *)a->data[s][x], (const int8_t *)a->data[s][y],
                           (int8_t *)a->data[s][q], masked ? a->data[s][mask] : NULL,
                           reals(a, s, extent), reals(a, s, extent) + 1);
    arena_check(a, t[1]->name, "add_quantize", n);
}

static void check_masked_grad(Arena *a, const Kernels *const *t)
{
    Block b = random_block(&a->rng);
    const size_t c = (size_t)b.c, cut = rng_below(&a->rng, (uint32_t)b.rows + 1);
    const size_t first = rng_below(&a->rng, (uint32_t)((c + 7) / 8)) * 8; /* channel */
    const bool plain = rng_below(&a->rng, 3) == 0, peaks = rng_below(&a->rng, 4) > 0;
    int dy = reals_new(a, b.n, false), x = reals_new(a, b.n, false);
    int mask = bytes_new(a, b.rows * MASK_ROW_BYTES(c));
    int pivot = reals_new(a, c, false), of_x = reals_new(a, c, false),
        sums = reals_new(a, c, false);
    int products = reals_new(a, c, false), y = reals_new(a, b.rows * (c - first), false);
    int peak = reals_new(a, c - first, false);
    for (int s = 0; s < 2; s++)
        for (size_t ch = 0; ch < c - first; ch++)
            reals(a, s, peak)[ch] = (Real)fabs((double)reals(a, s, peak)[ch]);
    for (int s = 0; s < 2; s++) {
        const size_t rows = s == 0 ? b.rows : cut, at = rows * c;
        const uint8_t *bits = a->data[s][mask];
        t[s]->masked_grad_sums(rows, b.c, reals(a, s, dy), bits, reals(a, s, x), reals(a, s, pivot),
                               reals(a, s, sums), reals(a, s, products));
        t[s]->masked_grad_sums(b.rows - rows, b.c, reals(a, s, dy) + at,
                               bits + rows * MASK_ROW_BYTES(c), reals(a, s, x) + at,
                               reals(a, s, pivot), reals(a, s, sums), reals(a, s, products));
        MaskedGrad p = {.channels = b.c - (int)first,
                        .ld = c,
                        .mask_ld = MASK_ROW_BYTES(c),
                        .y_ld = c - first,
                        .dy = reals(a, s, dy) + first,
                        .mask = bits + first / 8,
                        .x = plain ? NULL : reals(a, s, x) + first,
                        .slope = plain ? NULL : reals(a, s, pivot) + first,
                        .of_x = reals(a, s, of_x) + first,
                        .shift = reals(a, s, sums) + first,
                        .y = reals(a, s, y),
                        .peak = peaks ? reals(a, s, peak) : NULL};
        t[s]->masked_grad(&p, b.rows);
    }
    arena_check(a, t[1]->name, "masked_grad_sums or masked_grad", c);
}

typedef void (*KernelCheck)(Arena *a, const Kernels *const *t);
static const KernelCheck checks[] = {check_minmax,
                                     check_add,
                                     check_relu,
                                     check_mask_grad,
                                     check_quantize,
                                     check_dequantize,
                                     check_moments,
                                     check_affine,
                                     check_channel_grad,
                                     check_statistics,
                                     check_channel_quantize,
                                     check_add_quantize,
                                     check_masked_grad};

START_TEST(levels_agree)
{
    Arena a = {.rng = rng_at(SEED, RNG_TEST, (uint64_t)_i, 0)};
    for (int level = 0; level < 3; level++) {
        const Kernels *tables[2] = {&kernels_ref, kernels_at(level)};
        for (int i = 0; i < CASES && tables[1]; i++)
            checks[_i](&a, tables);
    }
}
END_TEST

static void run_checks(const void *table)
{
    const Kernels *tables[2] = {&kernels_ref, table};
    Arena a = {.rng = rng_at(SEED, RNG_TEST, 0, 0)};
    for (size_t c = 0; c < sizeof checks / sizeof checks[0]; c++)
        for (int i = 0; i < 8; i++)
            checks[c](&a, tables);
}

START_TEST(every_function_has_a_case)
{
    const Kernels *k = kernels_at(_i);
    if (k)
        walk_table(k, sizeof *k, offsetof(Kernels, minmax), k->name, run_checks);
}
END_TEST

/* ---- the reference itself, on numbers worked out by hand ---- */

START_TEST(quantize_by_hand)
{
    Real x[] = {0,      0.125f,  0.375f,   -0.125f, -0.375f, 31,       31.125f,   31.126f,  1e30f,
                -1e30f, -32.25f, -32.374f, 0.25f,   -32,     INFINITY, -INFINITY, (Real)NAN};
    int want[] = {3, 3, 5, 3, 1, 127, 127, 127, 127, -128, -126, -126, 4, -125, 127, -128, -128};
    int inside[] = {1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0};
    enum { N = sizeof x / sizeof x[0] };
    for (int level = 0; level < 3; level++) {
        const Kernels *k = kernels_at(level);
        int8_t q[N];
        uint8_t mask[(N + 7) / 8];
        if (!k)
            continue;
        k->quantize(N, x, (Real)0.25, 3, -128, 127, q, mask);
        for (int i = 0; i < N; i++) {
            ck_assert_msg(q[i] == want[i], "%s: x[%d] = %g gives code %d, not %d", k->name, i,
                          (double)x[i], q[i], want[i]);
            ck_assert_msg((mask[i / 8] >> i % 8 & 1) == inside[i], "%s: mask of x[%d] = %g",
                          k->name, i, (double)x[i]);
        }
        ck_assert_int_eq(mask[2] >> 1, 0);
    }
}
END_TEST

START_TEST(minmax_by_hand)
{
    for (int level = 0; level < 3; level++) {
        const Kernels *k = kernels_at(level);
        for (size_t n = 1; k && n < 200; n += 3) {
            Real x[200], lo, hi;
            for (size_t at = 0; at < n; at++) {
                for (size_t i = 0; i < n; i++)
                    x[i] = 1 + (Real)(i % 5) / 8;
                x[at] = -3;
                k->minmax(n, x, &lo, &hi);
                ck_assert(lo == -3 && (n == 1 || hi > 0));
                x[at] = 9;
                k->minmax(n, x, &lo, &hi);
                ck_assert(hi == 9 && (n == 1 ? lo == 9 : lo >= 1 && lo < 2));
                x[at] = at % 2 ? (Real)NAN : -(Real)INFINITY;
                k->minmax(n, x, &lo, &hi);
                ck_assert(isnan(lo) && isnan(hi));
            }
        }
    }
}
END_TEST

START_TEST(names)
{
    ck_assert_ptr_eq(kernels_named("ref"), &kernels_ref);
    ck_assert_ptr_null(kernels_named("sse9"));
    for (int level = 0; level < 3; level++)
        if (kernels_at(level))
            ck_assert_ptr_eq(kernels_named(kernels_at(level)->name), kernels_at(level));
}
END_TEST

Suite *suite_kerncheck_real(void)
{
    Suite *s = suite_create("kerncheck_real");
    TCase *t = tcase_create("kerncheck_real");
    tcase_add_loop_test(t, levels_agree, 0, (int)(sizeof checks / sizeof checks[0]));
    tcase_add_loop_test(t, every_function_has_a_case, 0, 3);
    tcase_add_test(t, quantize_by_hand);
    tcase_add_test(t, minmax_by_hand);
    tcase_add_test(t, names);
    suite_add_tcase(s, t);
    return s;
}
