/* See speakers.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/speakers.h"

#include "runtime/frontend.h"

#include <check.h>
#include <math.h>
#include <stdio.h>

void speakers_tone(const WavFolder *f, const char *name, int word, int voice, int samples)
{
    static int16_t pcm[8000];
    WavBytes w;
    for (int i = 0; i < samples; i++) {
        double t = (double)i / SPEAKERS_RATE, hz = 400.0 * (word + 1) + 30.0 * voice;
        pcm[i] = (int16_t)floor(9000 * sin(3.14159265 * i / samples) * sin(6.283185307 * hz * t));
    }
    wav_make(&w, SPEAKERS_RATE, pcm, samples);
    wav_folder_write(f, name, w.v, w.count);
}

WavFolder speakers_make(void)
{
    static const char *const words[] = {"no", "stop", "yes"}, *const who[] = {"ann", "bob", "cy"};
    WavFolder f = wav_folder_make();
    for (int w = 0; w < 3; w++)
        for (int s = 0; s < 3; s++)
            for (int i = 0; i < 2; i++) {
                char name[64];
                snprintf(name, sizeof name, "%s_%s_%d.wav", words[w], who[s], i);
                speakers_tone(&f, name, w, 3 * s + i, SPEAKERS_SAMPLES + 100 * s);
            }
    return f;
}

DatasetOptions speakers_options(const WavFolder *f)
{
    return (DatasetOptions){.path = f->path,
                            .label_field = 0,
                            .speaker_field = 1,
                            .separator = "_",
                            .holdout = "bob",
                            .test_share = 0.3,
                            .clip_ms = 250,
                            .features = {.kind = HONE_RT_FRONT_LOG_MEL,
                                         .frame_ms = 32,
                                         .hop_ms = 16,
                                         .mels = 12,
                                         .coefficients = 10,
                                         .floor = 1e-10}};
}

Dataset *speakers_open(const DatasetOptions *o)
{
    Error e = {0};
    Dataset *d = NULL;
    ck_assert_msg(dataset_open_kind(&d, &dataset_audio, o, "/nonexistent", &e) == HONE_OK, "%s",
                  e.text);
    return d;
}
