/* Mixing two samples: see augment.h. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/rng.h"
#include "datasets/augment.h"

/* Gamma(shape, 1): G. Marsaglia, W. W. Tsang, "A simple method for generating gamma variables", ACM
 * TOMS 26 (2000), for shape >= 1; below that of shape + 1, times a power of a uniform number. */
static double draw_gamma(Rng *rng, double shape)
{
    if (shape < 1) {
        double u = ((double)rng_u32(rng) + 0.5) * 0x1p-32;
        return draw_gamma(rng, shape + 1) * pow(u, 1 / shape);
    }
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = rng_normal(rng), v = 1 + c * x;
        double u = ((double)rng_u32(rng) + 0.5) * 0x1p-32;
        v = v * v * v;
        if (v > 0 && log(u) < 0.5 * x * x + d - d * v + d * log(v))
            return d * v;
    }
}

AugmentMix augment_mix(const AugmentOptions *options, uint64_t seed, int64_t epoch, int64_t index,
                       int64_t samples)
{
    AugmentMix mix = {0};
    if (!(options->mixup > 0))
        return mix;
    Rng rng = rng_at(seed, RNG_MIXUP, (uint64_t)epoch, (uint64_t)index);
    mix.partner = (int64_t)rng_below(&rng, (uint32_t)samples);
    double x = draw_gamma(&rng, options->mixup), y = draw_gamma(&rng, options->mixup);
    double less = x < y ? x : y, sum = x + y;
    if (sum > 0) /* both may underflow where alpha is tiny: nothing is mixed then */
        mix.share = (int)rint(AUGMENT_WHOLE * less / sum);
    return mix;
}

void augment_blend(int share, const uint8_t *other, uint8_t *pixels, size_t count)
{
    int rest = AUGMENT_WHOLE - share;
    for (size_t i = 0; i < count; i++)
        pixels[i] =
            (uint8_t)((pixels[i] * rest + other[i] * share + AUGMENT_WHOLE / 2) / AUGMENT_WHOLE);
}
