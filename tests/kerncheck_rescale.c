/* Kernels that rescale integers, requantization, additions and means: every CPU level against the
 * reference, bit for bit, on random numbers. SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"
#include "runtime/kernels.h"
#include "tests/effort.h"
#include "tests/guarded.h"
#include "tests/int_kernels.h"
#include "tests/levels.h"
#include "tests/suites.h"
#include "tests/walk.h"

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { SEED = 20261120, CASES = 200 };

static int32_t random_acc(Rng *rng)
{
    switch (rng_below(rng, 8)) {
    case 0:
        return INT32_MIN;
    case 1:
        return INT32_MAX;
    case 2:
        return between(rng, -3, 3);
    default:
        return (int32_t)(rng_u32(rng) >> 1) >> rng_below(rng, 31) ^ -(int32_t)rng_below(rng, 2);
    }
}

START_TEST(requantize_equals_ref)
{
    const HoneRtKernels *k = int_kernels(_i);
    if (k == NULL)
        return;
    for (int i = 0; i < int_kernels_rounds(4 * CASES); i += EVERY) {
        Rng rng = rng_at(SEED, RNG_TEST, 2, (uint64_t)i);
        const int rows = between(&rng, 1, 9), cols = between(&rng, 1, 50);
        const int ld = cols + between(&rng, 0, 5), y_ld = cols + between(&rng, 0, 5);
        const bool fractions = rng_below(&rng, 2);
        Guarded acc = guarded_input((size_t)(rows * ld) * 4, random_align(&rng, 4));
        Guarded words = guarded_input((size_t)cols * 4, random_align(&rng, 4));
        Guarded want = guarded_new((size_t)(rows * y_ld), random_align(&rng, 1));
        Guarded got = guarded_new((size_t)(rows * y_ld), random_align(&rng, 1));
        int32_t *a = (int32_t *)(void *)acc.data, lo, hi;
        uint32_t *w = (uint32_t *)(void *)words.data;
        const int32_t y_zp = between(&rng, -128, 127);
        random_clamp(&rng, &lo, &hi);
        for (int j = 0; j < rows * ld; j++)
            a[j] = random_acc(&rng);
        for (int j = 0; j < cols; j++)
            w[j] = random_word(&rng, fractions);
        hone_rt_kernels_ref.requantize_s24(a, ld, rows, cols, w, y_zp, lo, hi, (int8_t *)want.data,
                                           y_ld);
        k->requantize_s24(a, ld, rows, cols, w, y_zp, lo, hi, (int8_t *)got.data, y_ld);
        ck_assert_msg(memcmp(want.data, got.data, want.bytes) == 0, "case %d, %s: %dx%d", i,
                      k->name, rows, cols);
        guarded_free(&acc, "acc");
        guarded_free(&words, "words");
        guarded_free(&want, "want");
        guarded_free(&got, "got");
    }
}
END_TEST

START_TEST(requantize_d31_equals_ref)
{
    const HoneRtKernels *k = int_kernels(_i);
    for (int i = 0; k != NULL && i < int_kernels_rounds(4 * CASES); i++) {
        Rng rng = rng_at(SEED, RNG_TEST, 10, (uint64_t)i);
        const int rows = between(&rng, 1, 9), cols = between(&rng, 1, 50);
        const int ld = cols + between(&rng, 0, 5), y_ld = cols + between(&rng, 0, 5);
        const bool fraction = rng_below(&rng, 4) != 0;
        Guarded acc = guarded_input((size_t)(rows * ld) * 4, random_align(&rng, 4));
        Guarded m = guarded_input((size_t)cols * 4, random_align(&rng, 4));
        Guarded e = guarded_input((size_t)cols * 4, random_align(&rng, 4));
        Guarded want = guarded_new((size_t)(rows * y_ld), random_align(&rng, 1));
        Guarded got = guarded_new((size_t)(rows * y_ld), random_align(&rng, 1));
        int32_t *a = (int32_t *)(void *)acc.data, *shifts = (int32_t *)(void *)e.data, lo, hi;
        uint32_t *words = (uint32_t *)(void *)m.data;
        const int32_t y_zp = between(&rng, -128, 127);
        random_clamp(&rng, &lo, &hi);
        for (int j = 0; j < cols; j++)
            random_d31(&rng, fraction, &words[j], &shifts[j]);
        for (int j = 0; j < rows * ld; j++)
            a[j] = random_acc(&rng);
        hone_rt_kernels_ref.requantize_d31(a, ld, rows, cols, words, shifts, y_zp, lo, hi,
                                           (int8_t *)want.data, y_ld);
        k->requantize_d31(a, ld, rows, cols, words, shifts, y_zp, lo, hi, (int8_t *)got.data, y_ld);
        ck_assert_msg(memcmp(want.data, got.data, want.bytes) == 0, "case %d, %s: %dx%d", i,
                      k->name, rows, cols);
        guarded_free(&acc, "acc");
        guarded_free(&m, "m");
        guarded_free(&e, "e");
        guarded_free(&want, "want");
        guarded_free(&got, "got");
    }
}
END_TEST

/* Around every tie of both roundings: sums a few units off, shifts of every size. */
START_TEST(requantize_d31_ties)
{
    const HoneRtKernels *k = int_kernels(_i);
    enum { N = 32 };
    for (int i = 0; k != NULL && i < int_kernels_rounds(8 * CASES); i++) {
        Rng rng = rng_at(SEED, RNG_TEST, 11, (uint64_t)i);
        int32_t acc[N], e[N];
        uint32_t m[N];
        int8_t want[N], got[N];
        for (int j = 0; j < N; j++) {
            m[j] = 0x40000000u; /* a half: products are ties of the first rounding for odd sums */
            e[j] = -(int32_t)rng_below(&rng, 24);
            const int64_t tie = (2 * between(&rng, -130, 130) + 1) * ((int64_t)1 << -e[j]);
            acc[j] = (int32_t)(tie + between(&rng, -3, 3));
        }
        hone_rt_kernels_ref.requantize_d31(acc, N, 1, N, m, e, 0, -128, 127, want, N);
        k->requantize_d31(acc, N, 1, N, m, e, 0, -128, 127, got, N);
        ck_assert_msg(memcmp(want, got, N) == 0, "case %d, %s", i, k->name);
    }
}
END_TEST

/* Two summands and room for their sum by the reference and by a kernel, which then writes it over b. */
typedef struct AddCase {
    size_t n;
    Guarded in[2], out[2];
    int8_t *a, *b, *want, *got;
} AddCase;

static void add_case_make(AddCase *c, Rng *rng)
{
    const size_t n = c->n = rng_below(rng, 100);
    c->in[0] = guarded_input(n, random_align(rng, 1));
    c->in[1] = guarded_new(n, random_align(rng, 1));
    c->out[0] = guarded_new(n, 0);
    c->out[1] = guarded_new(n, random_align(rng, 1));
    fill_codes(rng, &c->in[0], -128, rng_below(rng, 2));
    fill_codes(rng, &c->in[1], -128, rng_below(rng, 2));
    c->a = (int8_t *)c->in[0].data;
    c->b = (int8_t *)c->in[1].data;
    c->want = (int8_t *)c->out[0].data;
    c->got = (int8_t *)c->out[1].data;
}

/* Compares, checks the margins, frees. */
static void add_case_end(AddCase *c, int number, const char *level)
{
    ck_assert_msg(memcmp(c->want, c->got, c->n) == 0, "case %d, %s", number, level);
    ck_assert_msg(memcmp(c->want, c->b, c->n) == 0, "case %d, %s, in place", number, level);
    guarded_free(&c->in[0], "a");
    guarded_free(&c->in[1], "b");
    guarded_free(&c->out[0], "want");
    guarded_free(&c->out[1], "got");
}

START_TEST(add_d31_equals_ref)
{
    const HoneRtKernels *k = int_kernels(_i);
    for (int i = 0; k != NULL && i < int_kernels_rounds(CASES); i++) {
        Rng rng = rng_at(SEED, RNG_TEST, 12, (uint64_t)i);
        HoneRtAddD31 p = {.a_zp = between(&rng, -128, 127), .b_zp = between(&rng, -128, 127)};
        p.y_zp = between(&rng, -128, 127);
        random_clamp(&rng, &p.lo, &p.hi);
        for (int j = 0; j < 3; j++) {
            uint32_t m;
            random_d31(&rng, true, &m, &p.e[j]);
            p.m[j] = (int32_t)m;
            if (rng_below(&rng, 2))
                p.e[j] = j == 2 ? -between(&rng, 15, 22) : -between(&rng, 0, 3);
        }
        AddCase c;
        add_case_make(&c, &rng);
        hone_rt_kernels_ref.add_d31(&p, c.a, c.b, c.n, c.want);
        k->add_d31(&p, c.a, c.b, c.n, c.got);
        k->add_d31(&p, c.a, c.b, c.n, c.b); /* in place */
        add_case_end(&c, i, k->name);
    }
}
END_TEST

static HoneRtAdd random_add(Rng *rng)
{
    HoneRtAdd p = {.k = between(rng, 1, 30), .a_zp = between(rng, -128, 127)};
    p.b_zp = between(rng, -128, 127);
    p.y_zp = between(rng, -128, 127);
    p.m1 = rng_below(rng, 4) ? (int32_t)rng_below(rng, 1u << 21) : (1 << 21) - 1;
    p.m2 = rng_below(rng, 4) ? (int32_t)rng_below(rng, 1u << 21) : (1 << 21) - 1;
    random_clamp(rng, &p.lo, &p.hi);
    return p;
}

START_TEST(add_equals_ref)
{
    const HoneRtKernels *k = int_kernels(_i);
    if (k == NULL)
        return;
    for (int i = 0; i < int_kernels_rounds(CASES); i += EVERY) {
        Rng rng = rng_at(SEED, RNG_TEST, 3, (uint64_t)i);
        const HoneRtAdd p = random_add(&rng);
        AddCase c;
        add_case_make(&c, &rng);
        hone_rt_kernels_ref.add_s24(&p, c.a, c.b, c.n, c.want);
        k->add_s24(&p, c.a, c.b, c.n, c.got);
        k->add_s24(&p, c.a, c.b, c.n, c.b); /* in place */
        add_case_end(&c, i, k->name);
    }
}
END_TEST

START_TEST(mean_equals_ref)
{
    const HoneRtKernels *k = int_kernels(_i);
    if (k == NULL)
        return;
    for (int i = 0; i < int_kernels_rounds(CASES); i += EVERY) {
        Rng rng = rng_at(SEED, RNG_TEST, 4, (uint64_t)i);
        const int pixels = between(&rng, 1, 70), channels = random_channels(&rng);
        Guarded x = guarded_input((size_t)(pixels * channels), random_align(&rng, 1));
        Guarded want = guarded_new((size_t)channels * 4, 0);
        Guarded got = guarded_new((size_t)channels * 4, random_align(&rng, 4));
        fill_codes(&rng, &x, -128, rng_below(&rng, 2));
        hone_rt_kernels_ref.mean_sum((const int8_t *)x.data, pixels, channels,
                                     (int32_t *)(void *)want.data);
        k->mean_sum((const int8_t *)x.data, pixels, channels, (int32_t *)(void *)got.data);
        ck_assert_msg(memcmp(want.data, got.data, want.bytes) == 0, "case %d, %s", i, k->name);
        guarded_free(&x, "x");
        guarded_free(&want, "want");
        guarded_free(&got, "got");
    }
}
END_TEST

static const TTest **const kernel_cases[] = {&requantize_equals_ref, &requantize_d31_equals_ref,
                                             &requantize_d31_ties,   &add_d31_equals_ref,
                                             &add_equals_ref,        &mean_equals_ref};
enum { KERNEL_CASES = sizeof kernel_cases / sizeof kernel_cases[0] };

static void run_cases(const void *table)
{
    int_kernels_walk(table);
    for (int i = 0; i < KERNEL_CASES; i++)
        (*kernel_cases[i])->fn(WALKED);
}

/* kerncheck_int.c has the functions before requantize_s24, kerncheck_layers.c those from mul_s24 on. */
START_TEST(every_function_has_a_case)
{
    const HoneRtKernels *k = int_kernels(_i);
    if (k)
        walk_table(k, offsetof(HoneRtKernels, mul_s24), offsetof(HoneRtKernels, requantize_s24),
                   k->name, run_cases);
}
END_TEST

Suite *suite_kerncheck_rescale(void)
{
    Suite *s = suite_create("kerncheck_rescale");
    TCase *t = tcase_create("levels");
    for (int i = 0; i < KERNEL_CASES; i++)
        tcase_add_loop_test(t, *kernel_cases[i], 0, LEVELS);
    tcase_add_loop_test(t, every_function_has_a_case, 0, LEVELS);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return s;
}
