/* Tests of artifacts that hear: the front end that the data set of recordings gives them, what it is
 * said to be, and a whole run. SPDX-License-Identifier: Apache-2.0 */
#include "cli/read_wav.h"
#include "cli/readers.h"
#include "core/file.h"
#include "datasets/kind.h"
#include "export/describe.h"
#include "export/write_hone.h"
#include "runtime/frontend.h"
#include "tests/expect.h"
#include "tests/run_fixture.h"
#include "tests/speakers.h"
#include "tests/suites.h"
#include "tests/tiny_net.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An artifact, whatever its program, with the data set's front end; *count is its length. */
static unsigned char *artifact_with(const void *section, size_t section_bytes, size_t *count)
{
    Error e = {0};
    TinyNet t;
    HoneRtModel model;
    unsigned char *plain, *bytes;
    tiny_net_init(&t, 1, 1, NULL, false);
    plain = tiny_net_artifact(&t, count);
    ck_assert_int_eq(hone_rt_open(&model, plain, *count, &hone_rt_kernels_ref), HONE_RT_OK);
    WriteSection extra = {HONE_RT_SECTION_FRONTEND, section, section_bytes};
    OK(write_hone_bytes(&model.program, &extra, 1, &bytes, count, &e));
    free(plain);
    tiny_net_release(&t);
    return bytes;
}

START_TEST(artifact_reads_recordings)
{
    Error e = {0};
    char path[300];
    WavFolder f = speakers_make();
    DatasetOptions o = speakers_options(&f);
    Dataset *d = speakers_open(&o);
    const DatasetInfo *info = dataset_info(d);
    size_t count;
    unsigned char *artifact = artifact_with(info->frontend, info->frontend_bytes, &count);
    for (int i = 0; i < 6; i++) {
        static const char *const words[] = {"no", "stop", "yes"};
        uint8_t wanted[14 * 12];
        int8_t codes[14 * 12];
        int32_t label;
        OK(dataset_sample(d, DATASET_TEST, 0, i, wanted, &label, &e));
        snprintf(path, sizeof path, "%s/%s_bob_%d.wav", f.path, words[i / 2], i % 2);
        OK(read_wav(path, artifact, codes, sizeof codes, &e));
        for (size_t k = 0; k < sizeof codes; k++)
            ck_assert_int_eq(codes[k], wanted[k] - 128);
    }
    free(artifact);
    dataset_close(d);
    wav_folder_remove(&f);
}
END_TEST

START_TEST(artifact_refuses_recordings)
{
    Error e = {0};
    int8_t codes[14 * 12];
    char path[300], text[480];
    WavFolder f = speakers_make();
    DatasetOptions o = speakers_options(&f);
    Dataset *d = speakers_open(&o);
    const DatasetInfo *info = dataset_info(d);
    size_t count;
    unsigned char *bare = artifact_with(NULL, 0, &count);
    unsigned char *artifact = artifact_with(info->frontend, info->frontend_bytes, &count);
    snprintf(path, sizeof path, "%s/no_bob_0.wav", f.path);
    ck_assert_int_eq(read_wav(path, bare, codes, sizeof codes, &e), HONE_ERR_DATA);
    ck_assert_str_eq(e.text,
                     "the artifact has no audio front end: it was not trained on recordings");
    e = (Error){0};
    ck_assert_int_eq(read_wav(path, artifact, codes, 100, &e), HONE_ERR_DATA);
    ck_assert_str_eq(e.text,
                     "the artifact's front end makes 14 x 12 features, its input has 100 codes");
    e = (Error){0};
    WavBytes w;
    int16_t pcm[8] = {0};
    wav_make(&w, 44100, pcm, 8);
    wav_folder_write(&f, "no_bob_0.wav", w.v, w.count);
    ck_assert_int_eq(read_wav(path, artifact, codes, sizeof codes, &e), HONE_ERR_DATA);
    snprintf(text, sizeof text,
             "'%s' has 44100 samples per second, the artifact takes 8000; nothing is resampled",
             path);
    ck_assert_str_eq(e.text, text);
    /* Features are what its input holds, and no image is any. */
    ReadRows rows;
    e = (Error){0};
    ck_assert_int_eq(read_rows(&rows, &(ReadTarget){.artifact = artifact}, "a.png", &e),
                     HONE_ERR_DATA);
    ck_assert_str_eq(e.text, "'a.png' is an image, the artifact takes recordings (.wav) or their "
                             "features (.npy, .csv)");
    free(bare);
    free(artifact);
    dataset_close(d);
    wav_folder_remove(&f);
}
END_TEST

START_TEST(artifact_describes_its_front_end)
{
    Error e = {0};
    Description text;
    size_t count;
    WavFolder f = speakers_make();
    DatasetOptions o = speakers_options(&f);
    Dataset *d = speakers_open(&o);
    const DatasetInfo *info = dataset_info(d);
    unsigned char *bare = artifact_with(NULL, 0, &count);
    OK(describe_artifact(&text, bare, count, &e));
    ck_assert(text.frontend == NULL && text.frontend_damage == NULL);
    describe_release(&text);
    unsigned char *artifact = artifact_with(info->frontend, info->frontend_bytes, &count);
    OK(describe_artifact(&text, artifact, count, &e));
    ck_assert_uint_eq(text.frontend->mels, 12);
    ck_assert_uint_eq(text.frontend->rate, 8000);
    ck_assert_ptr_null(text.frontend_damage);
    describe_release(&text);
    unsigned char *damaged = artifact_with(info->frontend, 100, &count);
    OK(describe_artifact(&text, damaged, count, &e));
    ck_assert_ptr_null(text.frontend);
    ck_assert_str_eq(text.frontend_damage, "the file is shorter than it says, or than its header");
    describe_release(&text);
    free(bare);
    free(artifact);
    free(damaged);
    dataset_close(d);
    wav_folder_remove(&f);
}
END_TEST

/* A run on recordings leaves an artifact that hears them: front end, program and classes belong
 * together. */
START_TEST(trained_artifact_hears)
{
    static const char yaml[] =
        "name: audio\n"
        "dataset:\n"
        "  {kind: audio, path: %s, label_field: 0, speaker_field: 1, holdout: bob, clip_ms: 250,\n"
        "   features: {kind: mfcc, mels: 12, coefficients: 10}}\n"
        "augment: {audio: {shift_ms: 20, noise: 0.01}}\n"
        "model: {arch: ds_cnn, input: [14, 10, 1], classes: 3}\n"
        "train: {epochs: 24, batch: 6, optimizer: {kind: sgd, lr: 0.05, momentum: 0.9},\n"
        "        schedule: {kind: cosine, warmup_epochs: 0}}\n"
        "qat: {begin_epoch: 16, calibration_batches: 2}\n";
    Error e = {0};
    Text text = {0};
    Config config;
    Session session;
    Summary summary;
    HoneRtModel model;
    char out[64], path[300];
    size_t count, section_bytes;
    WavFolder f = speakers_make();
    folder_make(out);
    text_printf(&text, yaml, f.path);
    OK(config_parse(&config, text_string(&text), "audio.yaml", NULL, 0, &e));
    SessionOptions how = {.threads = 1, .level = getenv("HONE_CPU")};
    OK(session_open(&session, &config, &how, &e));
    TrainRequest request = {.out = out};
    OK(train_run(&session, &request, &summary, &e));
    ck_assert(summary.bit_exact);
    unsigned char *bytes = file_bytes(out, "model.hone", &count);
    const DatasetInfo *info = dataset_info(session.dataset);
    ck_assert_int_eq(hone_rt_open(&model, bytes, count, &hone_rt_kernels_ref), HONE_RT_OK);
    const void *section = hone_rt_section(bytes, HONE_RT_SECTION_FRONTEND, &section_bytes);
    ck_assert_uint_eq(section_bytes, info->frontend_bytes);
    ck_assert_mem_eq(section, info->frontend, section_bytes);
    size_t room = hone_rt_arena_bytes(&model);
    void *arena = malloc(room);
    ck_assert_ptr_nonnull(arena);
    ck_assert_int_eq(hone_rt_prepare(&model, arena, room), HONE_RT_OK);
    int right = 0;
    for (int i = 0; i < 6; i++) {
        static const char *const words[] = {"no", "stop", "yes"};
        int8_t codes[14 * 10], scores[3];
        snprintf(path, sizeof path, "%s/%s_bob_%d.wav", f.path, words[i / 2], i % 2);
        OK(read_wav(path, bytes, codes, sizeof codes, &e));
        ck_assert_int_eq(hone_rt_run(&model, codes, scores), HONE_RT_OK);
        right += (int)hone_rt_argmax(scores, 3) == i / 2;
    }
    ck_assert_int_eq(right, (int)floor(summary.int8_figures.accuracy * 6 + 0.5));
    ck_assert_int_ge(right, 5);
    free(arena);
    free(bytes);
    session_close(&session);
    config_release(&config);
    text_release(&text);
    folder_remove(out);
    wav_folder_remove(&f);
}
END_TEST

Suite *suite_audio_artifact(void)
{
    Suite *s = suite_create("audio_artifact");
    TCase *t = tcase_create("artifact");
    tcase_add_test(t, artifact_reads_recordings);
    tcase_add_test(t, artifact_refuses_recordings);
    tcase_add_test(t, artifact_describes_its_front_end);
    tcase_add_test(t, trained_artifact_hears);
    suite_add_tcase(s, t);
    return s;
}
