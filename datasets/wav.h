/* Recordings in RIFF/WAVE files.
 *
 *     WavClip clip;
 *     if (wav_read(&clip, "a.wav", e) != HONE_OK) ...
 *     ... clip.samples[clip.count], clip.rate ...
 *     wav_release(&clip);
 *
 * PCM of 8, 16, 24 or 32 bits and float of 32, plain or extensible, any number of channels, which
 * are averaged; chunks in any order, unknown ones skipped. Nothing is resampled. Format: Microsoft
 * and IBM, "Multimedia programming interface and data specifications 1.0", 1991; Microsoft,
 * "WAVEFORMATEXTENSIBLE". SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_DATASETS_WAV_H
#define HONE_DATASETS_WAV_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define WAV_BYTES_MAX ((size_t)1 << 28)

typedef struct WavClip {
    float *samples; /* [count], integers divided by 2^(bits - 1): [-1, 1); floats as they are */
    int64_t count;  /* per channel, at least 1 */
    int rate;       /* samples per second, 1..16777216 */
} WavClip;

/* Reads a file of at most WAV_BYTES_MAX. Errors: HONE_ERR_IO; HONE_ERR_DATA for everything that is
 * not such a recording, with file and byte: a wrong magic, chunks that end behind the file, a missing
 * or damaged format, a recording without samples, floats that are not finite; HONE_ERR_MEMORY. */
HONE_CHECKED int wav_read(WavClip *clip, const char *path, Error *e);
/* The same from bytes; name is what messages call them. */
HONE_CHECKED int wav_parse(WavClip *clip, const unsigned char *bytes, size_t count,
                           const char *name, Error *e);
void wav_release(WavClip *clip);

#endif
