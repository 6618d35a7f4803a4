/* Clipping by the global norm: see clip.h. SPDX-License-Identifier: Apache-2.0 */
#include "optim/clip.h"

#include <math.h>

#include "optim/sweep.h"

enum { LANES = 8 }; /* partial sums, so that the loop vectorizes in a fixed order */

typedef struct Clip {
    Real *grad;
    const uint8_t *mask;
    Real factor;
    double square[SWEEP_BLOCKS_MAX]; /* of each piece */
} Clip;

static double kept(const Clip *c, size_t i)
{
    return c->mask && !c->mask[i] ? 0 : (double)c->grad[i];
}

static void add_squares(void *context, int block, size_t begin, size_t end)
{
    Clip *c = context;
    double lane[LANES] = {0}, sum = 0;
    size_t i = begin;
    for (; i + LANES <= end; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            lane[k] += kept(c, i + k) * kept(c, i + k);
    for (; i < end; i++)
        sum += kept(c, i) * kept(c, i);
    for (size_t k = 0; k < LANES; k++)
        sum += lane[k];
    c->square[block] = sum;
}

static void scale(void *context, int block, size_t begin, size_t end)
{
    (void)block;
    const Clip *c = context;
    Real *g = c->grad;
    for (size_t i = begin; i < end; i++)
        g[i] *= c->factor;
}

double gradient_clip(Params *params, const uint8_t *mask, double limit, Threads *pool)
{
    Clip c;
    c.grad = params->grad;
    c.mask = mask;
    size_t count = params->graph->trained_count;
    int blocks = sweep_run(pool, count, add_squares, &c);
    double sum = 0;
    for (int i = 0; i < blocks; i++)
        sum += c.square[i];
    double norm = sqrt(sum);
    c.factor = (Real)(limit / (norm + 1e-6));
    if (norm > limit)
        (void)sweep_run(pool, count, scale, &c);
    return norm;
}
