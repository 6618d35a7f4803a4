/* Recordings of three words by three speakers, as tests make them. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_SPEAKERS_H
#define HONE_TESTS_SPEAKERS_H

#include "datasets/kind.h"
#include "tests/wav_file.h"

enum { SPEAKERS_RATE = 8000, SPEAKERS_SAMPLES = 2000 };

/* "no_ann_0.wav": no, stop and yes by ann, bob and cy, twice each; ann's are SPEAKERS_SAMPLES long. */
WavFolder speakers_make(void);
/* Writes a tone of its own for every word, louder in the middle; voice shifts it. At most 8000. */
void speakers_tone(const WavFolder *f, const char *name, int word, int voice, int samples);
/* What the data set is told of them: labels and speakers from the names, bob not heard in training. */
DatasetOptions speakers_options(const WavFolder *f);
/* Fails the running test where it cannot be opened. */
Dataset *speakers_open(const DatasetOptions *o);

#endif
