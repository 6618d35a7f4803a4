/* 16-bit products of every CPU level against the reference, on random shapes: int16 bit for bit, bf16
 * to rounding. Inputs lie between elements that would change any sum, outputs between marks that must
 * stay. SPDX-License-Identifier: Apache-2.0 */
#include "core/kernels_pair.h"
#include "core/rng.h"
#include "runtime/kernels.h"
#include "tests/effort.h"
#include "tests/levels.h"
#include "tests/suites.h"
#include "tests/walk.h"
#include "tests/windows.h"

#include <check.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 78, ROUNDS = 200, MARGIN = 40 };

/* As int16 two large numbers, as bf16 two NaNs. */
static const uint32_t POISON = 0x7fc07fc0;

enum { TABLES = 2 * LEVELS };

/* The table whose functions are walked through, instead of those of levels. */
static const PairKernels *walked;

/* Table i and the reference of its kind; false where this machine cannot run it. */
static bool tables_of(int i, const PairKernels **k, const PairKernels **ref)
{
    const char *level = levels[i / 2];
    if (walked) {
        *k = walked;
        *ref = walked->scaled ? &kernels_int16_ref : &kernels_bf16_ref;
        return true;
    }
    *k = i % 2 ? kernels_bf16_named(level) : kernels_int16_named(level);
    *ref = i % 2 ? &kernels_bf16_ref : &kernels_int16_ref;
    return hone_rt_kernels_for_host(level) != NULL;
}

static int below(Rng *rng, int n)
{
    return (int)rng_below(rng, (uint32_t)n);
}

/* ---- memory between margins ---- */

static void *between(size_t n, size_t size, uint32_t mark)
{
    unsigned char *p = malloc((n + 2 * MARGIN) * size);
    ck_assert_ptr_nonnull(p);
    for (size_t i = 0; i < (n + 2 * MARGIN) * size; i += sizeof mark)
        memcpy(p + i, &mark, sizeof mark);
    return p + MARGIN * size;
}

static uint32_t *elements(size_t n)
{
    return between(n, sizeof(uint32_t), POISON);
}

static Real *reals(size_t n, Rng *rng)
{
    Real *p = between(n, sizeof *p, 0x7fc00000);
    for (size_t i = 0; i < n; i++)
        p[i] = (Real)rng_normal(rng);
    return p;
}

static int8_t *codes(size_t n, Rng *rng)
{
    int8_t *p = between(n, 4, POISON);
    for (size_t i = 0; i < n; i++)
        p[i] = (int8_t)(below(rng, 256) - 128);
    return p;
}

static void drop(void *p, size_t size)
{
    free((unsigned char *)p - MARGIN * size);
}

static void expect_bits(const char *what, const void *have, const void *want, size_t n, size_t size)
{
    const unsigned char *h = (const unsigned char *)have - MARGIN * size;
    const unsigned char *w = (const unsigned char *)want - MARGIN * size;
    for (size_t i = 0; i < (n + 2 * MARGIN) * size; i++)
        ck_assert_msg(h[i] == w[i], "%s: byte %td of element %td is %02x, not %02x", what,
                      (ptrdiff_t)(i % size), (ptrdiff_t)(i / size) - MARGIN, h[i], w[i]);
}

/* int16: the same bits; bf16: close. */
static void expect_reals(const char *what, const PairKernels *k, const Real *have, const Real *want,
                         size_t n)
{
    if (k->scaled) {
        expect_bits(what, have, want, n, sizeof *have);
        return;
    }
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)have[i] - (double)want[i]) <= 1e-4 * (1 + fabs((double)want[i])),
                      "%s: element %zu is %g, not %g", what, i, (double)have[i], (double)want[i]);
}

static Real *copy_of(const Real *from, size_t n)
{
    Real *p = between(n, sizeof *p, 0);
    memcpy(p - MARGIN, from - MARGIN, (n + 2 * MARGIN) * sizeof *p);
    return p;
}

/* Pairs of numbers from -most to most of the kind. */
static uint32_t *numbers(const PairKernels *ref, size_t n, int most, Rng *rng)
{
    uint32_t *p = elements(n);
    const Real one = 1;
    for (size_t i = 0; i < n; i++) {
        const Real a = (Real)(below(rng, 2 * most + 1) - most);
        const Real b = (Real)(below(rng, 2 * most + 1) - most);
        ref->interleave(1, 1, &a, &b, &one, &(PairPanels){p + i, 1, 1}, 0);
    }
    return p;
}

/* ---- products ---- */

static uint32_t *packed(const PairKernels *k, const uint32_t *weights, int depth, int cols)
{
    const int width = pair_panel_width(k, cols, 0);
    uint32_t *p = calloc((size_t)(1 + depth) * (size_t)width, sizeof *p);
    ck_assert_ptr_nonnull(p);
    for (int r = 0; r < depth; r++)
        memcpy(p + (1 + r) * width, weights + r * cols, (size_t)cols * sizeof *p);
    return p;
}

START_TEST(multiply_matches)
{
    const PairKernels *k, *ref;
    if (!tables_of(_i, &k, &ref))
        return;
    Rng rng = rng_at(SEED, RNG_TEST, 1, 0);
    for (int round = 0; round < (walked ? 8 * EVERY : ROUNDS); round += EVERY) {
        Windows w;
        const int cols = 1 + below(&rng, 2 * ref->lanes), ld = cols + below(&rng, 3);
        windows_make(&w, ld, &rng);
        const size_t ny = (size_t)(w.rows - 1) * (size_t)ld + (size_t)cols;
        const int most = w.depth ? pair_limit(2 * w.depth, 127) : 1;
        uint32_t *x = numbers(ref, w.size, k->scaled ? most : 3, &rng);
        uint32_t *weights = numbers(ref, (size_t)(w.depth * cols), k->scaled ? 127 : 3, &rng);
        Real *y = reals(ny, &rng), *want = copy_of(y, ny);
        uint32_t *mine = packed(k, weights, w.depth, cols);
        uint32_t *theirs = packed(ref, weights, w.depth, cols);
        PairMultiply m = {.x = x,
                          .x_row = w.x_row,
                          .run_x = w.run_x,
                          .run_w = w.run_w,
                          .runs = w.runs,
                          .length = w.length,
                          .taps = w.taps,
                          .panel = mine,
                          .scale = (Real)0.013,
                          .y = y,
                          .y_row = w.y_row,
                          .rows = w.rows,
                          .cols = cols,
                          .accumulate = below(&rng, 2)};
        k->multiply(&m);
        m.panel = theirs;
        m.y = want;
        ref->multiply(&m);
        expect_reals("multiply", k, y, want, ny);
        drop(x, sizeof *x);
        drop(weights, sizeof *weights);
        drop(y, sizeof *y);
        drop(want, sizeof *want);
        free(mine);
        free(theirs);
    }
}
END_TEST

START_TEST(outer_matches)
{
    const PairKernels *k, *ref;
    if (!tables_of(_i, &k, &ref))
        return;
    Rng rng = rng_at(SEED, RNG_TEST, 2, 0);
    for (int round = 0; round < (walked ? 8 * EVERY : ROUNDS); round += EVERY) {
        Windows w;
        const int cols = k->lanes * (1 + below(&rng, 6)), before = below(&rng, 3);
        const int sum_ld = cols + below(&rng, 3);
        windows_make(&w, cols, &rng);
        const size_t n = (size_t)w.depth * (size_t)sum_ld;
        uint32_t *x = numbers(ref, w.size, k->scaled ? 255 : 3, &rng);
        const size_t rows = (size_t)(before + w.rows + below(&rng, 3));
        uint32_t *dy = numbers(ref, rows * (size_t)cols, k->scaled ? PAIR_MOST : 3, &rng);
        Real *scale = reals((size_t)cols, &rng), *sum = reals(n, &rng), *want = copy_of(sum, n);
        PairOuter m = {.x = x,
                       .x_row = w.x_row,
                       .run_x = w.run_x,
                       .runs = w.runs,
                       .length = w.length,
                       .dy = {dy, rows, cols},
                       .dy_row = (size_t)before,
                       .rows = w.rows,
                       .scale = scale,
                       .sum = sum,
                       .sum_ld = sum_ld,
                       .accumulate = below(&rng, 2) > 0};
        k->outer(&m);
        m.sum = want;
        ref->outer(&m);
        expect_reals("outer", k, sum, want, n);
        drop(x, sizeof *x);
        drop(dy, sizeof *dy);
        drop(scale, sizeof *scale);
        drop(sum, sizeof *sum);
        drop(want, sizeof *want);
    }
}
END_TEST

/* ---- making numbers ---- */

START_TEST(codes_match)
{
    const PairKernels *k, *ref;
    if (!tables_of(_i, &k, &ref))
        return;
    Rng rng = rng_at(SEED, RNG_TEST, 3, 0);
    for (int round = 0; round < (walked ? 8 * EVERY : ROUNDS); round += EVERY) {
        const size_t n = (size_t)below(&rng, 70);
        const int zero = below(&rng, 256) - 128, which = below(&rng, 4);
        int8_t *a = codes(n, &rng), *b = codes(n, &rng);
        uint32_t *have = elements(n), *want = elements(n);
        k->codes(n, which == 1 ? NULL : a, which == 2 ? NULL : b, zero, have);
        ref->codes(n, which == 1 ? NULL : a, which == 2 ? NULL : b, zero, want);
        expect_bits("codes", have, want, n, sizeof *have);
        drop(a, 4);
        drop(b, 4);
        drop(have, sizeof *have);
        drop(want, sizeof *want);
    }
}
END_TEST

START_TEST(rounding_matches)
{
    const PairKernels *k, *ref;
    if (!tables_of(_i, &k, &ref))
        return;
    Rng rng = rng_at(SEED, RNG_TEST, 4, 0);
    for (int round = 0; round < (walked ? 8 * EVERY : ROUNDS); round += EVERY) {
        const size_t rows = 1 + (size_t)below(&rng, 5);
        const int channels = round % 4 == 1 ? k->lanes : 2 * (1 + below(&rng, 35));
        const size_t n = rows * (size_t)channels;
        const size_t row = (size_t)below(&rng, 3), all = row + rows + (size_t)below(&rng, 3);
        const int cols = (channels + 15) / 16 * 16;
        const size_t to = all * (size_t)cols;
        Real *a = reals(n, &rng), *b = reals(n, &rng), *factor = reals((size_t)channels, &rng);
        for (int c = 0; c < channels; c++)
            factor[c] *= k->scaled ? 1000 : 1;
        for (size_t i = 0; i < n; i += 3)
            a[i] = rintf((float)a[i] * 4) / 8; /* halves, for int16 with a factor of 1000 */
        uint32_t *have = elements(to), *want = elements(to);
        memset(have, 0, to * sizeof *have);
        memset(want, 0, to * sizeof *want);
        k->interleave(rows, channels, a, round % 3 ? b : NULL, factor,
                      &(PairPanels){have, all, cols}, row);
        ref->interleave(rows, channels, a, round % 3 ? b : NULL, factor,
                        &(PairPanels){want, all, cols}, row);
        expect_bits("interleave", have, want, to, sizeof *have);
        k->narrow(rows, channels, a, factor, have);
        ref->narrow(rows, channels, a, factor, want);
        expect_bits("narrow", have, want, to, sizeof *have);
        Real *peak = reals((size_t)channels, &rng);
        for (int c = 0; c < channels; c++)
            peak[c] = c % 3 ? 0 : (Real)fabs((double)peak[c]);
        if (round % 2)
            a[below(&rng, (int)n)] = (Real)NAN;
        Real *most = copy_of(peak, (size_t)channels);
        k->peaks(rows, channels, a, peak);
        ref->peaks(rows, channels, a, most);
        for (int c = 0; c < channels; c++)
            ck_assert(isnan(most[c]) ? isnan(peak[c]) : peak[c] == most[c]);
        drop(a, sizeof *a);
        drop(b, sizeof *b);
        drop(factor, sizeof *factor);
        drop(peak, sizeof *peak);
        drop(most, sizeof *most);
        drop(have, sizeof *have);
        drop(want, sizeof *want);
    }
}
END_TEST

/* Against numbers worked out by hand: ties, signs, what is beyond. */
START_TEST(numbers_are_rounded_to_even)
{
    const PairKernels *k, *ref;
    if (!tables_of(_i, &k, &ref))
        return;
    static const Real x[8] = {(Real)0.5, (Real)1.5, (Real)-2.5, 257, (Real)258.5, -259, 0, -1};
    static const Real one[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    static const uint16_t int16[8] = {0, 2, 0xfffe, 257, 258, 0xfefd, 0, 0xffff};
    static const uint16_t bf16[8] = {0x3f00, 0x3fc0, 0xc020, 0x4380, 0x4381, 0xc382, 0, 0xbf80};
    uint32_t to[4];
    k->narrow(1, 8, x, one, to);
    for (int i = 0; i < 8; i++) {
        const unsigned have = to[i / 2] >> (i % 2 * 16) & 0xffff;
        ck_assert_uint_eq(have, k->scaled ? int16[i] : bf16[i]);
    }
}
END_TEST

static const TTest **const cases[] = {&multiply_matches, &outer_matches, &codes_match,
                                      &rounding_matches, &numbers_are_rounded_to_even};
enum { CASES = sizeof cases / sizeof cases[0] };

static void run_cases(const void *table)
{
    walked = table;
    for (int i = 0; i < CASES; i++)
        (*cases[i])->fn(0);
}

START_TEST(every_function_has_a_case)
{
    const PairKernels *k, *ref;
    if (tables_of(_i, &k, &ref))
        walk_table(k, sizeof *k, offsetof(PairKernels, multiply), k->name, run_cases);
}
END_TEST

Suite *suite_kerncheck_pair(void)
{
    Suite *s = suite_create("kerncheck_pair");
    TCase *t = tcase_create("pair");
    for (int i = 0; i < CASES; i++)
        tcase_add_loop_test(t, *cases[i], 0, TABLES);
    tcase_add_loop_test(t, every_function_has_a_case, 0, TABLES);
    suite_add_tcase(s, t);
    return s;
}
