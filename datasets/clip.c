/* Clips: see clip.h. SPDX-License-Identifier: Apache-2.0 */
#include "datasets/clip.h"

#include <math.h>
#include <string.h>

#include "runtime/frontend.h"

const OptionTable clip_augment_options = {
    .name = "audio",
    .help = "random changes of recordings, of data set 'audio'",
    .size = sizeof(ClipAugmentOptions),
    .options =
        (const Option[]){
            OPTION_REAL("shift_ms", ClipAugmentOptions, shift_ms, "ms", 0, 10000, "0",
                        "move in time by up to this much each way"),
            OPTION_REAL("gain_db", ClipAugmentOptions, gain_db, "dB", 0, 60, "0",
                        "louder or softer by up to this much"),
            OPTION_REAL("speed", ClipAugmentOptions, speed, "", 0, 0.5, "0",
                        "faster or slower by up to this fraction, pitch included"),
            OPTION_REAL("noise", ClipAugmentOptions, noise, "", 0, 1, "0",
                        "white noise of up to this standard deviation, full scale being 1"),
            OPTION_END,
        },
};

bool clip_augment_is_identity(const ClipAugmentOptions *o)
{
    return !(o->shift_ms > 0 || o->gain_db > 0 || o->speed > 0 || o->noise > 0);
}

/* ---- placing ---- */

static double energy(const float *samples, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)samples[i] * (double)samples[i];
    return sum;
}

static int64_t samples_of(double ms, int rate)
{
    return (int64_t)floor(ms * rate / 1000 + 0.5);
}

static int64_t find_onset(const WavClip *wav)
{
    int64_t window = samples_of(CLIP_WINDOW_MS, wav->rate);
    window = window < 1 ? 1 : window;
    double most = 0;
    for (int64_t at = 0; at + window <= wav->count; at += window)
        most = fmax(most, energy(wav->samples + at, window));
    double least = most * pow(10, -CLIP_ONSET_DB / 10.0);
    for (int64_t at = 0; most > 0 && at + window <= wav->count; at += window)
        if (energy(wav->samples + at, window) >= least)
            return at;
    return 0;
}

int64_t clip_begin(int place, const WavClip *wav, int64_t clip)
{
    switch (place) {
    case HONE_RT_FRONT_START:
        return 0;
    case HONE_RT_FRONT_ONSET:
        return find_onset(wav) - samples_of(CLIP_LEAD_MS, wav->rate);
    default:
        return wav->count >= clip ? (wav->count - clip) / 2 : -((clip - wav->count) / 2);
    }
}

void clip_cut(const WavClip *wav, int64_t begin, float *out, int64_t clip)
{
    for (int64_t i = 0; i < clip; i++) {
        int64_t at = begin + i;
        out[i] = at >= 0 && at < wav->count ? wav->samples[at] : 0;
    }
}

/* ---- varying ---- */

/* In [-1, 1). */
static double both_ways(Rng *rng)
{
    return 2 * (double)rng_uniform(rng) - 1;
}

ClipDraw clip_draw(const ClipAugmentOptions *o, int rate, uint64_t seed, int64_t epoch,
                   int64_t index)
{
    ClipDraw draw = {.rng = rng_at(seed, RNG_AUDIO, (uint64_t)epoch, (uint64_t)index)};
    /* Always four draws, so that switching one option leaves the others' outcomes alone. */
    draw.shift = samples_of(o->shift_ms * both_ways(&draw.rng), rate);
    draw.gain = pow(10, o->gain_db * both_ways(&draw.rng) / 20);
    draw.speed = 1 + o->speed * both_ways(&draw.rng);
    draw.noise = o->noise * (double)rng_uniform(&draw.rng);
    return draw;
}

/* The recording at a place between samples. */
static double between(const WavClip *wav, double at)
{
    int64_t low = (int64_t)floor(at);
    double part = at - (double)low;
    double a = low >= 0 && low < wav->count ? (double)wav->samples[low] : 0;
    double b = low >= -1 && low + 1 < wav->count ? (double)wav->samples[low + 1] : 0;
    return a + (b - a) * part;
}

void clip_vary(const WavClip *wav, int64_t begin, const ClipDraw *draw, float *out, int64_t clip)
{
    Rng rng = draw->rng;
    double middle = (double)clip / 2, spread = draw->noise * sqrt(12.0); /* uniform: width by sd */
    for (int64_t i = 0; i < clip; i++) {
        double at = (double)(begin - draw->shift) + middle + ((double)i - middle) * draw->speed;
        double v = draw->gain * between(wav, at);
        if (spread > 0)
            v += spread * ((double)rng_uniform(&rng) - 0.5);
        out[i] = (float)v;
    }
}
