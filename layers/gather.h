/* One direction of a convolution as products with windows of a source image (kernels_conv.h): the
 * forward pass gathers from x into y, the gradient of the input gathers from dy into dx.
 *
 * Going back, an input pixel i meets the taps t with (i + before - t * dilation) divisible by the
 * stride, so the pixels fall into stride_y * stride_x *phases*; within a phase all pixels meet the
 * same taps and neighbours in the destination are neighbours in the source. A strided gradient is
 * then a few small convolutions that compute nothing in vain, and forward is the case of one phase.
 *
 * An image is worked on in blocks of rows. Where the source is codes, or windows reach outside it,
 * the rows under a block are first copied, as reals with a border of zeros, into a tile.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_LAYERS_GATHER_H
#define HONE_LAYERS_GATHER_H

#include "core/op.h"
#include "layers/window.h"

/* What a convolution is, without its numbers. Flat: a dense layer, or a 1x1 convolution of stride 1
 * without padding; a batch is then one image of x.in == 1 column whose rows are all its pixels. */
typedef struct ConvShape {
    Axis y, x; /* flat: both 1 */
    int in_c, out_c;
    bool flat;
    int pixels; /* flat: rows of one sample */
} ConvShape;

/* Hands out consecutive 64-byte aligned pieces of a buffer; base NULL only counts. */
typedef struct Carve {
    unsigned char *base;
    size_t used;
} Carve;

void *carve(Carve *c, size_t bytes);

/* One axis of one direction. Tap t belongs to phase gather_phase() and meets, for the j-th pixel of
 * that phase, source position j * step + gather_offset(). */
typedef struct GatherAxis {
    const Axis *axis;
    bool back;
    int from, to; /* sizes of source and destination */
    int phases, step;
    int lowest, highest; /* of the offsets */
    int most;            /* pixels of the largest phase, phase 0 */
} GatherAxis;

typedef struct Phase {
    int to_y, to_x; /* its first pixel in the destination */
    int rows, cols; /* pixels */
    int runs;
    int32_t *run_x, *run_w; /* [runs] */
    int32_t *x_row, *y_row; /* [block_rows * cols], of the first block */
} Phase;

typedef struct Gather {
    GatherAxis y, x;
    int from_c, to_c;
    int length;    /* of a run */
    bool reversed; /* of a row of taps the last one lies first, in the panels and in a run */
    bool direct;   /* windows are read from the source itself */
    bool flat;
    int width;      /* pixels of a row of the tile, or of the source when direct */
    int block_rows; /* rows of phase 0 in a block */
    size_t tile;    /* Reals of the largest tile */
    Phase *phases;
    int phase_count;
} Gather;

/* Describes a direction and places its index lists in c; fills them unless c only counts. shape must
 * outlive g. codes: the source is codes. */
void gather_init(Gather *g, const ConvShape *shape, bool back, bool codes, Carve *c);

/* axis must outlive it. */
GatherAxis gather_axis(const Axis *axis, bool back);
/* Offset of tap t, counted in source positions. */
int gather_offset(const GatherAxis *a, int t);
/* The phase that tap t belongs to. */
int gather_phase(const GatherAxis *a, int t);

/* The tap whose weights lie at a place in the panels. */
int gather_tap(const Gather *g, int place);

/* A block of an image, ready for the kernels. */
typedef struct Block {
    const Real *x; /* where x_row counts from */
    size_t to; /* offset of the block's first row of phase pixels in the destination, in Reals */
    int first; /* row of phase 0 */
} Block;

/* The block that starts at row `first`, of the image that begins at element `start` of source;
 * image_rows is the source's height (flat: it varies). tile has g->tile Reals. */
Block gather_block(const Gather *g, const Compute *compute, const Tensor *source, const Real *reals,
                   size_t start, int image_rows, int first, Real *tile);

/* Rows of phase p in a block; image_rows as above. */
int gather_rows(const Gather *g, const Phase *p, int image_rows, int first);

#endif
