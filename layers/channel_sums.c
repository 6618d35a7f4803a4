/* Sums over a batch by channel: see channel_sums.h. SPDX-License-Identifier: Apache-2.0 */
#include "layers/channel_sums.h"

#include <string.h>

/* Elements of a block: few enough for sums in Real, and for the second-level cache. */
enum { BLOCK_ELEMENTS = 16384, BLOCK_ROWS = 16 };

static void next_block(ChannelSums *s)
{
    memset(s->real, 0, 2 * s->channels * sizeof *s->real);
    s->left = s->block;
}

/* The block's sums join the chunk's. */
static void collect(ChannelSums *s)
{
    for (size_t i = 0; i < s->channels; i++) {
        s->first[i] += (double)s->real[i];
        s->second[i] += (double)s->real[s->channels + i];
    }
}

void channel_sums_begin(ChannelSums *s, size_t channels, Real *room, double *first, double *second)
{
    const size_t rows = BLOCK_ELEMENTS / channels;
    *s = (ChannelSums){.channels = channels,
                       .block = rows > BLOCK_ROWS ? rows : BLOCK_ROWS,
                       .real = room,
                       .first = first,
                       .second = second};
    memset(first, 0, channels * sizeof *first);
    memset(second, 0, channels * sizeof *second);
    next_block(s);
}

size_t channel_sums_piece(const ChannelSums *s, size_t rows)
{
    return rows < s->left ? rows : s->left;
}

void channel_sums_added(ChannelSums *s, size_t rows)
{
    s->left -= rows;
    if (s->left > 0)
        return;
    collect(s);
    next_block(s);
}

void channel_sums_end(ChannelSums *s)
{
    if (s->left < s->block)
        collect(s);
}

void channel_sums_total(size_t channels, int chunks, double *first, double *second)
{
    for (size_t chunk = 1; chunk < (size_t)chunks; chunk++)
        for (size_t i = 0; i < channels; i++) {
            first[i] += first[chunk * channels + i];
            second[i] += second[chunk * channels + i];
        }
}
