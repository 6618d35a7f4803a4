/* Features of samples, as tests want them. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_MEL_CASE_H
#define HONE_TESTS_MEL_CASE_H

#include "datasets/mel.h"

#include <stddef.h>
#include <stdint.h>

Mel *mel_make(const MelSpec *spec);
size_t mel_value_count(const Mel *m);
/* The features of 16-bit samples, the caller's to free(). */
float *mel_values_of(const Mel *m, const int16_t *pcm);

#endif
