/* See mel_case.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/mel_case.h"

#include "tests/expect.h"

#include <check.h>
#include <stdlib.h>

Mel *mel_make(const MelSpec *spec)
{
    Error e = {0};
    Mel *m = NULL;
    OK(mel_new(&m, spec, &e));
    return m;
}

size_t mel_value_count(const Mel *m)
{
    return (size_t)m->spec.frames * (size_t)m->spec.coefficients;
}

float *mel_values_of(const Mel *m, const int16_t *pcm)
{
    float *clip = malloc((size_t)m->spec.clip * sizeof *clip);
    float *values = malloc(mel_value_count(m) * sizeof *values);
    double *scratch = malloc(mel_scratch(m) * sizeof *scratch);
    ck_assert(clip != NULL && values != NULL && scratch != NULL);
    for (int i = 0; i < m->spec.clip; i++)
        clip[i] = (float)pcm[i] / 32768;
    mel_clip(m, clip, scratch, values);
    free(clip);
    free(scratch);
    return values;
}
