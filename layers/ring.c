/* Rings and their tables: see ring.h. SPDX-License-Identifier: Apache-2.0 */
#include "layers/ring.h"

#include <string.h>

static size_t taps_of(const RingSide *s)
{
    return (size_t)s->y.axis->kernel * (size_t)s->x.axis->kernel;
}

static RingTaps taps_of_phase(const GatherAxis *a, int phase)
{
    RingTaps taps = {.step = 1, .tap_step = 1};
    for (int i = 0; i < a->axis->kernel; i++) {
        const int t = a->back ? a->axis->kernel - 1 - i : i;
        if (gather_phase(a, t) != phase)
            continue;
        const int at = gather_offset(a, t) - a->lowest;
        if (taps.count == 0) {
            taps.first = at;
            taps.tap = t;
        } else if (taps.count == 1) {
            taps.step = at - taps.first;
            taps.tap_step = t - taps.tap;
        }
        taps.count++;
    }
    return taps;
}

void ring_side(RingSide *s, const Axis *y, const Axis *x, bool back, int groups, Carve *c)
{
    *s = (RingSide){.y = gather_axis(y, back), .x = gather_axis(x, back)};
    s->width = (s->x.most - 1) * s->x.step + s->x.highest - s->x.lowest + 1;
    s->left = s->x.lowest < 0 ? -s->x.lowest : 0;
    s->skip = s->x.lowest > 0 ? s->x.lowest : 0;
    const int room = s->width - s->left, have = s->x.from - s->skip;
    s->inside = room < have ? room : have;
    s->phase_count = s->y.phases * s->x.phases;
    s->phases = carve(c, (size_t)s->phase_count * sizeof *s->phases);
    Real *w = carve(c, taps_of(s) * (size_t)groups * RING_LANES * sizeof *w);
    for (int i = 0; c->base && i < s->phase_count; i++) {
        RingPhase *p = &s->phases[i];
        *p = (RingPhase){.to_y = i / s->x.phases, .to_x = i % s->x.phases, .w = w};
        p->rows = (s->y.to - p->to_y + s->y.phases - 1) / s->y.phases;
        p->cols = (s->x.to - p->to_x + s->x.phases - 1) / s->x.phases;
        p->y = taps_of_phase(&s->y, p->to_y);
        p->x = taps_of_phase(&s->x, p->to_x);
        w += p->y.count * p->x.count * groups * RING_LANES;
    }
}

static void fill_weights(const RingSide *s, const RingPhase *p, const Real *weights, int groups)
{
    Real *to = p->w;
    for (int g = 0; g < groups; g++)
        for (int i = 0; i < p->y.count; i++)
            for (int j = 0; j < p->x.count; j++, to += RING_LANES) {
                const int ky = p->y.tap + i * p->y.tap_step, kx = p->x.tap + j * p->x.tap_step;
                const int tap = ky * s->x.axis->kernel + kx;
                memcpy(to, weights + (tap * groups + g) * RING_LANES, RING_LANES * sizeof *to);
            }
}

void ring_side_weights(RingSide *s, const Real *weights, int groups)
{
    for (int i = 0; i < s->phase_count; i++)
        fill_weights(s, &s->phases[i], weights, groups);
}

void ring_init(Ring *g, const RingSide *side, int rows, int most, int groups, Carve *c)
{
    *g = (Ring){.side = side,
                .slots = rows,
                .height = side->y.from,
                .row = (size_t)groups * (size_t)side->width * RING_LANES};
    g->base = carve(c, (size_t)rows * g->row * sizeof *g->base);
    g->zeros = carve(c, g->row * sizeof *g->zeros);
    g->list = carve(c, (size_t)most * sizeof *g->list);
    g->to = carve(c, (size_t)rows * sizeof *g->to);
}

size_t ring_group(const Ring *g)
{
    return (size_t)g->side->width * RING_LANES;
}

void ring_clear(Ring *g, int groups)
{
    const size_t left = (size_t)g->side->left * RING_LANES;
    const size_t end = left + (size_t)g->side->inside * RING_LANES, width = ring_group(g);
    for (size_t i = 0; i < (size_t)g->slots * (size_t)groups; i++) {
        memset(g->base + i * width, 0, left * sizeof *g->base);
        memset(g->base + i * width + end, 0, (width - end) * sizeof *g->base);
    }
    memset(g->zeros, 0, g->row * sizeof *g->zeros);
}

static Real *row_at(const Ring *g, int y)
{
    return g->base + (size_t)(y % g->slots) * g->row;
}

Real *const *ring_slots(const Ring *g, int first, int count)
{
    for (int i = 0; i < count; i++)
        g->to[i] = row_at(g, first + i) + (size_t)g->side->left * RING_LANES;
    return g->to;
}

const Real *const *ring_rows(const Ring *g, int first, int count)
{
    for (int i = 0; i < count; i++) {
        const int y = first + i;
        g->list[i] = y >= 0 && y < g->height ? row_at(g, y) : g->zeros;
    }
    return g->list;
}
