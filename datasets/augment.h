/* Augmentation of training images: mirror, and pad-and-crop.
 *
 *     AugmentDraw draw = augment_draw(&config.augment, seed, epoch, index);
 *     augment_move(&draw, 32, 32, 3, drawn, pixels);
 *
 * The outcome is a pure function of (seed, epoch, index). Padding has the value 128, which is zero
 * after normalization. Pad-and-crop after Lee et al., "Deeply-Supervised Nets", AISTATS 2015.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_DATASETS_AUGMENT_H
#define HONE_DATASETS_AUGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/option.h"
#include "datasets/clip.h"

#define AUGMENT_PAD 128 /* the padding byte: 0.0 in the model's input, code 0 */

typedef struct AugmentOptions {
    bool flip;    /* mirror left-right with probability 1/2 */
    int64_t crop; /* pad every side by this many pixels, then cut the original size at random */
    ClipAugmentOptions audio; /* of recordings, before features are computed: clip.h */
} AugmentOptions;

extern const OptionTable augment_options;

/* What is done to one image. An image shifted by (dy, dx) shows in[y + dy][x + dx] at (y, x), then
 * is mirrored. */
typedef struct AugmentDraw {
    int dy, dx; /* -crop..crop */
    bool mirror;
} AugmentDraw;

/* The choice for one sample of one epoch. */
AugmentDraw augment_draw(const AugmentOptions *options, uint64_t seed, int64_t epoch,
                         int64_t index);
/* in and out [height][width][channels] bytes; they must not overlap. */
void augment_move(const AugmentDraw *draw, int height, int width, int channels, const uint8_t *in,
                  uint8_t *out);
/* True when the options change no pixels, so that the copy can be skipped. */
bool augment_is_identity(const AugmentOptions *options);

#endif
