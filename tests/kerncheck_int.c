/* Kernels of integer convolutions: every CPU level against the reference, bit for bit, on random shapes
 * (tests/conv_case.h). The reference itself is held against the big-integer oracle in test_fixed.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"
#include "runtime/kernels.h"
#include "tests/conv_case.h"
#include "tests/effort.h"
#include "tests/guarded.h"
#include "tests/int_kernels.h"
#include "tests/levels.h"
#include "tests/suites.h"
#include "tests/walk.h"

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 20261120, CASES = 200 };

static void check_convolutions(bool depthwise, const HoneRtKernels *k)
{
    for (int i = 0; k != NULL && i < int_kernels_rounds(CASES); i += EVERY) {
        Rng rng = rng_at(SEED, RNG_TEST, depthwise, (uint64_t)i);
        ConvCase c = conv_case_new(&rng, depthwise, 1);
        Collected want = conv_case_run(&c, &hone_rt_kernels_ref, &rng);
        Collected got = conv_case_run(&c, k, &rng);
        for (int j = 0; j < want.pixels * want.channels; j++)
            if (want.acc[j] != got.acc[j])
                ck_abort_msg("case %d, %s: pixel %d channel %d is %d, ref %d: zp %d, %s", i,
                             k->name, j / want.channels, j % want.channels, got.acc[j], want.acc[j],
                             c.x_zp, conv_case_text(&c.g));
        collected_free(&want);
        collected_free(&got);
        conv_case_free(&c);
    }
}

START_TEST(conv_equals_ref)
{
    check_convolutions(false, int_kernels(_i));
}
END_TEST

START_TEST(depthwise_equals_ref)
{
    check_convolutions(true, int_kernels(_i));
}
END_TEST

static void expect_sums(const ConvCase *c, const HoneRtKernels *k, Rng *rng, const Guarded *scratch)
{
    Collected want = conv_case_run(c, &hone_rt_kernels_ref, rng), got = collected_new(&c->g);
    conv_case_compute_in(c, k, rng, scratch->data, collected_add, &got);
    ck_assert_msg(
        memcmp(want.acc, got.acc, (size_t)(want.pixels * want.channels) * sizeof *want.acc) == 0,
        "%s, after another shape: %s", k->name, conv_case_text(&c->g));
    collected_free(&want);
    collected_free(&got);
}

/* One scratch serves the layers of a network in turn: what one shape leaves in it, borders included,
 * must not show in the next. */
START_TEST(scratch_may_be_stale)
{
    const HoneRtKernels *k = int_kernels(_i);
    for (int i = 0; k != NULL && i < CASES / 4; i += EVERY) {
        Rng rng = rng_at(SEED, RNG_TEST, 8, (uint64_t)i);
        ConvCase c[2] = {conv_case_new(&rng, i % 2, 1), conv_case_new(&rng, i / 2 % 2, 1)};
        const size_t first = conv_case_scratch(&c[0], k), second = conv_case_scratch(&c[1], k);
        Guarded scratch = guarded_new(first > second ? first : second, random_align(&rng, 1));
        for (int turn = 0; turn < 4; turn++)
            expect_sums(&c[turn % 2], k, &rng, &scratch);
        guarded_free(&scratch, "scratch");
        conv_case_free(&c[0]);
        conv_case_free(&c[1]);
    }
}
END_TEST

/* ---- convolutions to codes ------------------------------------------------------------------ */

static void check_codes(const ConvCase *c, const HoneRtKernels *k, Rng *rng, int number)
{
    const HoneRtConv *g = &c->g;
    Collected sums = conv_case_run(c, &hone_rt_kernels_ref, rng);
    const int y_ld = g->out_c + (rng_below(rng, 2) ? 0 : between(rng, 1, 9));
    const size_t bytes = (size_t)((sums.pixels - 1) * y_ld + g->out_c);
    Guarded words = guarded_input((size_t)g->out_c * 4, random_align(rng, 4));
    Guarded want = guarded_new(bytes, random_align(rng, 1));
    Guarded got = guarded_new(bytes, random_align(rng, 1));
    HoneRtRequantize rq = {.words = (const uint32_t *)(const void *)words.data,
                           .y_zp = between(rng, -128, 127),
                           .y_ld = y_ld};
    random_clamp(rng, &rq.lo, &rq.hi);
    collected_spread(rng, &sums, (uint32_t *)(void *)words.data);
    Guarded shifts = guarded_input((size_t)g->out_c * 4, random_align(rng, 4));
    if (number % 4 == 3) {
        uint32_t *m = (uint32_t *)(void *)words.data;
        int32_t *e = (int32_t *)(void *)shifts.data;
        for (int o = 0; o < g->out_c; o++) {
            random_d31(rng, true, &m[o], &e[o]);
            e[o] = -between(rng, 4, 20);
        }
        rq.shifts = e;
    }
    rq.kernels = &hone_rt_kernels_ref;
    rq.y = (int8_t *)want.data;
    conv_case_compute(c, rq.kernels, rng, hone_rt_requantize_epilogue, &rq);
    rq.kernels = k;
    rq.y = (int8_t *)got.data;
    conv_case_compute(c, k, rng, hone_rt_requantize_epilogue, &rq);
    for (size_t i = 0; i < bytes; i++) /* what lies between the rows is poison in both */
        if (want.data[i] != got.data[i])
            ck_abort_msg("case %d, %s: pixel %d channel %d of %d is %d, ref %d: %s", number,
                         k->name, (int)i / y_ld, (int)i % y_ld, y_ld, (int8_t)got.data[i],
                         (int8_t)want.data[i], conv_case_text(g));
    collected_free(&sums);
    guarded_free(&words, "words");
    guarded_free(&shifts, "shifts");
    guarded_free(&want, "want");
    guarded_free(&got, "got");
}

/* Kernels may treat the ready-made epilogue in a way of their own. */
static void check_all_codes(bool depthwise, const HoneRtKernels *k)
{
    for (int i = 0; k != NULL && i < int_kernels_rounds(CASES); i += EVERY) {
        Rng rng = rng_at(SEED, RNG_TEST, 5 + depthwise, (uint64_t)i);
        ConvCase c = conv_case_new(&rng, depthwise, 1);
        conv_case_tame(&rng, &c);
        check_codes(&c, k, &rng, i);
        conv_case_free(&c);
    }
}

START_TEST(conv_codes_equal_ref)
{
    check_all_codes(false, int_kernels(_i));
}
END_TEST

START_TEST(depthwise_codes_equal_ref)
{
    check_all_codes(true, int_kernels(_i));
}
END_TEST

START_TEST(levels_by_name)
{
    ck_assert_ptr_nonnull(hone_rt_kernels_for_host(NULL));
    ck_assert_ptr_eq(hone_rt_kernels_for_host("ref"), &hone_rt_kernels_ref);
    ck_assert_ptr_null(hone_rt_kernels_for_host("avx3"));
    ck_assert_ptr_null(hone_rt_kernels_for_host(""));
    for (int i = 0; i < LEVELS; i++) {
        const HoneRtKernels *k = hone_rt_kernels_for_host(levels[i]);
        ck_assert(k == NULL || strcmp(k->name, levels[i]) == 0);
    }
}
END_TEST

/* The kernels' cases. */
static const TTest **const kernel_cases[] = {&conv_equals_ref, &depthwise_equals_ref,
                                             &scratch_may_be_stale, &conv_codes_equal_ref,
                                             &depthwise_codes_equal_ref};
enum { KERNEL_CASES = sizeof kernel_cases / sizeof kernel_cases[0] };

static void run_cases(const void *table)
{
    int_kernels_walk(table);
    for (int i = 0; i < KERNEL_CASES; i++)
        (*kernel_cases[i])->fn(WALKED);
}

/* kerncheck_rescale.c and kerncheck_layers.c have the functions from requantize_s24 on. */
START_TEST(every_function_has_a_case)
{
    const HoneRtKernels *k = int_kernels(_i);
    if (k)
        walk_table(k, offsetof(HoneRtKernels, requantize_s24),
                   offsetof(HoneRtKernels, conv_pack_bytes), k->name, run_cases);
}
END_TEST

Suite *suite_kerncheck_int(void)
{
    Suite *s = suite_create("kerncheck_int");
    TCase *t = tcase_create("levels");
    for (int i = 0; i < KERNEL_CASES; i++)
        tcase_add_loop_test(t, *kernel_cases[i], 0, LEVELS);
    tcase_add_loop_test(t, every_function_has_a_case, 0, LEVELS);
    tcase_add_test(t, levels_by_name);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return s;
}
