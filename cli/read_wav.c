/* Recordings as inputs: see read_wav.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/read_wav.h"

#include <assert.h>
#include <stdlib.h>

#include "datasets/clip.h"
#include "datasets/front.h"
#include "runtime/frontend.h"

/* Opens the front end of an artifact whose input has count elements. */
static int open_front(Front *front, const void *artifact, size_t count, Error *e)
{
    size_t bytes;
    *front = (Front){0};
    const void *section = hone_rt_section(artifact, HONE_RT_SECTION_FRONTEND, &bytes);
    if (!section)
        return error_set(e, HONE_ERR_DATA,
                         "the artifact has no audio front end: it was not trained on recordings");
    int status = front_unpack(front, section, bytes, e);
    if (status != HONE_OK)
        return status;
    const MelSpec *s = &front->mel->spec;
    if ((size_t)s->frames * (size_t)s->coefficients == count)
        return HONE_OK;
    return error_set(e, HONE_ERR_DATA,
                     "the artifact's front end makes %d x %d features, its input has %zu codes",
                     s->frames, s->coefficients, count);
}

/* The features of a recording that has the front end's rate, as codes. */
static int compute(const Front *front, const WavClip *wav, int8_t *codes, size_t count, Error *e)
{
    int64_t samples = front->mel->spec.clip;
    float *clip = malloc((size_t)samples * sizeof *clip);
    float *values = malloc(count * sizeof *values);
    double *scratch = malloc(mel_scratch(front->mel) * sizeof *scratch);
    int status = HONE_OK;
    if (clip && values && scratch) {
        clip_cut(wav, clip_begin(front->place, wav, samples), clip, samples);
        mel_clip(front->mel, clip, scratch, values);
        for (size_t i = 0; i < count; i++)
            codes[i] = (int8_t)(front_byte(&front->grid, values[i]) - 128);
    } else {
        status = error_memory(e, "the features of a recording", (size_t)samples * sizeof *clip);
    }
    free(scratch);
    free(values);
    free(clip);
    return status;
}

int read_wav(const char *path, const void *artifact, int8_t *codes, size_t count, Error *e)
{
    Front front;
    WavClip wav = {0};
    int status = open_front(&front, artifact, count, e);
    if (status != HONE_OK)
        goto out;
    assert(front.mel);
    status = wav_read(&wav, path, e);
    if (status == HONE_OK && wav.rate != front.mel->spec.rate)
        status = error_set(e, HONE_ERR_DATA,
                           "'%s' has %d samples per second, the artifact takes %d; nothing is "
                           "resampled",
                           path, wav.rate, front.mel->spec.rate);
    if (status == HONE_OK)
        status = compute(&front, &wav, codes, count, e);
out:
    wav_release(&wav);
    front_release(&front);
    return status;
}
