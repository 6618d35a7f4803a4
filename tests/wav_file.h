/* WAVE files as tests make them. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_WAV_FILE_H
#define HONE_TESTS_WAV_FILE_H

#include <stddef.h>
#include <stdint.h>

typedef struct WavBytes {
    unsigned char v[65536];
    size_t count;
} WavBytes;

/* Appends count bytes, or a little-endian number of so many bytes. */
void wav_add(WavBytes *w, const void *bytes, size_t count);
void wav_add_number(WavBytes *w, uint32_t value, int bytes);

/* Starts with the RIFF header; wav_end makes its size right. */
void wav_begin(WavBytes *w);
void wav_end(WavBytes *w);
/* Appends a format chunk of 16 bytes; tag 1: PCM, 3: float. */
void wav_format(WavBytes *w, int tag, int channels, int rate, int bits);

/* A whole file of 16-bit samples, one channel. */
void wav_make(WavBytes *w, int rate, const int16_t *samples, int count);

/* A folder of the running test's own and files in it, whose names may lead through one more folder. */
typedef struct WavFolder {
    char path[64];
} WavFolder;

WavFolder wav_folder_make(void);
void wav_folder_write(const WavFolder *f, const char *name, const void *bytes, size_t count);
void wav_folder_remove(const WavFolder *f);

#endif
