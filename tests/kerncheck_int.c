/* Kernels of integer convolutions: every CPU level against the reference, bit for bit, on random shapes.
 *
 * Every buffer lies at a random alignment between poisoned margins that must survive the call; in
 * half of the cases all values are extremes, so that a saturating instruction cannot hide. The
 * reference itself is held against the big-integer oracle in test_fixed.c.
 * SPDX-License-Identifier: Apache-2.0 */
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 20261120, CASES = 200 };

/* ---- convolutions --------------------------------------------------------------------------- */

/* One axis: kernel, stride, dilation, pad, input size; returns the output size, or 0: no window. */
static int random_axis(Rng *rng, int most, int *in, int *kernel, int *stride, int *dilation,
                       int *pad)
{
    *in = between(rng, 1, most);
    *kernel = rng_below(rng, 3) == 0 ? 1 : between(rng, 1, 5);
    *stride = between(rng, 1, 3);
    *dilation = rng_below(rng, 3) == 0 ? between(rng, 2, 3) : 1;
    const int span = (*kernel - 1) * *dilation + 1;
    *pad = between(rng, 0, span - 1);
    const int after = between(rng, 0, span - 1);
    const int room = *in + *pad + after - span;
    return room < 0 ? 0 : room / *stride + 1;
}

static HoneRtConv random_geometry(Rng *rng, bool depthwise)
{
    HoneRtConv g = {0};
    do {
        g.out_h =
            random_axis(rng, 14, &g.in_h, &g.kernel_h, &g.stride_h, &g.dilation_h, &g.pad_top);
        g.out_w =
            random_axis(rng, 20, &g.in_w, &g.kernel_w, &g.stride_w, &g.dilation_w, &g.pad_left);
    } while (g.out_h == 0 || g.out_w == 0);
    if (rng_below(rng, 8) == 0) { /* long rows of three taps */
        g.in_w = g.out_w = between(rng, 16, 40);
        g.kernel_w = 3;
        g.stride_w = g.dilation_w = g.pad_left = 1;
    }
    g.in_c = random_channels(rng);
    g.out_c = depthwise ? g.in_c * (rng_below(rng, 6) == 0 ? between(rng, 2, 3) : 1)
                        : random_channels(rng);
    if (!depthwise && rng_below(rng, 3) == 0) { /* pointwise or dense, over a batch */
        g.kernel_h = g.kernel_w = g.dilation_h = g.dilation_w = 1;
        g.pad_top = g.pad_left = 0;
        g.stride_h = g.stride_w = 1;
        if (rng_below(rng, 2)) {
            g.in_h = between(rng, 1, 700);
            g.in_w = 1;
        }
        g.out_h = g.in_h;
        g.out_w = g.in_w;
    }
    return g;
}

static const char *describe(const HoneRtConv *g)
{
    static char text[200];
    snprintf(text, sizeof text,
             "in %dx%dx%d out %dx%dx%d kernel %dx%d stride %dx%d dilation %dx%d pad %d,%d", g->in_h,
             g->in_w, g->in_c, g->out_h, g->out_w, g->out_c, g->kernel_h, g->kernel_w, g->stride_h,
             g->stride_w, g->dilation_h, g->dilation_w, g->pad_top, g->pad_left);
    return text;
}

/* Collects the sums and how often each was delivered. */
typedef struct Collected {
    int32_t *acc;
    int *times;
    int pixels, channels;
} Collected;

static void collect(void *context, const int32_t *acc, int ld, int pixel, int rows, int channel,
                    int cols)
{
    Collected *to = context;
    if (pixel < 0 || rows < 1 || pixel + rows > to->pixels || channel < 0 || cols < 1 ||
        channel + cols > to->channels || cols > ld)
        ck_abort_msg("tile %d+%d x %d+%d of %d x %d", pixel, rows, channel, cols, to->pixels,
                     to->channels);
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < cols; c++) {
            const int at = (pixel + r) * to->channels + channel + c;
            to->acc[at] = acc[(ptrdiff_t)r * ld + c];
            to->times[at]++;
        }
}

static Collected collected_new(const HoneRtConv *g)
{
    Collected c = {.pixels = g->out_h * g->out_w, .channels = g->out_c};
    const size_t n = (size_t)c.pixels * (size_t)c.channels;
    c.acc = calloc(n, sizeof *c.acc);
    c.times = calloc(n, sizeof *c.times);
    ck_assert(c.acc != NULL && c.times != NULL);
    return c;
}

static void collected_free(Collected *c)
{
    free(c->acc);
    free(c->times);
}

typedef struct ConvCase {
    HoneRtConv g;
    bool depthwise, has_bias;
    int32_t x_zp;
    int split; /* rows [0, split) and [split, out_h) are computed by two calls */
    Guarded x, w, bias;
} ConvCase;

/* In groups, the channels are rounded up to multiples; 1: none. */
static ConvCase conv_case_new(Rng *rng, bool depthwise, int groups)
{
    ConvCase c = {.g = random_geometry(rng, depthwise), .depthwise = depthwise};
    const HoneRtConv *g = &c.g;
    c.g.in_c = (g->in_c + groups - 1) / groups * groups;
    c.g.out_c = (g->out_c + groups - 1) / groups * groups;
    const bool extremes = rng_below(rng, 2);
    const size_t per_channel =
        (size_t)(g->kernel_h * g->kernel_w * (depthwise ? 1 : g->in_c / groups));
    c.x_zp = extremes ? (rng_below(rng, 2) ? -128 : 127) : between(rng, -128, 127);
    c.has_bias = rng_below(rng, 4) != 0;
    c.split = between(rng, 0, g->out_h);
    c.x = guarded_input((size_t)(g->in_h * g->in_w * g->in_c), random_align(rng, 1));
    c.w = guarded_input(per_channel * (size_t)g->out_c, random_align(rng, 1));
    c.bias = guarded_input((size_t)g->out_c * sizeof(int32_t), random_align(rng, sizeof(int32_t)));
    fill_codes(rng, &c.x, -128, extremes);
    fill_codes(rng, &c.w, -127, extremes);
    int32_t *bias = (int32_t *)(void *)c.bias.data;
    const int64_t room = INT32_MAX - (int64_t)per_channel * 255 * 127;
    for (int o = 0; o < g->out_c; o++)
        bias[o] = (int32_t)((rng_below(rng, 2) ? room : -room) * rng_below(rng, 1001) / 1000);
    return c;
}

static void conv_case_free(ConvCase *c)
{
    guarded_free(&c->x, "x");
    guarded_free(&c->w, "w");
    guarded_free(&c->bias, "bias");
}

static size_t scratch_bytes(const ConvCase *c, const HoneRtKernels *k)
{
    return (c->depthwise ? k->depthwise_scratch_bytes : k->conv_scratch_bytes)(&c->g);
}

/* Packs, then computes all rows in two calls. */
static void conv_case_compute_in(const ConvCase *c, const HoneRtKernels *k, Rng *rng, void *scratch,
                                 HoneRtEpilogue epilogue, void *context)
{
    const HoneRtConv *g = &c->g;
    const bool dw = c->depthwise;
    Guarded packed =
        guarded_new(dw ? k->depthwise_pack_bytes(g) : k->conv_pack_bytes(g), random_align(rng, 1));
    const int32_t *bias = c->has_bias ? (const int32_t *)(const void *)c->bias.data : NULL;
    const int8_t *w = (const int8_t *)c->w.data;
    if (dw || g->out_c % 2)
        (dw ? k->depthwise_pack : k->conv_pack)(g, w, bias, c->x_zp, packed.data);
    for (int end = g->out_c; !dw && g->out_c % 2 == 0 && end > 0;) { /* shares, in any order */
        const int begin = (end - 1) / HONE_RT_PACK_CHANNELS * HONE_RT_PACK_CHANNELS;
        k->conv_pack_part(g, w, bias, c->x_zp, begin, end, packed.data);
        end = begin;
    }
    for (int part = 0; part < 2; part++)
        (dw ? k->depthwise : k->conv)(g, (const int8_t *)c->x.data, packed.data,
                                      part ? c->split : 0, part ? g->out_h : c->split, scratch,
                                      epilogue, context);
    guarded_free(&packed, "packed");
}

static void conv_case_compute(const ConvCase *c, const HoneRtKernels *k, Rng *rng,
                              HoneRtEpilogue epilogue, void *context)
{
    Guarded scratch = guarded_new(scratch_bytes(c, k), random_align(rng, 1));
    conv_case_compute_in(c, k, rng, scratch.data, epilogue, context);
    guarded_free(&scratch, "scratch");
}

static Collected conv_case_run(const ConvCase *c, const HoneRtKernels *k, Rng *rng)
{
    const HoneRtConv *g = &c->g;
    Collected out = collected_new(g);
    conv_case_compute(c, k, rng, collect, &out);
    for (int i = 0; i < out.pixels * out.channels; i++)
        if (out.times[i] != 1)
            ck_abort_msg("%s: pixel %d channel %d delivered %d times: %s", k->name,
                         i / out.channels, i % out.channels, out.times[i], describe(g));
    return out;
}

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
                             c.x_zp, describe(&c.g));
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
    conv_case_compute_in(c, k, rng, scratch->data, collect, &got);
    ck_assert_msg(
        memcmp(want.acc, got.acc, (size_t)(want.pixels * want.channels) * sizeof *want.acc) == 0,
        "%s, after another shape: %s", k->name, describe(&c->g));
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
        const size_t first = scratch_bytes(&c[0], k), second = scratch_bytes(&c[1], k);
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

/* Biases as networks have them, so that sums are small; now and then one that is not. */
static void tame_biases(Rng *rng, ConvCase *c)
{
    int32_t *bias = (int32_t *)(void *)c->bias.data;
    const int bits = between(rng, 0, 26);
    for (int o = 0; o < c->g.out_c; o++)
        if (rng_below(rng, 64) != 0)
            bias[o] = between(rng, -(1 << bits), 1 << bits);
}

/* A word that takes `acc` to just below or just above the middle of two codes, where an arithmetic of
 * less than 55 bits goes wrong. */
static uint32_t nearly_tied_word(Rng *rng, int32_t acc)
{
    const uint64_t a = (uint64_t)llabs((long long)acc) + (acc == 0);
    const uint64_t twice_middle = 2 * (uint64_t)between(rng, 0, 120) + 1;
    int k = 1;
    while ((twice_middle << (k - 1)) / a < 1u << 23)
        k++;
    const uint32_t m = (uint32_t)((twice_middle << (k - 1)) / a);
    return hone_rt_s24_pack(m < 0xffffff ? m + rng_below(rng, 2) : m, k);
}

/* Words that spread the sums over the codes and beyond. */
static void spread_words(Rng *rng, const Collected *sums, uint32_t *words)
{
    for (int o = 0; o < sums->channels; o++) {
        const int pixel = between(rng, 0, sums->pixels - 1);
        const uint32_t power = hone_rt_s24_pack(1u << 23, between(rng, 24, 40)); /* makes ties */
        switch (rng_below(rng, 24)) {
        case 0:
            words[o] = random_word(rng, rng_below(rng, 2));
            break;
        case 1:
        case 2:
        case 3:
            words[o] = power;
            break;
        default:
            words[o] = nearly_tied_word(rng, sums->acc[pixel * sums->channels + o]);
            break;
        }
    }
}

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
    spread_words(rng, &sums, (uint32_t *)(void *)words.data);
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
                         (int8_t)want.data[i], describe(g));
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
        tame_biases(&rng, &c);
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

/* ---- convolutions in groups ------------------------------------------------------------------ */

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
                           part ? c->split : 0, part ? g->out_h : c->split, scratch.data, collect,
                           &out);
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
                             got->times[at], want.acc[j], describe(&c->g));
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
        tame_biases(&rng, &c);
        Collected sums = grouped_run(&c, groups, &hone_rt_kernels_ref, &rng);
        const size_t count = (size_t)(sums.pixels * sums.channels);
        Guarded y = guarded_new(count, random_align(&rng, 1));
        uint32_t *words = calloc((size_t)c.g.out_c, sizeof *words);
        void *packed = malloc(hone_rt_group_pack_bytes(k, &c.g, groups));
        void *scratch = malloc(hone_rt_group_scratch_bytes(k, &c.g, groups));
        ck_assert(words && packed && scratch);
        spread_words(&rng, &sums, words);
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
                ck_abort_msg("%s, %d groups: code %zu: %s", k->name, groups, j, describe(&c.g));
        free(scratch);
        free(packed);
        free(words);
        guarded_free(&y, "y");
        collected_free(&sums);
        conv_case_free(&c);
    }
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
static const TTest **const kernel_cases[] = {&conv_equals_ref,           &depthwise_equals_ref,
                                             &scratch_may_be_stale,      &conv_codes_equal_ref,
                                             &depthwise_codes_equal_ref, &groups_equal_ref,
                                             &group_codes_equal_sums};
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
