/* Augmentation of training images: mirror, pad-and-crop, brightness, contrast, cutout, mixup.
 *
 *     AugmentDraw draw = augment_draw(&config.augment, seed, epoch, index);
 *     augment_apply(&draw, 32, 32, 3, drawn, pixels);
 *     AugmentMix mix = augment_mix(&config.augment, seed, epoch, index, 50000);
 *     if (mix.share > 0) augment_blend(mix.share, other, pixels, 3072);   // other: mix.partner's
 *
 * The outcome is a pure function of (seed, epoch, index), in integer arithmetic but for mixup's
 * share. Padding and holes have the value 128, which is zero after normalization. Sources:
 * pad-and-crop C. Lee et al., "Deeply-supervised nets", AISTATS 2015; cutout T. DeVries, G. Taylor,
 * arXiv 1708.04552; mixup H. Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_DATASETS_AUGMENT_H
#define HONE_DATASETS_AUGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/option.h"
#include "datasets/clip.h"

#define AUGMENT_PAD   128   /* the padding byte: 0.0 in the model's input, code 0 */
#define AUGMENT_ONE   65536 /* 1.0 of AugmentDraw.gain and lift */
#define AUGMENT_WHOLE 256   /* 1.0 of AugmentMix.share */

typedef struct AugmentOptions {
    bool flip;    /* mirror left-right with probability 1/2 */
    int64_t crop; /* pad every side by this many pixels, then cut the original size at random */
    double brightness; /* add up to this share of the whole range, either way */
    double contrast;   /* stretch around the middle (128) by up to this share, either way */
    int64_t cutout;    /* side of a square that is blanked, in pixels; 0: none */
    double mixup;      /* alpha of the Beta distribution that shares are drawn from; 0: none */
    ClipAugmentOptions audio; /* of recordings, before features are computed: clip.h */
} AugmentOptions;

extern const OptionTable augment_options;

/* What is done to one image: a pixel v becomes 128 + (v - 128) gain + lift; the image shifted by
 * (dy, dx) shows in[y + dy][x + dx] at (y, x), then is mirrored; then the hole is blanked. */
typedef struct AugmentDraw {
    int dy, dx; /* -crop..crop */
    bool mirror;
    int32_t gain, lift;      /* in units of 1 / AUGMENT_ONE, the lift of a byte's step */
    uint32_t hole_y, hole_x; /* its centre, as a fraction of height and width in units of 2^-24 */
    int hole;                /* its side in pixels; 0: none */
} AugmentDraw;

/* Which sample is mixed in. */
typedef struct AugmentMix {
    int64_t partner; /* 0 <= partner < samples */
    int share;       /* of the partner, in units of 1 / AUGMENT_WHOLE: 0..AUGMENT_WHOLE / 2 */
} AugmentMix;

/* The choice for one sample of one epoch. */
AugmentDraw augment_draw(const AugmentOptions *options, uint64_t seed, int64_t epoch,
                         int64_t index);
/* in and out [height][width][channels] bytes; they must not overlap, and in is used up. */
void augment_apply(const AugmentDraw *draw, int height, int width, int channels, uint8_t *in,
                   uint8_t *out);
/* The partner of a sample, among samples, and its share: min(b, 1 - b) with b from Beta(alpha,
 * alpha), which is the same as letting either be the first. share is 0 without mixup. */
AugmentMix augment_mix(const AugmentOptions *options, uint64_t seed, int64_t epoch, int64_t index,
                       int64_t samples);
/* pixels = (1 - share) pixels + share other, rounded halves up; share of AUGMENT_WHOLE. */
void augment_blend(int share, const uint8_t *other, uint8_t *pixels, size_t count);
/* True when augment_apply would change nothing, so that the copy can be skipped. */
bool augment_is_identity(const AugmentOptions *options);

#endif
