/* Rings (kernels_ring.h) in memory: the rows of an image that are needed at a time, and the tables of
 * taps of a depthwise convolution's two directions. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_LAYERS_RING_H
#define HONE_LAYERS_RING_H

#include "layers/gather.h"

/* Taps of a phase along one axis: first is where, from a window's first position, the first of them
 * lies, step how far the next. Where offsets fall with taps (gather.h), the last tap comes first. */
typedef struct RingTaps {
    int count, first, step;
    int tap, tap_step; /* which of the kernel's the first is, and the next */
} RingTaps;

/* Outputs of one direction that meet the same taps; forward has one phase. */
typedef struct RingPhase {
    int to_y, to_x, rows, cols; /* outputs: the first, and how many */
    RingTaps y, x;
    Real *w; /* [groups][y.count][x.count][16] */
} RingPhase;

typedef struct RingSide {
    GatherAxis y, x;
    int width;  /* pixels of a row of the ring: of the source, with its border */
    int left;   /* of them before the source's first */
    int skip;   /* of the source's pixels that no window meets, at the left */
    int inside; /* pixels of the source in a row */
    RingPhase *phases;
    int phase_count;
} RingSide;

/* Describes a direction of the window (y, x), which must outlive it, for `groups` groups; places its
 * tables in c and fills them unless c only counts. */
void ring_side(RingSide *s, const Axis *y, const Axis *x, bool back, int groups, Carve *c);
/* Fills the phases' weights from weights [kernel_h * kernel_w][groups][16]. */
void ring_side_weights(RingSide *s, const Real *weights, int groups);

/* `slots` rows in the scratch of a worker. Row y of the source lies in slot y modulo slots; rows
 * outside of it are one row of zeros. */
typedef struct Ring {
    const RingSide *side;
    int slots, height; /* height of the source */
    size_t row;        /* elements of a row */
    Real *base, *zeros;
    const Real **list; /* [most]: of ring_rows() */
    Real **to;         /* [slots]: of ring_slots() */
    int filled;        /* rows from here on have not been made */
} Ring;

/* A ring of at least `rows` rows, of which `most` are listed at a time; placed in c. */
void ring_init(Ring *g, const RingSide *side, int rows, int most, int groups, Carve *c);
/* Zeros the borders, whatever lay there, for images of the height. */
void ring_clear(Ring *g, int groups);
/* Where the rows [first, first + count) of the source are to be made: of group 0, the source's first
 * pixel. */
Real *const *ring_slots(const Ring *g, int first, int count);
/* Elements from group to group. */
size_t ring_group(const Ring *g);
/* Where the rows [first, first + count) lie, of group 0 and with the border. */
const Real *const *ring_rows(const Ring *g, int first, int count);

#endif
