/* The two products of a convolution's backward pass on 16-bit numbers (kernels_pair.h), for layers
 * whose input and weights are codes. A piece of dY at a time (an image, or rows of a flat layer) is
 * rounded to such numbers; everything else is exact, and sums are added up as reals.
 *
 *     dX   K = taps x outputs   pairs are neighbouring outputs; the scale of an output's weights is
 *                               multiplied into dY before it is rounded
 *     dW   K = pixels           pairs are row i and row i + half of the piece, so that a tap is the
 *                               same offset for both
 *
 * int16: dY is rounded to fractions of its largest magnitude in the piece, in dX of all outputs
 * together, in dW of each output. How a batch is cut into pieces depends on the batch alone.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_LAYERS_PAIRS_H
#define HONE_LAYERS_PAIRS_H

#include "layers/partials.h"

typedef struct Pairs {
    const PairKernels *kernels;
    ConvShape half, halves; /* of half an image, and with outputs in pairs: the gathers' */
    Gather forward, back;   /* counted in pairs */
    int out_c, ld;          /* outputs, and rounded up to whole vectors */
    bool want_dx, want_dw;
    int depth, cols;  /* of packed */
    uint32_t *packed; /* weights for dX, see kernels_pair.h */
} Pairs;

/* A piece of dY as numbers. */
typedef struct PairPiece {
    Real *peaks; /* [ld] largest magnitudes of dY by output */
    Real dx_scale;
    Real *dx_factors; /* [ld] room: what dY is multiplied by before it is rounded */
    uint32_t *dx;     /* dY with the border that gather.h wants, [y][x][out_c / 2] */
    Real *dw_scales;  /* [ld], that of x included */
    Real *dw_factors; /* [ld] room */
    uint32_t *dw;     /* [half the rows, of pixels][ld], as PairPanels */
} PairPiece;

/* Rows of phase 0 of an image or piece, as source and as destination; elements before it in x. */
typedef struct PairRows {
    int in, out;
    size_t from;
} PairRows;

/* Whether the backward pass of this node is on 16-bit numbers: the mode says so, the operands are
 * codes, and there are products enough for each number that is rounded. */
bool pairs_apply(const Run *r, const ConvShape *shape);
/* Fills p; ld is a multiple of the lanes of Compute.conv. */
void pairs_layout(const Run *r, const ConvShape *shape, int ld, Carve *c, Pairs *p);
/* Room for a piece of up to so many rows of output: for what dX needs, and dW. */
void pairs_room_dx(const Pairs *p, int rows_out, Carve *c, PairPiece *piece);
void pairs_room_dw(const Pairs *p, int rows_out, Carve *c, PairPiece *piece);
/* Elements of the tile of x. */
size_t pairs_tile(const Pairs *p);

void pairs_pack(const Run *r, const Pairs *p, int panel);
/* Rounds dy, rows.out rows of it, whose peaks are there. */
void pairs_take(const Run *r, const Pairs *p, PairRows rows, const Real *dy, PairPiece *piece);
/* Makes a piece's dW^T, [K][ld], or adds it to sums. */
void pairs_weights(const Run *r, const Pairs *p, PairRows rows, const PairPiece *piece,
                   bool accumulate, Real *sums, uint32_t *tile);
/* A slice of that, of a flat layer; sums is where the slice begins. */
void pairs_slice(const Run *r, const Pairs *p, PairRows rows, const PairPiece *piece, Slice s,
                 bool accumulate, Real *sums, uint32_t *tile);
/* Makes or adds to dX of a piece. */
void pairs_input(const Run *r, const Pairs *p, PairRows rows, const PairPiece *piece);

#endif
