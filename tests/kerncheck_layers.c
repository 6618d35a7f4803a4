/* Integer kernels of the layers without sums over channels: every CPU level against the reference, bit for
 * bit, on random shapes. SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernels.h"
#include "tests/guarded.h"
#include "tests/int_kernels.h"
#include "tests/levels.h"
#include "tests/suites.h"
#include "tests/walk.h"

#include <check.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { SEED = 20261121, CASES = 300 };

static void ck_same(const Guarded *want, const Guarded *got, const char *what, int i)
{
    ck_assert_msg(memcmp(want->data, got->data, want->bytes) == 0, "%s, case %d", what, i);
}

/* One axis of a pooling; the size of the output, which is never 0. */
static int random_axis(Rng *rng, int *in, int *kernel, int *stride, int *pad)
{
    *kernel = between(rng, 1, 4);
    *stride = between(rng, 1, 3);
    *pad = between(rng, 0, *kernel - 1);
    *in = between(rng, *kernel, 9);
    return (*in + *pad + between(rng, 0, *kernel - 1) - *kernel) / *stride + 1;
}

START_TEST(pools_equal_ref)
{
    const HoneRtKernels *k = int_kernels(_i);
    for (int i = 0; k != NULL && i < CASES; i++) {
        Rng rng = rng_at(SEED, RNG_TEST, 1, (uint64_t)i);
        HoneRtPool g = {.channels = between(&rng, 1, rng_below(&rng, 2) ? 20 : 150)};
        g.out_h = random_axis(&rng, &g.in_h, &g.kernel_h, &g.stride_h, &g.pad_top);
        g.out_w = random_axis(&rng, &g.in_w, &g.kernel_w, &g.stride_w, &g.pad_left);
        const int split = between(&rng, 0, g.out_h);
        const size_t bytes = (size_t)(g.out_h * g.out_w * g.channels);
        Guarded x = guarded_input((size_t)(g.in_h * g.in_w * g.channels), random_align(&rng, 1));
        Guarded want = guarded_new(bytes, 0), got = guarded_new(bytes, random_align(&rng, 1));
        fill_codes(&rng, &x, -128, rng_below(&rng, 2));
        const int8_t *from = (const int8_t *)x.data;
        for (int average = 0; average < 2; average++) {
            const HoneRtKernels *r = &hone_rt_kernels_ref;
            (average ? r->average_pool : r->max_pool)(&g, from, 0, g.out_h, (int8_t *)want.data);
            (average ? k->average_pool : k->max_pool)(&g, from, split, g.out_h, (int8_t *)got.data);
            (average ? k->average_pool : k->max_pool)(&g, from, 0, split, (int8_t *)got.data);
            ck_same(&want, &got, average ? "average" : "max", i);
        }
        guarded_free(&x, "x");
        guarded_free(&want, "want");
        guarded_free(&got, "got");
    }
}
END_TEST

/* The largest windows there are, at the edge of what float32 can divide exactly. */
START_TEST(large_averages_equal_ref)
{
    const HoneRtKernels *k = int_kernels(_i);
    const HoneRtPool g = {255, 255, 3, 1, 1, 255, 255, 1, 1, 0, 0};
    Guarded x = guarded_input(255 * 255 * 3, 0);
    for (int i = 0; k != NULL && i < 30; i++) {
        Rng rng = rng_at(SEED, RNG_TEST, 2, (uint64_t)i);
        const int low = between(&rng, -128, 126);
        int8_t want[3], got[3];
        for (size_t j = 0; j < x.bytes; j++)
            x.data[j] = (unsigned char)(low + (j / 3 % 2 == 0));
        x.data[rng_below(&rng, (uint32_t)x.bytes)]++;
        hone_rt_kernels_ref.average_pool(&g, (const int8_t *)x.data, 0, 1, want);
        k->average_pool(&g, (const int8_t *)x.data, 0, 1, got);
        ck_assert_mem_eq(want, got, sizeof want);
    }
    guarded_free(&x, "x");
}
END_TEST

START_TEST(mul_equals_ref)
{
    const HoneRtKernels *k = int_kernels(_i);
    for (int i = 0; k != NULL && i < CASES; i++) {
        Rng rng = rng_at(SEED, RNG_TEST, 3, (uint64_t)i);
        const int rows = rng_below(&rng, 3) ? between(&rng, 1, 9) : 1;
        const int channels = between(&rng, 1, rng_below(&rng, 3) ? 70 : 600);
        const size_t n = (size_t)(rows * channels);
        const int ends[2] = {between(&rng, -128, 127), between(&rng, -128, 127)};
        const HoneRtMul p = {
            .word = hone_rt_s24_pack((1u << 23) + rng_below(&rng, 1u << 23), between(&rng, 24, 45)),
            .a_zp = between(&rng, -128, 127),
            .b_zp = between(&rng, -128, 127),
            .y_zp = between(&rng, -128, 127),
            .lo = ends[0] < ends[1] ? ends[0] : ends[1],
            .hi = ends[0] < ends[1] ? ends[1] : ends[0]};
        Guarded a = guarded_new(n, random_align(&rng, 1));
        Guarded b = guarded_input((size_t)channels, random_align(&rng, 1));
        Guarded want = guarded_new(n, 0), got = guarded_new(n, random_align(&rng, 1));
        fill_codes(&rng, &a, -128, rng_below(&rng, 2));
        fill_codes(&rng, &b, -128, rng_below(&rng, 2));
        const int8_t *xa = (const int8_t *)a.data, *xb = (const int8_t *)b.data;
        hone_rt_kernels_ref.mul_s24(&p, xa, xb, rows, channels, (int8_t *)want.data);
        k->mul_s24(&p, xa, xb, rows, channels, (int8_t *)got.data);
        ck_same(&want, &got, "mul", i);
        k->mul_s24(&p, xa, xb, rows, channels, (int8_t *)a.data);
        ck_same(&want, &a, "mul in place", i);
        guarded_free(&a, "a");
        guarded_free(&b, "b");
        guarded_free(&want, "want");
        guarded_free(&got, "got");
    }
}
END_TEST

START_TEST(table_equals_ref)
{
    const HoneRtKernels *k = int_kernels(_i);
    for (int i = 0; k != NULL && i < CASES; i++) {
        Rng rng = rng_at(SEED, RNG_TEST, 4, (uint64_t)i);
        const size_t n = rng_below(&rng, 400);
        Guarded table = guarded_input(256, random_align(&rng, 1));
        Guarded x = guarded_new(n, random_align(&rng, 1));
        Guarded want = guarded_new(n, 0), got = guarded_new(n, random_align(&rng, 1));
        fill_codes(&rng, &table, -128, false);
        fill_codes(&rng, &x, -128, rng_below(&rng, 4) == 0);
        const int8_t *entries = (const int8_t *)table.data;
        hone_rt_kernels_ref.table(entries, (const int8_t *)x.data, n, (int8_t *)want.data);
        k->table(entries, (const int8_t *)x.data, n, (int8_t *)got.data);
        ck_same(&want, &got, "table", i);
        k->table(entries, (const int8_t *)x.data, n, (int8_t *)x.data);
        ck_same(&want, &x, "table in place", i);
        guarded_free(&table, "table");
        guarded_free(&x, "x");
        guarded_free(&want, "want");
        guarded_free(&got, "got");
    }
}
END_TEST

static void run_cases(const void *table)
{
    int_kernels_walk(table);
    pools_equal_ref->fn(WALKED);
    mul_equals_ref->fn(WALKED);
    table_equals_ref->fn(WALKED);
}

/* From mul_s24 on; kerncheck_int.c and kerncheck_rescale.c have the functions before it. */
START_TEST(every_function_has_a_case)
{
    const HoneRtKernels *k = int_kernels(_i);
    if (k)
        walk_table(k, sizeof *k, offsetof(HoneRtKernels, mul_s24), k->name, run_cases);
}
END_TEST

Suite *suite_kerncheck_layers(void)
{
    Suite *s = suite_create("kerncheck_layers");
    TCase *t = tcase_create("levels");
    tcase_add_loop_test(t, pools_equal_ref, 0, LEVELS);
    tcase_add_loop_test(t, large_averages_equal_ref, 0, LEVELS);
    tcase_add_loop_test(t, mul_equals_ref, 0, LEVELS);
    tcase_add_loop_test(t, table_equals_ref, 0, LEVELS);
    tcase_add_loop_test(t, every_function_has_a_case, 0, LEVELS);
    suite_add_tcase(s, t);
    return s;
}
