/* The audio front end of a model, from PCM to the codes of its input: a section of the artifact, and
 * the integer implementation that runs it on a device.
 *
 *     const void *section = hone_rt_section(blob, HONE_RT_SECTION_FRONTEND, &section_bytes);
 *     HoneRtFrontend f;
 *     if (hone_rt_frontend_open(&f, section, section_bytes) != HONE_RT_OK) ... none, or damaged ...
 *     for (t = 0; t < f.record->frames; t++)               // or as the samples arrive
 *         hone_rt_frontend_frame(&f, pcm + t * f.record->hop, scratch,
 *                                codes + t * f.record->coefficients);
 *
 * A frame of PCM is windowed, transformed (FFT), squared, gathered into mel bands, taken to the
 * logarithm, for MFCC transformed again (DCT-II, orthonormal), and put on the input's grid:
 *
 *     S_b = sum_k w_bk |FFT(window * x)|_k^2      L_b = 10 log10(max(S_b, floor))    x in [-1, 1)
 *     v = L, or sum_b dct_ib L_b                  code = clamp(round(v / scale) + zero_point)
 *
 * The section holds these constants and the tables that the integers need, made when it was written:
 * a device computes no sine and no logarithm. docs/FORMAT.md spells out the bytes, docs/NUMERICS.md
 * the fixed point. No float, no malloc, nothing global. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_RUNTIME_FRONTEND_H
#define HONE_RUNTIME_FRONTEND_H

#include <stddef.h>
#include <stdint.h>

#include "runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_RT_SECTION_FRONTEND HONE_RT_TAG('F', 'R', 'N', 'T')
#define HONE_RT_FRONT_VERSION    1u

enum {
    HONE_RT_FRONT_MAX_FFT = 4096,
    HONE_RT_FRONT_MIN_FFT = 16,
    HONE_RT_FRONT_MAX_MELS = 256,
    HONE_RT_FRONT_MAX_CLIP = 1 << 24 /* samples */
};

enum { HONE_RT_FRONT_LOG_MEL = 0, HONE_RT_FRONT_MFCC = 1 };
/* Where a clip is cut from a longer recording, or put in a shorter one. */
enum { HONE_RT_FRONT_CENTRE = 0, HONE_RT_FRONT_START = 1, HONE_RT_FRONT_ONSET = 2 };
enum { HONE_RT_FRONT_HTK = 0, HONE_RT_FRONT_SLANEY = 1 };

/* The first bytes of the section. */
typedef struct HoneRtFrontRecord { /* 96 bytes */
    uint32_t version;              /* HONE_RT_FRONT_VERSION */
    uint32_t rate;                 /* samples per second */
    uint32_t clip;                 /* samples that a sample of the model is made from */
    uint32_t place;                /* HONE_RT_FRONT_CENTRE, ... */
    uint32_t frame, hop, fft;      /* samples; frame <= fft, a power of two */
    uint32_t frames;               /* 1 + (clip - frame) / hop: the input's height */
    uint32_t mels, coefficients;   /* the input's width; equal where the kind is LOG_MEL */
    uint32_t kind;                 /* HONE_RT_FRONT_LOG_MEL or _MFCC */
    uint32_t mel_scale;            /* HONE_RT_FRONT_HTK or _SLANEY */
    uint32_t area_norm;            /* 1: each band has area 1 over frequency; 0: height 1 */
    uint32_t low_hz_bits, high_hz_bits, floor_bits; /* float32: edges of the bands, least S */
    uint32_t scale_bits;                            /* float32: dB per code */
    int32_t zero_point;                             /* of the grid, -32768..32767 */
    /* What follows is for the integer implementation. */
    int32_t floor_q16;  /* 65536 log2(floor) */
    int32_t multiplier; /* code = (v * multiplier + 2^(shift-1)) >> shift, + zero_point, v being */
    uint32_t shift;     /* log2, 16 bits behind the point */
    uint32_t weight_count; /* of all bands */
    uint32_t reserved[2];  /* 0 */
} HoneRtFrontRecord;

/* A mel band: count bins from first on. */
typedef struct HoneRtFrontBand { /* 8 bytes */
    uint16_t first, count;
    int32_t offset_q16; /* what turns log2 of its integer sum into log2(S): see docs/NUMERICS.md */
} HoneRtFrontBand;

/* A section that was checked; everything points into it. */
typedef struct HoneRtFrontend {
    const HoneRtFrontRecord *record;
    const int32_t *sine;          /* [fft/4 + 1]: 2^30 sin(2 pi k / fft) */
    const HoneRtFrontBand *bands; /* [mels] */
    const int32_t *window;        /* [frame]: 0..2^30 */
    const uint16_t *weights;      /* [weight_count], band after band: 2^15 at a band's peak */
    const int16_t *dct;           /* [coefficients][mels], 2^15; NULL for LOG_MEL */
} HoneRtFrontend;

/* Checks section[bytes], which starts at a multiple of 4 and outlives f, and opens it. Errors:
 * HONE_RT_ERR_ALIGNMENT, HONE_RT_ERR_TRUNCATED (also for a NULL section), HONE_RT_ERR_FRONTEND. */
HoneRtStatus hone_rt_frontend_open(HoneRtFrontend *f, const void *section, size_t bytes);

/* Bytes of scratch that a frame needs: 4 fft + 4 mels. */
size_t hone_rt_frontend_scratch_bytes(const HoneRtFrontend *f);

/* The codes [coefficients] of one frame [frame] of PCM. scratch starts at a multiple of 4 and keeps
 * nothing from one frame to the next. */
void hone_rt_frontend_frame(const HoneRtFrontend *f, const int16_t *pcm, void *scratch,
                            int8_t *codes);

#ifdef __cplusplus
}
#endif

#endif
