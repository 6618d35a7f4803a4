/* Changes of one image: see augment.h. SPDX-License-Identifier: Apache-2.0 */
#include "datasets/augment.h"

#include <math.h>
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
            OPTION_REAL("brightness", AugmentOptions, brightness, "", 0, 1, "0",
                        "add up to this share of the range of a pixel, or take it away"),
            OPTION_REAL("contrast", AugmentOptions, contrast, "", 0, 1, "0",
                        "stretch or shrink around the middle by up to this share"),
            OPTION_INT("cutout", AugmentOptions, cutout, "pixels", 0, 4096, "0",
                       "side of a square at a random place that is set to zero"),
            OPTION_REAL("mixup", AugmentOptions, mixup, "", 0, 100, "0",
                        "mix images and labels in pairs, in shares drawn from Beta(alpha, alpha): "
                        "alpha; 0: none"),
            OPTION_SECTION("audio", AugmentOptions, audio, &clip_augment_options,
                           "random changes of recordings, of data set 'audio'"),
            OPTION_END,
        },
};

/* Even in -reach..reach. */
static int32_t either_way(Rng *rng, double reach)
{
    int64_t whole = (int64_t)rint(reach), u = (int64_t)(rng_u32(rng) >> 8); /* of 2^24 */
    return (int32_t)((whole * (2 * u - ((int64_t)1 << 24))) / ((int64_t)1 << 24));
}

AugmentDraw augment_draw(const AugmentOptions *options, uint64_t seed, int64_t epoch, int64_t index)
{
    Rng rng = rng_at(seed, RNG_AUGMENT, (uint64_t)epoch, (uint64_t)index);
    /* Always the same draws, so that switching one option leaves the others' outcomes alone. */
    uint32_t span = 2 * (uint32_t)options->crop + 1;
    AugmentDraw draw;
    draw.mirror = (rng_u32(&rng) >> 31) != 0 && options->flip;
    draw.dy = (int)rng_below(&rng, span) - (int)options->crop;
    draw.dx = (int)rng_below(&rng, span) - (int)options->crop;
    draw.gain = AUGMENT_ONE + either_way(&rng, options->contrast * AUGMENT_ONE);
    draw.lift = either_way(&rng, options->brightness * 255 * AUGMENT_ONE);
    draw.hole_y = rng_u32(&rng) >> 8;
    draw.hole_x = rng_u32(&rng) >> 8;
    draw.hole = (int)options->cutout;
    return draw;
}

/* ---- one image ------------------------------------------------------------------------------- */

static void tone(const AugmentDraw *draw, uint8_t *pixels, size_t count)
{
    uint8_t table[256];
    if (draw->gain == AUGMENT_ONE && draw->lift == 0)
        return;
    for (int v = 0; v < 256; v++) {
        int64_t sum = (int64_t)(v - 128) * draw->gain + draw->lift + 128 * AUGMENT_ONE;
        int64_t rounded = sum < 0 ? 0 : (sum + AUGMENT_ONE / 2) / AUGMENT_ONE;
        table[v] = (uint8_t)(rounded > 255 ? 255 : rounded);
    }
    for (size_t i = 0; i < count; i++)
        pixels[i] = table[pixels[i]];
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

static void blank(const AugmentDraw *draw, int height, int width, int channels, uint8_t *out)
{
    int top = (int)((uint64_t)draw->hole_y * (uint64_t)height >> 24) - draw->hole / 2;
    int left = (int)((uint64_t)draw->hole_x * (uint64_t)width >> 24) - draw->hole / 2;
    int bottom = top + draw->hole < height ? top + draw->hole : height;
    int right = left + draw->hole < width ? left + draw->hole : width;
    top = top > 0 ? top : 0;
    left = left > 0 ? left : 0;
    for (int y = top; y < bottom && left < right; y++)
        memset(out + ((size_t)y * (size_t)width + (size_t)left) * (size_t)channels, AUGMENT_PAD,
               (size_t)(right - left) * (size_t)channels);
}

void augment_apply(const AugmentDraw *draw, int height, int width, int channels, uint8_t *in,
                   uint8_t *out)
{
    size_t row_bytes = (size_t)width * (size_t)channels;
    tone(draw, in, (size_t)height * row_bytes);
    for (int y = 0; y < height; y++) {
        int from = y + draw->dy;
        bool inside = from >= 0 && from < height;
        move_row(draw, width, channels, inside ? in + (size_t)from * row_bytes : NULL,
                 out + (size_t)y * row_bytes);
    }
    if (draw->hole > 0)
        blank(draw, height, width, channels, out);
}

bool augment_is_identity(const AugmentOptions *options)
{
    return !options->flip && options->crop == 0 && !(options->brightness > 0) &&
           !(options->contrast > 0) && options->cutout == 0;
}
