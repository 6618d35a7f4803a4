/* From ranges to grids: see scale.h. SPDX-License-Identifier: Apache-2.0 */
#include "qat/scale.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

/* A scale that kernels can divide by: its float32 reciprocal is finite, too. */
static bool usable(double scale)
{
    return scale >= (double)FLT_MIN && scale <= (double)FLT_MAX;
}

int qat_grid_from_range(float min, float max, int qmin, int qmax, Grid *grid)
{
    assert(-128 <= qmin && qmin < qmax && qmax <= 127);
    *grid = (Grid){1, qmin > 0 ? qmin : qmax < 0 ? qmax : 0};
    if (!isfinite(min) || !isfinite(max))
        return HONE_ERR_NUMERIC;
    double low = min < 0 ? (double)min : 0, high = max > 0 ? (double)max : 0;
    float scale = (float)((high - low) / (qmax - qmin));
    if (!usable((double)scale))
        return HONE_OK;
    grid->scale = scale;
    const double zero = rint(qmin - low / (double)scale);
    assert(qmin <= zero && zero <= qmax); /* as low <= 0 <= high */
    grid->zero_point = (int32_t)zero;
    return HONE_OK;
}

static uint32_t float_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* The lower median of the scales above 0, or 1. Floats above 0 are ordered as their bits, so it is
 * the least number with at least half of them at or below it, found by bisection. */
static Real median(int channels, const Real *scale)
{
    int live = 0;
    for (int c = 0; c < channels; c++)
        live += scale[c] > 0;
    if (live == 0)
        return 1;
    uint32_t lo = 0, hi = float_bits(FLT_MAX);
    while (lo < hi) {
        uint32_t middle = lo + (hi - lo) / 2;
        int below = 0;
        for (int c = 0; c < channels; c++)
            below += scale[c] > 0 && float_bits((float)scale[c]) <= middle;
        if (2 * below >= live)
            hi = middle;
        else
            lo = middle + 1;
    }
    float value;
    memcpy(&value, &lo, sizeof value);
    return (Real)value;
}

Real qat_weight_scale(Real extreme, int qmax)
{
    const float scale = (float)((double)extreme / qmax);
    return usable((double)scale) ? (Real)scale : 0;
}

void qat_weight_scales(int channels, int qmax, bool per_tensor, Real *scale)
{
    bool dead = false;
    Real largest = 0;
    for (int c = 0; c < channels; c++)
        largest = scale[c] > largest ? scale[c] : largest;
    for (int c = 0; c < channels; c++) {
        scale[c] = qat_weight_scale(per_tensor ? largest : scale[c], qmax);
        dead = dead || scale[c] == 0;
    }
    if (!dead)
        return;
    Real sane = median(channels, scale);
    for (int c = 0; c < channels; c++)
        scale[c] = scale[c] > 0 ? scale[c] : sane;
}
