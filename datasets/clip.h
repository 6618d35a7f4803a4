/* A clip of fixed length from a recording of any length, and how training varies it.
 *
 *     int64_t begin = clip_begin(HONE_RT_FRONT_CENTRE, &wav, 8000);
 *     clip_cut(&wav, begin, clip, 8000);                          // as evaluation sees it
 *
 *     ClipDraw draw = clip_draw(&options.augment.audio, wav.rate, seed, epoch, index);
 *     clip_vary(&wav, begin, &draw, clip, 8000);                  // as training sees it
 *
 * Where a clip reaches over the recording there is silence. What training draws is a pure function
 * of (seed, epoch, index). SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_DATASETS_CLIP_H
#define HONE_DATASETS_CLIP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/option.h"
#include "core/rng.h"
#include "datasets/wav.h"

typedef struct ClipAugmentOptions {
    double shift_ms; /* moved by up to this much each way */
    double gain_db;  /* louder or softer by up to this much */
    double speed;    /* faster or slower by up to this fraction, pitch included */
    double noise;    /* standard deviation of added white noise, at most; full scale is 1 */
} ClipAugmentOptions;

extern const OptionTable clip_augment_options;

/* True when the options change nothing. */
bool clip_augment_is_identity(const ClipAugmentOptions *options);

/* Where a clip of `clip` samples starts in a recording; negative where silence precedes it.
 * HONE_RT_FRONT_CENTRE: both have one middle. _START: 0. _ONSET: CLIP_LEAD_MS before the first
 * CLIP_WINDOW_MS whose energy is within CLIP_ONSET_DB of the loudest such stretch. */
int64_t clip_begin(int place, const WavClip *wav, int64_t clip);

#define CLIP_WINDOW_MS 10
#define CLIP_LEAD_MS   30
#define CLIP_ONSET_DB  20

/* out[clip]: the recording from begin on. */
void clip_cut(const WavClip *wav, int64_t begin, float *out, int64_t clip);

/* What is done to one clip. */
typedef struct ClipDraw {
    int64_t shift; /* samples */
    double gain;   /* factor */
    double speed;  /* samples of the recording per sample of the clip */
    double noise;  /* standard deviation */
    Rng rng;       /* of the noise */
} ClipDraw;

/* What happens to clip `index` of `rate` samples per second in this epoch: a pure function. */
ClipDraw clip_draw(const ClipAugmentOptions *options, int rate, uint64_t seed, int64_t epoch,
                   int64_t index);
/* out[clip]: the clip at begin, moved, played at another speed around its middle (between samples
 * linearly), louder or softer, with uniformly distributed white noise. */
void clip_vary(const WavClip *wav, int64_t begin, const ClipDraw *draw, float *out, int64_t clip);

#endif
