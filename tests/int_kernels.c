/* See int_kernels.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/int_kernels.h"

#include "tests/effort.h"
#include "tests/guarded.h"

#include <stddef.h>

static const HoneRtKernels *walked;

const HoneRtKernels *int_kernels(int level)
{
    return level == WALKED ? walked : hone_rt_kernels_for_host(levels[level]);
}

void int_kernels_walk(const void *table)
{
    walked = table;
}

int int_kernels_rounds(int n)
{
    return walked ? 8 * EVERY : n;
}

int random_channels(Rng *rng)
{
    static const int usual[] = {1, 3, 8, 16, 24, 32, 48, 64, 96};
    return rng_below(rng, 2) ? usual[rng_below(rng, 9)] : between(rng, 1, 70);
}

uint32_t random_word(Rng *rng, bool fractions)
{
    if (rng_below(rng, 8) == 0)
        return hone_rt_s24_pack(0, 1);
    const int k = fractions ? between(rng, 24, 62) : between(rng, 1, 62);
    const uint32_t m = rng_below(rng, 4) ? rng_below(rng, 1u << 23) | 1u << 23
                                         : (rng_below(rng, 2) ? 0xffffffu : 0x800000u);
    return hone_rt_s24_pack(m, k);
}

void random_clamp(Rng *rng, int32_t *lo, int32_t *hi)
{
    *lo = rng_below(rng, 2) ? -128 : between(rng, -128, 127);
    *hi = rng_below(rng, 2) ? 127 : between(rng, *lo, 127);
}

void random_d31(Rng *rng, bool fraction, uint32_t *m, int32_t *e)
{
    static const uint32_t edges[] = {0, 1, 0x3fffffff, 0x40000000, 0x40000001, 0x7fffffff};
    *m = rng_below(rng, 3) ? 0x40000000u | rng_below(rng, 0x40000000u) : edges[rng_below(rng, 6)];
    *e = between(rng, -31, fraction ? 0 : 30);
    if (rng_below(rng, 4) == 0)
        *e = fraction ? -31 * (int32_t)rng_below(rng, 2) : 30;
}
