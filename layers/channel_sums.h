/* Two sums per channel over a batch, in a fixed order: in Real over short blocks of rows, in double
 * over the blocks of a chunk, then over the chunks.
 *
 *     channel_sums_begin(&s, channels, room, first, second);       // first, second: of this chunk
 *     while (rows > 0) {
 *         n = channel_sums_piece(&s, rows);                        // rows of the current block
 *         ... add n rows to s.real[ch] and s.real[channels + ch], in their order ...
 *         channel_sums_added(&s, n);
 *     }
 *     channel_sums_end(&s);
 *
 * Rows may come in pieces of any size, at any time: the bits of the result do not depend on it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_LAYERS_CHANNEL_SUMS_H
#define HONE_LAYERS_CHANNEL_SUMS_H

#include "core/real.h"

#include <stddef.h>

typedef struct ChannelSums {
    size_t channels;
    size_t block, left;     /* rows of a block; of the current one still to come */
    Real *real;             /* [2][channels], of the current block */
    double *first, *second; /* [channels], of the chunk */
} ChannelSums;

/* room is 2 * channels Reals, which s keeps until its end. */
void channel_sums_begin(ChannelSums *s, size_t channels, Real *room, double *first, double *second);
size_t channel_sums_piece(const ChannelSums *s, size_t rows);
void channel_sums_added(ChannelSums *s, size_t rows);
void channel_sums_end(ChannelSums *s);

/* Leaves the totals of all chunks, [chunks][channels] each, in the first chunk's place. */
void channel_sums_total(size_t channels, int chunks, double *first, double *second);

#endif
