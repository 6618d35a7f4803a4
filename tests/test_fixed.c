/* Tests of runtime/fixed.h, and of every kernel table, against the big-integer oracle
 * (tests/oracle/integer_ops.py), which shares no line with them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runtime/fixed.h"
#include "runtime/kernels.h"
#include "tests/levels.h"
#include "tests/oracle/fixtures.h"
#include "tests/suites.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* ---- requantization ------------------------------------------------------------------------- */

START_TEST(words_equal_oracle)
{
    for (int i = 0; i < COUNT(requantize_fixtures); i++) {
        const RequantizeFixture *f = &requantize_fixtures[i];
        uint32_t word = 0;
        ck_assert_int_eq(hone_rt_s24_word_from_float_bits(f->bits, &word), 0);
        ck_assert_uint_eq(word, f->word);
        ck_assert(hone_rt_s24_valid(word));
    }
}
END_TEST

START_TEST(codes_equal_oracle)
{
    for (int i = 0; i < COUNT(requantize_fixtures); i++) {
        const RequantizeFixture *f = &requantize_fixtures[i];
        ck_assert_int_eq(hone_rt_s24_code(f->acc, f->word, f->zero_point, f->lo, f->hi), f->y);
    }
}
END_TEST

/* Also vectors full of one fixture, so that every lane meets it. */
START_TEST(requantize_kernels_equal_oracle)
{
    enum { WIDTH = 37 };
    const HoneRtKernels *k = hone_rt_kernels_for_host(levels[_i]);
    for (int i = 0; k != NULL && i < COUNT(requantize_fixtures); i++) {
        const RequantizeFixture *f = &requantize_fixtures[i];
        int32_t acc[WIDTH];
        uint32_t words[WIDTH];
        int8_t y[WIDTH];
        for (int j = 0; j < WIDTH; j++) {
            acc[j] = f->acc;
            words[j] = f->word;
        }
        k->requantize_s24(acc, WIDTH, 1, WIDTH, words, f->zero_point, f->lo, f->hi, y, WIDTH);
        for (int j = 0; j < WIDTH; j++)
            if (y[j] != f->y)
                ck_abort_msg("fixture %d, lane %d: %d, oracle %d", i, j, y[j], f->y);
    }
}
END_TEST

START_TEST(multiplier_limits)
{
    uint32_t m = 1;
    int k = 99;
    ck_assert_int_eq(hone_rt_s24_from_float_bits(0x4affffffu, &m, &k), 0); /* below 2^23 */
    ck_assert_uint_eq(m, 0xffffffu);
    ck_assert_int_eq(k, 1);
    ck_assert_int_eq(hone_rt_s24_from_float_bits(0x2c000000u, &m, &k), 0); /* 2^-39 */
    ck_assert_uint_eq(m, 0x800000u);
    ck_assert_int_eq(k, 62);
    ck_assert_int_eq(hone_rt_s24_from_float_bits(0x2bffffffu, &m, &k), 0);
    ck_assert_uint_eq(m, 0);
    ck_assert_int_eq(k, 1);
    /* 2^23, infinity, NaN, negative zero, -1: refused, outputs untouched */
    static const uint32_t bad[] = {0x4b000000u, 0x7f800000u, 0x7fc00000u, 0x80000000u, 0xbf800000u};
    for (int i = 0; i < COUNT(bad); i++) {
        k = 99;
        ck_assert_int_eq(hone_rt_s24_from_float_bits(bad[i], &m, &k), -1);
        ck_assert_int_eq(k, 99);
    }
}
END_TEST

START_TEST(shift_is_floor)
{
    ck_assert_int_eq(hone_rt_shift_right(-1, 1), -1);
    ck_assert_int_eq(hone_rt_shift_right(-4, 1), -2);
    ck_assert_int_eq(hone_rt_shift_right(-5, 1), -3);
    ck_assert_int_eq(hone_rt_shift_right(5, 1), 2);
    ck_assert_int_eq(hone_rt_shift_right(INT64_MIN, 62), -2);
    ck_assert_int_eq(hone_rt_s24(INT32_MIN, 0xffffff, 1), -18014397435740160);
    ck_assert_int_eq(hone_rt_s24(-1, 0x800000, 24), 0); /* -1/2 rounds up */
    ck_assert_int_eq(hone_rt_s24(1, 0x800000, 24), 1);
}
END_TEST

/* ---- add, mean ------------------------------------------------------------------------------ */

static HoneRtAdd add_of(const AddFixture *f)
{
    return (HoneRtAdd){f->m1, f->m2, f->k, f->a_zp, f->b_zp, f->y_zp, f->lo, f->hi};
}

START_TEST(add_multipliers_equal_oracle)
{
    for (int i = 0; i < COUNT(add_fixtures); i++) {
        const AddFixture *f = &add_fixtures[i];
        HoneRtAdd add = add_of(f);
        ck_assert(hone_rt_add_valid(&add));
        add.m1 = add.m2 = add.k = -1;
        ck_assert_int_eq(hone_rt_add_from_float_bits(f->r1, f->r2, &add), 0);
        ck_assert_msg(add.m1 == f->m1 && add.m2 == f->m2 && add.k == f->k,
                      "fixture %d: %d %d %d, oracle %d %d %d", i, add.m1, add.m2, add.k, f->m1,
                      f->m2, f->k);
    }
    HoneRtAdd add = {.k = 77};
    ck_assert_int_eq(hone_rt_add_from_float_bits(0x49800000u, 0, &add), -1); /* 2^20 */
    ck_assert_int_eq(hone_rt_add_from_float_bits(0, 0x497fffffu, &add), -1); /* rounds to 2^20 */
    ck_assert_int_eq(hone_rt_add_from_float_bits(0x80000000u, 0, &add), -1);
    ck_assert_int_eq(hone_rt_add_from_float_bits(0x3f800000u, 0x7fc00000u, &add), -1);
    ck_assert_int_eq(add.k, 77);
}
END_TEST

START_TEST(add_kernels_equal_oracle)
{
    enum { WIDTH = 37 };
    const HoneRtKernels *k = hone_rt_kernels_for_host(levels[_i]);
    for (int i = 0; k != NULL && i < COUNT(add_fixtures); i++) {
        const AddFixture *f = &add_fixtures[i];
        const HoneRtAdd add = add_of(f);
        int8_t a[WIDTH], b[WIDTH], y[WIDTH];
        memset(a, f->a, WIDTH);
        memset(b, f->b, WIDTH);
        k->add_s24(&add, a, b, WIDTH, y);
        for (int j = 0; j < WIDTH; j++)
            if (y[j] != f->y || hone_rt_add_code(&add, a[0], b[0]) != f->y)
                ck_abort_msg("fixture %d, lane %d: %d, oracle %d", i, j, y[j], f->y);
    }
}
END_TEST

START_TEST(mean_kernels_equal_oracle)
{
    const HoneRtKernels *k = hone_rt_kernels_for_host(levels[_i]);
    int32_t sums[mean_channels];
    uint32_t word = 0;
    if (k == NULL)
        return;
    k->mean_sum(mean_x, mean_pixels, mean_channels, sums);
    ck_assert_mem_eq(sums, mean_sums, sizeof sums);
    ck_assert_int_eq(hone_rt_s24_word_from_float_bits(mean_r, &word), 0);
    for (int c = 0; c < mean_channels; c++)
        ck_assert_int_eq(
            hone_rt_mean_code(sums[c], mean_pixels, mean_x_zp, word, mean_y_zp, -128, 127),
            mean_y[c]);
}
END_TEST

/* ---- convolutions --------------------------------------------------------------------------- */

static void copy_tile(void *context, const int32_t *acc, int ld, int pixel, int rows, int channel,
                      int cols)
{
    const ConvFixture *f = *(ConvFixture *const *)context;
    int32_t *to = ((int32_t *const *)context)[1];
    for (int r = 0; r < rows; r++)
        memcpy(to + (ptrdiff_t)(pixel + r) * f->g.out_c + channel, acc + (ptrdiff_t)r * ld,
               (size_t)cols * sizeof *acc);
}

static void check_conv_fixture(const HoneRtKernels *k, const ConvFixture *f)
{
    const HoneRtConv *g = &f->g;
    const size_t n = (size_t)(g->out_h * g->out_w * g->out_c);
    void *packed = malloc(f->depthwise ? k->depthwise_pack_bytes(g) : k->conv_pack_bytes(g));
    void *scratch = malloc(f->depthwise ? k->depthwise_scratch_bytes(g) : k->conv_scratch_bytes(g));
    int32_t *acc = malloc(n * sizeof *acc);
    int8_t *y = malloc(n);
    uint32_t *words = malloc((size_t)g->out_c * sizeof *words);
    ck_assert(packed != NULL && scratch != NULL && acc != NULL && y != NULL && words != NULL);
    for (int o = 0; o < g->out_c; o++)
        ck_assert_int_eq(hone_rt_s24_word_from_float_bits(f->r[o], &words[o]), 0);
    const void *to[2] = {f, acc};
    HoneRtRequantize rq = {k, words, f->y_zp, -128, 127, y, g->out_c, NULL};
    (f->depthwise ? k->depthwise_pack : k->conv_pack)(g, f->w, f->bias, f->x_zp, packed);
    (f->depthwise ? k->depthwise : k->conv)(g, f->x, packed, 0, g->out_h, scratch, copy_tile, to);
    (f->depthwise ? k->depthwise : k->conv)(g, f->x, packed, 0, g->out_h, scratch,
                                            hone_rt_requantize_epilogue, &rq);
    ck_assert_msg(memcmp(acc, f->acc, n * sizeof *acc) == 0, "%s: sums differ", f->name);
    ck_assert_msg(memcmp(y, f->y, n) == 0, "%s: codes differ", f->name);
    free(packed);
    free(scratch);
    free(acc);
    free(y);
    free(words);
}

START_TEST(conv_kernels_equal_oracle)
{
    const HoneRtKernels *k = hone_rt_kernels_for_host(levels[_i]);
    for (int i = 0; k != NULL && i < COUNT(conv_fixtures); i++)
        check_conv_fixture(k, &conv_fixtures[i]);
}
END_TEST

Suite *suite_fixed(void)
{
    Suite *s = suite_create("fixed");
    TCase *t = tcase_create("oracle");
    tcase_add_test(t, words_equal_oracle);
    tcase_add_test(t, codes_equal_oracle);
    tcase_add_loop_test(t, requantize_kernels_equal_oracle, 0, LEVELS);
    tcase_add_test(t, multiplier_limits);
    tcase_add_test(t, shift_is_floor);
    tcase_add_test(t, add_multipliers_equal_oracle);
    tcase_add_loop_test(t, add_kernels_equal_oracle, 0, LEVELS);
    tcase_add_loop_test(t, mean_kernels_equal_oracle, 0, LEVELS);
    tcase_add_loop_test(t, conv_kernels_equal_oracle, 0, LEVELS);
    suite_add_tcase(s, t);
    return s;
}
