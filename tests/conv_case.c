/* See conv_case.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/conv_case.h"

#include "tests/int_kernels.h"

#include <check.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

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

const char *conv_case_text(const HoneRtConv *g)
{
    static char text[200];
    snprintf(text, sizeof text,
             "in %dx%dx%d out %dx%dx%d kernel %dx%d stride %dx%d dilation %dx%d pad %d,%d", g->in_h,
             g->in_w, g->in_c, g->out_h, g->out_w, g->out_c, g->kernel_h, g->kernel_w, g->stride_h,
             g->stride_w, g->dilation_h, g->dilation_w, g->pad_top, g->pad_left);
    return text;
}

void collected_add(void *context, const int32_t *acc, int ld, int pixel, int rows, int channel,
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

Collected collected_new(const HoneRtConv *g)
{
    Collected c = {.pixels = g->out_h * g->out_w, .channels = g->out_c};
    const size_t n = (size_t)c.pixels * (size_t)c.channels;
    c.acc = calloc(n, sizeof *c.acc);
    c.times = calloc(n, sizeof *c.times);
    ck_assert(c.acc != NULL && c.times != NULL);
    return c;
}

void collected_free(Collected *c)
{
    free(c->acc);
    free(c->times);
}

ConvCase conv_case_new(Rng *rng, bool depthwise, int groups)
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

void conv_case_free(ConvCase *c)
{
    guarded_free(&c->x, "x");
    guarded_free(&c->w, "w");
    guarded_free(&c->bias, "bias");
}

size_t conv_case_scratch(const ConvCase *c, const HoneRtKernels *k)
{
    return (c->depthwise ? k->depthwise_scratch_bytes : k->conv_scratch_bytes)(&c->g);
}

void conv_case_compute_in(const ConvCase *c, const HoneRtKernels *k, Rng *rng, void *scratch,
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

void conv_case_compute(const ConvCase *c, const HoneRtKernels *k, Rng *rng, HoneRtEpilogue epilogue,
                       void *context)
{
    Guarded scratch = guarded_new(conv_case_scratch(c, k), random_align(rng, 1));
    conv_case_compute_in(c, k, rng, scratch.data, epilogue, context);
    guarded_free(&scratch, "scratch");
}

Collected conv_case_run(const ConvCase *c, const HoneRtKernels *k, Rng *rng)
{
    const HoneRtConv *g = &c->g;
    Collected out = collected_new(g);
    conv_case_compute(c, k, rng, collected_add, &out);
    for (int i = 0; i < out.pixels * out.channels; i++)
        if (out.times[i] != 1)
            ck_abort_msg("%s: pixel %d channel %d delivered %d times: %s", k->name,
                         i / out.channels, i % out.channels, out.times[i], conv_case_text(g));
    return out;
}

void conv_case_tame(Rng *rng, ConvCase *c)
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

void collected_spread(Rng *rng, const Collected *sums, uint32_t *words)
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
