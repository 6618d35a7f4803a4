/* Mirror and pad-and-crop: see augment.h. SPDX-License-Identifier: Apache-2.0 */
#include "datasets/augment.h"

#include <string.h>

#include "core/rng.h"

const OptionTable augment_options = {
    .name = "augment",
    .help = "random changes of training images",
    .size = sizeof(AugmentOptions),
    .options =
        (const Option[]){
            OPTION_BOOL("flip", AugmentOptions, flip, "false",
                        "mirror left-right with probability 1/2"),
            OPTION_INT("crop", AugmentOptions, crop, "pixels", 0, 256, "0",
                       "shift by up to this much each way, filling with zero (byte 128)"),
            OPTION_SECTION("audio", AugmentOptions, audio, &clip_augment_options,
                           "random changes of recordings, of data set 'audio'"),
            OPTION_END,
        },
};

AugmentDraw augment_draw(const AugmentOptions *options, uint64_t seed, int64_t epoch, int64_t index)
{
    Rng rng = rng_at(seed, RNG_AUGMENT, (uint64_t)epoch, (uint64_t)index);
    /* Always three draws, so that switching one option leaves the others' outcomes alone. */
    uint32_t span = 2 * (uint32_t)options->crop + 1;
    AugmentDraw draw;
    draw.mirror = (rng_u32(&rng) >> 31) != 0 && options->flip;
    draw.dy = (int)rng_below(&rng, span) - (int)options->crop;
    draw.dx = (int)rng_below(&rng, span) - (int)options->crop;
    return draw;
}

/* One row, shifted and mirrored; in is NULL where the row lies in the padding. */
static void move_row(const AugmentDraw *draw, int width, int channels, const uint8_t *in,
                     uint8_t *out)
{
    size_t pixel = (size_t)channels;
    for (int x = 0; x < width; x++) {
        int from = (draw->mirror ? width - 1 - x : x) + draw->dx;
        if (in != NULL && from >= 0 && from < width)
            memcpy(out + (size_t)x * pixel, in + (size_t)from * pixel, pixel);
        else
            memset(out + (size_t)x * pixel, AUGMENT_PAD, pixel);
    }
}

void augment_move(const AugmentDraw *draw, int height, int width, int channels, const uint8_t *in,
                  uint8_t *out)
{
    size_t row_bytes = (size_t)width * (size_t)channels;
    for (int y = 0; y < height; y++) {
        int from = y + draw->dy;
        bool inside = from >= 0 && from < height;
        move_row(draw, width, channels, inside ? in + (size_t)from * row_bytes : NULL,
                 out + (size_t)y * row_bytes);
    }
}

bool augment_is_identity(const AugmentOptions *options)
{
    return !options->flip && options->crop == 0;
}
