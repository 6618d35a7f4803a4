/* Integer convolutions in groups: each group, at every CPU level, against the reference's plain convolution
 * of its channels. SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"
#include "runtime/kernels.h"
#include "tests/conv_case.h"
#include "tests/guarded.h"
#include "tests/int_kernels.h"
#include "tests/levels.h"
#include "tests/suites.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 20261120, CASES = 200 };

/* Channels [first, first + n) of each of `pixels` pixels of x. */
static Guarded slice_channels(const Guarded *x, int pixels, int channels, int first, int n)
{
    Guarded s = guarded_input((size_t)(pixels * n), 0);
    for (int p = 0; p < pixels; p++)
        memcpy(s.data + (size_t)(p * n), x->data + (size_t)(p * channels + first), (size_t)n);
    return s;
}

/* All channels of c in `groups` groups, by k. */
static Collected grouped_run(const ConvCase *c, int groups, const HoneRtKernels *k, Rng *rng)
{
    const HoneRtConv *g = &c->g;
    Collected out = collected_new(g);
    Guarded packed = guarded_new(hone_rt_group_pack_bytes(k, g, groups), random_align(rng, 1));
    Guarded scratch = guarded_new(hone_rt_group_scratch_bytes(k, g, groups), random_align(rng, 1));
    const int32_t *bias = c->has_bias ? (const int32_t *)(const void *)c->bias.data : NULL;
    const int half = groups / 2; /* shares, in any order */
    hone_rt_group_pack(k, g, groups, (const int8_t *)c->w.data, bias, c->x_zp, half, groups,
                       packed.data);
    hone_rt_group_pack(k, g, groups, (const int8_t *)c->w.data, bias, c->x_zp, 0, half,
                       packed.data);
    for (int part = 0; part < 2; part++)
        hone_rt_group_conv(k, g, groups, (const int8_t *)c->x.data, packed.data,
                           part ? c->split : 0, part ? g->out_h : c->split, scratch.data,
                           collected_add, &out);
    guarded_free(&packed, "packed");
    guarded_free(&scratch, "scratch");
    return out;
}

/* Each group against the reference's plain convolution of a copy of its channels. */
static void check_groups(const ConvCase *c, int groups, const Collected *got, Rng *rng,
                         const char *level)
{
    ConvCase one = *c;
    one.g.in_c /= groups;
    one.g.out_c /= groups;
    const size_t filter = (size_t)(one.g.kernel_h * one.g.kernel_w * one.g.in_c);
    for (int i = 0; i < groups; i++) {
        const int first = i * one.g.out_c;
        one.x = slice_channels(&c->x, c->g.in_h * c->g.in_w, c->g.in_c, i * one.g.in_c, one.g.in_c);
        one.w.data = c->w.data + (size_t)first * filter;
        one.bias.data = c->bias.data + (size_t)first * sizeof(int32_t);
        Collected want = conv_case_run(&one, &hone_rt_kernels_ref, rng);
        for (int j = 0; j < want.pixels * want.channels; j++) {
            const int at = j / want.channels * c->g.out_c + first + j % want.channels;
            if (want.acc[j] != got->acc[at] || got->times[at] != 1)
                ck_abort_msg("%s, %d groups: pixel %d channel %d is %d (%d times), ref %d: %s",
                             level, groups, at / c->g.out_c, at % c->g.out_c, got->acc[at],
                             got->times[at], want.acc[j], conv_case_text(&c->g));
        }
        collected_free(&want);
        guarded_free(&one.x, "x");
    }
}

START_TEST(groups_equal_ref)
{
    const HoneRtKernels *k = int_kernels(_i);
    for (int i = 0; k != NULL && i < int_kernels_rounds(CASES); i++) {
        Rng rng = rng_at(SEED, RNG_TEST, 8, (uint64_t)i);
        const int groups = between(&rng, 1, 6);
        ConvCase c = conv_case_new(&rng, false, groups);
        Collected got = grouped_run(&c, groups, k, &rng);
        check_groups(&c, groups, &got, &rng, k->name);
        collected_free(&got);
        conv_case_free(&c);
    }
}
END_TEST

/* The ready-made epilogue sees the right words and codes of each group. */
START_TEST(group_codes_equal_sums)
{
    const HoneRtKernels *k = int_kernels(_i);
    for (int i = 0; k != NULL && i < int_kernels_rounds(CASES); i++) {
        Rng rng = rng_at(SEED, RNG_TEST, 9, (uint64_t)i);
        const int groups = between(&rng, 2, 6);
        ConvCase c = conv_case_new(&rng, false, groups);
        conv_case_tame(&rng, &c);
        Collected sums = grouped_run(&c, groups, &hone_rt_kernels_ref, &rng);
        const size_t count = (size_t)(sums.pixels * sums.channels);
        Guarded y = guarded_new(count, random_align(&rng, 1));
        uint32_t *words = calloc((size_t)c.g.out_c, sizeof *words);
        void *packed = malloc(hone_rt_group_pack_bytes(k, &c.g, groups));
        void *scratch = malloc(hone_rt_group_scratch_bytes(k, &c.g, groups));
        ck_assert(words && packed && scratch);
        collected_spread(&rng, &sums, words);
        HoneRtRequantize q = {.kernels = k,
                              .words = words,
                              .y_zp = 3,
                              .lo = -100,
                              .hi = 127,
                              .y = (int8_t *)y.data,
                              .y_ld = c.g.out_c};
        hone_rt_group_pack(k, &c.g, groups, (const int8_t *)c.w.data,
                           c.has_bias ? (const int32_t *)(const void *)c.bias.data : NULL, c.x_zp,
                           0, groups, packed);
        hone_rt_group_conv(k, &c.g, groups, (const int8_t *)c.x.data, packed, 0, c.g.out_h, scratch,
                           hone_rt_requantize_epilogue, &q);
        for (size_t j = 0; j < count; j++)
            if ((int8_t)y.data[j] !=
                hone_rt_s24_code(sums.acc[j], words[j % (size_t)c.g.out_c], 3, -100, 127))
                ck_abort_msg("%s, %d groups: code %zu: %s", k->name, groups, j,
                             conv_case_text(&c.g));
        free(scratch);
        free(packed);
        free(words);
        guarded_free(&y, "y");
        collected_free(&sums);
        conv_case_free(&c);
    }
}
END_TEST

Suite *suite_kerncheck_groups(void)
{
    Suite *s = suite_create("kerncheck_groups");
    TCase *t = tcase_create("levels");
    tcase_add_loop_test(t, groups_equal_ref, 0, LEVELS);
    tcase_add_loop_test(t, group_codes_equal_sums, 0, LEVELS);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return s;
}
