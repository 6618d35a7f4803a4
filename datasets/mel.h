/* Log-mel and MFCC features of a clip: the front end that a model of sounds is trained with.
 *
 *     MelSpec spec;
 *     if (mel_spec(&spec, &options.features, 16000, 16000, e) != HONE_OK) goto out;
 *     if (mel_new(&mel, &spec, e) != HONE_OK) goto out;
 *     double *scratch = malloc(mel_scratch(mel) * sizeof *scratch);
 *     mel_clip(mel, samples, scratch, values);      // values [spec.frames][spec.coefficients]
 *
 * Frame t covers samples [t * hop, t * hop + frame), windowed by a periodic Hann window of that
 * length and padded with zeros to the FFT's length; no frame reaches over the clip's ends:
 *
 *     S_b = sum_k w_bk |FFT(window x)|_k^2,  L_b = 10 log10(max(S_b, floor)),  MFCC_i = sum_b d_ib L_b
 *
 * That is librosa's melspectrogram (center=False), power_to_db (ref=1, top_db=None) and mfcc. The
 * integers that a device computes are runtime/frontend.h; front.h makes their tables.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_DATASETS_MEL_H
#define HONE_DATASETS_MEL_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/option.h"
#include "datasets/fft.h"
#include "datasets/melbank.h"

typedef struct MelOptions {
    int kind;                /* HONE_RT_FRONT_LOG_MEL, HONE_RT_FRONT_MFCC */
    double frame_ms, hop_ms; /* used where frame, hop are 0 */
    int64_t frame, hop;      /* samples */
    int64_t fft;             /* 0: the smallest power of two that holds a frame */
    int64_t mels, coefficients;
    double low_hz, high_hz; /* high 0: half the rate */
    int scale;              /* HONE_RT_FRONT_HTK, HONE_RT_FRONT_SLANEY */
    bool area_norm;
    double floor;
} MelOptions;

extern const OptionTable mel_options;

/* All constants resolved; the fields of HoneRtFrontRecord. Reals are float, as the file holds them. */
typedef struct MelSpec {
    int kind, rate, clip, frame, hop, fft, frames, mels, coefficients, scale;
    bool area_norm;
    float low_hz, high_hz, floor;
} MelSpec;

/* The constants for clips of so many samples. Errors: HONE_ERR_CONFIG for a clip shorter than a
 * frame, an FFT that is no power of two or too short, more coefficients than bands, edges out of
 * order. The sentence starts with the option: "features.fft 500 is ...". */
HONE_CHECKED int mel_spec(MelSpec *spec, const MelOptions *options, int rate, int64_t clip,
                          Error *e);

typedef struct Mel {
    MelSpec spec;
    Fft fft;
    MelBank bank;
    double *window; /* [frame] */
    double *dct;    /* [coefficients][mels], NULL for LOG_MEL */
} Mel;

/* The tables of a spec; the caller frees. Errors: HONE_ERR_MEMORY. */
HONE_CHECKED int mel_new(Mel **mel, const MelSpec *spec, Error *e);
void mel_free(Mel *mel);

/* Doubles of scratch that mel_clip needs. */
size_t mel_scratch(const Mel *mel);

/* values[frames][coefficients] of clip[spec.clip], samples in [-1, 1]. Threads may share mel. */
void mel_clip(const Mel *mel, const float *clip, double *scratch, float *values);

#endif
