/* Weights of depthwise convolutions, packed for kernels_dw_avx512.c: the taps of a quad side by side in
 * the order of the sums, and the bias with the zero point's share in it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels_dw_avx512.h"

#if defined(__x86_64__)

#include <string.h>

#include "kernels_tile.h"

size_t hone_rt_avx512_dw_pack_bytes(const HoneRtConv *g)
{
    if (has_multiplier(g))
        return hone_rt_kernels_ref.depthwise_pack_bytes(g);
    return header_bytes(g) + (size_t)block_count(g) * block_bytes(g);
}

/* The dword of a position, among the 64 of four vectors. */
static size_t dword_of(int position)
{
    const int lane = position / 16, vector = position % 16 / 4;
    return (size_t)vector * 16 + (size_t)lane * 4 + (size_t)position % 4;
}

/* One channel, w at its first tap, to all its positions; returns whether its sums are small. */
static int pack_channel(const HoneRtConv *g, const Block *b, const int8_t *w, int32_t bias,
                        int32_t x_zero_point, int channel, uint8_t *block)
{
    const int taps = g->kernel_h * g->kernel_w, quads = quad_count(g);
    int32_t sum = 0, magnitudes = 0;
    for (int tap = 0; tap < taps; tap++) {
        const int8_t v = w[(ptrdiff_t)tap * g->out_c];
        const int ky = tap / g->kernel_w, kx = tap % g->kernel_w;
        uint8_t *quad = block + BIAS_BYTES + (ky * quads + kx / QUAD) * QUAD_BYTES + kx % QUAD;
        for (int p = channel; p < POSITIONS; p += b->width)
            quad[QUAD * dword_of(p)] = (uint8_t)v;
        sum += v;
        magnitudes += v < 0 ? -v : v;
    }
    const uint32_t packed = (uint32_t)bias - (uint32_t)(128 + x_zero_point) * (uint32_t)sum;
    for (int p = channel; p < POSITIONS; p += b->width)
        memcpy(block + sizeof packed * dword_of(p), &packed, sizeof packed);
    return hone_rt_tile_is_small(sum, magnitudes, bias, x_zero_point);
}

void hone_rt_avx512_dw_pack(const HoneRtConv *g, const int8_t *w, const int32_t *bias,
                            int32_t x_zero_point, void *packed)
{
    if (has_multiplier(g)) {
        hone_rt_kernels_ref.depthwise_pack(g, w, bias, x_zero_point, packed);
        return;
    }
    uint8_t *out = packed, *all_small = out + sizeof x_zero_point;
    memset(out, 0, hone_rt_avx512_dw_pack_bytes(g));
    memcpy(out, &x_zero_point, sizeof x_zero_point);
    for (int i = 0; i < block_count(g); i++) {
        const Block b = plan_block(g, i);
        uint8_t *block = out + header_bytes(g) + (size_t)i * block_bytes(g);
        all_small[i] = 1;
        for (int c = 0; c < b.channels; c++) {
            const int channel = b.channel + c;
            all_small[i] &= (uint8_t)pack_channel(g, &b, w + channel, bias ? bias[channel] : 0,
                                                  x_zero_point, c, block);
        }
    }
}

#endif
