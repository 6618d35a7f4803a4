/* Recordings as inputs of an artifact that has a front end. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CLI_READ_WAV_H
#define HONE_CLI_READ_WAV_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

/* The codes [count] of the artifact's input for a WAVE file, as the data set made them in training:
 * cut, features, grid are those of the artifact's section FRNT. artifact is what hone_rt_open
 * accepted, count the elements of its input. Errors: HONE_ERR_DATA for an artifact without such a
 * section or with a damaged one, for another rate, for what wav_read refuses; HONE_ERR_IO,
 * HONE_ERR_MEMORY. */
HONE_CHECKED int read_wav(const char *path, const void *artifact, int8_t *codes, size_t count,
                          Error *e);

#endif
