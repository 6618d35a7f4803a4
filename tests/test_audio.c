/* Tests of the data set of recordings: names, splits, placing, what training varies, the grid. With HONE_DATA set they open the Free Spoken Digit Dataset as well.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/read_wav.h"
#include "core/file.h"
#include "datasets/kind.h"
#include "datasets/listing.h"
#include "datasets/loader.h"
#include "export/describe.h"
#include "export/write_hone.h"
#include "runtime/frontend.h"
#include "tests/allocations.h"
#include "tests/expect.h"
#include "tests/run_fixture.h"
#include "tests/speakers.h"
#include "tests/suites.h"
#include "tests/tiny_net.h"
#include "tests/wav_file.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void refused(const DatasetOptions *o, int code, const char *sentence)
{
    Error e = {0};
    Dataset *d = NULL;
    ck_assert_int_eq(dataset_open_kind(&d, &dataset_audio, o, "/no/root", &e), code);
    ck_assert_str_eq(e.text, sentence);
    ck_assert_ptr_null(d);
}

/* ---- opening ----------------------------------------------------------------------------------- */

START_TEST(names_say_who_and_what)
{
    Error e = {0};
    WavFolder f = speakers_make();
    DatasetOptions o = speakers_options(&f);
    Dataset *d = speakers_open(&o);
    const DatasetInfo *info = dataset_info(d);
    ck_assert_int_eq(info->count[DATASET_TRAIN], 12);
    ck_assert_int_eq(info->count[DATASET_TEST], 6);
    ck_assert_int_eq(info->height, 14); /* 1 + (2000 - 256) / 128 */
    ck_assert_int_eq(info->width, 12);
    ck_assert_int_eq(info->channels, 1);
    ck_assert_int_eq(info->classes, 3);
    ck_assert_str_eq(info->class_names[0], "no");
    ck_assert_str_eq(info->class_names[2], "yes");
    for (int split = 0; split < DATASET_SPLITS; split++)
        for (int i = 0; i < info->count[split]; i++) {
            uint8_t values[14 * 12];
            int32_t label = -1;
            OK(dataset_sample(d, (DatasetSplit)split, 0, i, values, &label, &e));
            ck_assert_int_eq(label, i / (split == DATASET_TRAIN ? 4 : 2)); /* sorted by name */
        }
    dataset_close(d);
    wav_folder_remove(&f);
}
END_TEST

START_TEST(folders_are_labels)
{
    WavFolder f = wav_folder_make();
    speakers_tone(&f, "up/a.wav", 0, 0, SPEAKERS_SAMPLES);
    speakers_tone(&f, "up/b.WAV", 0, 1, SPEAKERS_SAMPLES);
    speakers_tone(&f, "down/a.wav", 1, 0, SPEAKERS_SAMPLES);
    speakers_tone(&f, "down/b.wav", 1, 1, SPEAKERS_SAMPLES);
    wav_folder_write(&f, "up/.hidden.wav", "not read", 8);
    wav_folder_write(&f, "up/notes.txt", "not read", 8);
    DatasetOptions o = speakers_options(&f);
    o.label_field = o.speaker_field = -1;
    o.holdout = "";
    o.test_share = 0.5;
    Dataset *d = speakers_open(&o);
    const DatasetInfo *info = dataset_info(d);
    ck_assert_int_eq(info->count[DATASET_TRAIN] + info->count[DATASET_TEST], 4);
    ck_assert_str_eq(info->class_names[0], "down");
    ck_assert_str_eq(info->class_names[1], "up");
    dataset_close(d);
    wav_folder_remove(&f);
}
END_TEST

/* A hash shares out whole speakers where they are known, and does not depend on the other files. */
START_TEST(hash_shares_out)
{
    int test = 0;
    for (int i = 0; i < 10000; i++) {
        char name[32];
        int length = snprintf(name, sizeof name, "word/%d.wav", i);
        double share = listing_share(name, (size_t)length);
        ck_assert(share >= 0 && share < 1);
        test += share < 0.2;
    }
    ck_assert_int_gt(test, 1850);
    ck_assert_int_lt(test, 2150);
    ck_assert(listing_share("a", 1) != listing_share("b", 1));
    WavFolder f = speakers_make();
    DatasetOptions o = speakers_options(&f);
    o.holdout = "";
    o.test_share = 0.5;
    Dataset *d = speakers_open(&o);
    ck_assert_int_eq(dataset_info(d)->count[DATASET_TRAIN] % 6, 0);
    dataset_close(d);
    wav_folder_remove(&f);
}
END_TEST

START_TEST(grid_covers_the_training_split)
{
    Error e = {0};
    WavFolder f = speakers_make();
    DatasetOptions o = speakers_options(&f);
    Dataset *d = speakers_open(&o);
    const DatasetInfo *info = dataset_info(d);
    int least = 255, most = 0;
    for (int i = 0; i < info->count[DATASET_TRAIN]; i++) {
        uint8_t values[14 * 12];
        int32_t label;
        OK(dataset_sample(d, DATASET_TRAIN, 3, i, values, &label, &e));
        for (size_t k = 0; k < sizeof values; k++) {
            least = values[k] < least ? values[k] : least;
            most = values[k] > most ? values[k] : most;
        }
    }
    ck_assert_int_le(least, 1);
    ck_assert_int_ge(most, 254);
    float whole = info->scale;
    ck_assert(whole > 0.1f && whole < 1);
    dataset_close(d);
    o.clip_percent = 10; /* a tenth at each end is cut off: a finer grid */
    d = speakers_open(&o);
    ck_assert(dataset_info(d)->scale < 0.95f * whole);
    dataset_close(d);
    o.range = (OptionReals){2, {-90, 37.5}};
    d = speakers_open(&o);
    ck_assert(dataset_info(d)->scale == 0.5f);
    ck_assert_int_eq(dataset_info(d)->zero_point, 52);
    dataset_close(d);
    wav_folder_remove(&f);
}
END_TEST

START_TEST(wrong_options)
{
    char text[600];
    WavFolder f = speakers_make();
    DatasetOptions o = speakers_options(&f);
    o.holdout = "dan";
    refused(
        &o, HONE_ERR_CONFIG,
        "audio: there is no speaker 'dan' to hold out (dataset.holdout); there are ann, bob, cy");
    o.speaker_field = -1;
    refused(&o, HONE_ERR_CONFIG,
            "audio: dataset.holdout names a speaker, but dataset.speaker_field does not say where "
            "names have them");
    o = speakers_options(&f);
    o.label_field = 3;
    refused(&o, HONE_ERR_DATA,
            "audio: 'no_ann_0.wav' has 3 fields between '_'; dataset.label_field 3 (from 0) is not "
            "among them or is empty");
    o.label_field = -1;
    refused(&o, HONE_ERR_DATA,
            "audio: 'no_ann_0.wav' lies in no folder, which dataset.label_field -1 takes for its "
            "label");
    o = speakers_options(&f);
    o.separator = "";
    refused(&o, HONE_ERR_CONFIG, "audio: dataset.separator is empty");
    o = speakers_options(&f);
    o.range = (OptionReals){2, {1, 1}};
    refused(&o, HONE_ERR_CONFIG, "audio: dataset.range is [lo, hi], lo below hi, or left out");
    o = speakers_options(&f);
    o.holdout = "";
    o.test_share = 0;
    snprintf(text, sizeof text,
             "audio: none of the 18 recordings of '%s' is in the test split (dataset.test_share: 0 "
             "of the "
             "speakers)",
             f.path);
    refused(&o, HONE_ERR_CONFIG, text);
    o = speakers_options(&f);
    o.features.fft = 100;
    refused(&o, HONE_ERR_CONFIG, "audio: features.fft 100 is not a power of two in 16..4096");
    o = speakers_options(&f);
    o.path = "nowhere";
    refused(
        &o, HONE_ERR_IO,
        "audio: there is no folder 'nowhere'; dataset.path is one of WAVE files, from here or from "
        "HONE_DATA");
    wav_folder_remove(&f);
}
END_TEST

START_TEST(nobody_left_to_train_on)
{
    char text[200];
    WavFolder f = wav_folder_make();
    DatasetOptions o = speakers_options(&f);
    speakers_tone(&f, "no_bob_0.wav", 0, 1, SPEAKERS_SAMPLES);
    speakers_tone(&f, "yes_bob_0.wav", 1, 1, SPEAKERS_SAMPLES);
    snprintf(text, sizeof text, "audio: all 2 recordings of '%s' are of 'bob' (dataset.holdout)",
             f.path);
    refused(&o, HONE_ERR_CONFIG, text);
    wav_folder_remove(&f);
}
END_TEST

START_TEST(wrong_folders)
{
    char text[900];
    WavFolder f = wav_folder_make();
    DatasetOptions o = speakers_options(&f);
    snprintf(text, sizeof text, "audio: '%s' and its folders hold no recording (*.wav)", f.path);
    refused(&o, HONE_ERR_DATA, text);
    speakers_tone(&f, "no_ann_0.wav", 0, 0, SPEAKERS_SAMPLES);
    speakers_tone(&f, "no_bob_0.wav", 0, 1, SPEAKERS_SAMPLES);
    snprintf(text, sizeof text, "audio: all recordings of '%s' are of one class, 'no'", f.path);
    refused(&o, HONE_ERR_DATA, text);
    speakers_tone(&f, "yes_ann_0.wav", 1, 0, SPEAKERS_SAMPLES);
    WavBytes w;
    int16_t pcm[SPEAKERS_SAMPLES] = {0};
    wav_make(&w, 16000, pcm, SPEAKERS_SAMPLES);
    wav_folder_write(&f, "yes_bob_0.wav", w.v, w.count);
    snprintf(text, sizeof text,
             "audio: '%s/yes_bob_0.wav' has 16000 samples per second, the data set 8000 "
             "(dataset.rate, or its first file); nothing is resampled",
             f.path);
    refused(&o, HONE_ERR_DATA, text);
    wav_folder_write(&f, "yes_bob_0.wav", "RIFX, for example", 17);
    snprintf(text, sizeof text, "'%s/yes_bob_0.wav' is not a WAVE file: byte 0 is not 'RIFF'",
             f.path);
    refused(&o, HONE_ERR_DATA, text);
    wav_make(&w, 8000, pcm, SPEAKERS_SAMPLES);
    static const char *const names[] = {"yes_bob_0.wav", "yes_ann_0.wav", "no_ann_0.wav"};
    for (int i = 0; i < 3; i++)
        wav_folder_write(&f, names[i], w.v, w.count);
    refused(&o, HONE_ERR_DATA,
            "audio: all features of the training recordings are -100: they are silent");
    wav_folder_remove(&f);
}
END_TEST

static int open_and_close(void *options, Error *e)
{
    Dataset *d = NULL;
    int status = dataset_open_kind(&d, &dataset_audio, options, "", e);
    const bool agree = (d != NULL) == (status == HONE_OK); /* ck_assert would allocate */
    dataset_close(d);
    return agree ? status : HONE_ERR_MISMATCH;
}

START_TEST(out_of_memory)
{
    WavFolder f = speakers_make();
    DatasetOptions o = speakers_options(&f);
    o.features.kind = HONE_RT_FRONT_MFCC;
    o.clip_percent = 1;
    allocations_fail_each(open_and_close, &o, 1);
    wav_folder_remove(&f);
}
END_TEST

/* ---- clips ------------------------------------------------------------------------------------- */

START_TEST(clips_are_placed)
{
    float samples[800] = {0}, out[12];
    for (int i = 500; i < 620; i++)
        samples[i] = i % 2 ? 0.5f : -0.5f;
    samples[100] = 0.1f; /* a click far below the onset's threshold */
    WavClip wav = {.samples = samples, .count = 800, .rate = 8000};
    ck_assert_int_eq(clip_begin(HONE_RT_FRONT_CENTRE, &wav, 600), 100);
    ck_assert_int_eq(clip_begin(HONE_RT_FRONT_CENTRE, &wav, 1000), -100);
    ck_assert_int_eq(clip_begin(HONE_RT_FRONT_START, &wav, 600), 0);
    ck_assert_int_eq(clip_begin(HONE_RT_FRONT_ONSET, &wav, 600), 480 - 240); /* 30 ms before */
    memset(samples, 0, sizeof samples);
    ck_assert_int_eq(clip_begin(HONE_RT_FRONT_ONSET, &wav, 600), -240);
    for (int i = 0; i < 4; i++)
        samples[i] = (float)(i + 1);
    wav.count = 4;
    clip_cut(&wav, -2, out, 8);
    static const float wanted[] = {0, 0, 1, 2, 3, 4, 0, 0};
    for (int i = 0; i < 8; i++)
        ck_assert(out[i] == wanted[i]);
}
END_TEST

START_TEST(clips_are_varied)
{
    enum { N = 400 };
    float samples[N], cut[N], out[N];
    for (int i = 0; i < N; i++)
        samples[i] = (float)sin(0.05 * i);
    WavClip wav = {.samples = samples, .count = N, .rate = 8000};
    ClipDraw still = {.gain = 1, .speed = 1};
    clip_cut(&wav, 10, cut, N);
    clip_vary(&wav, 10, &still, out, N);
    ck_assert_mem_eq(out, cut, sizeof cut);
    ClipDraw moved = {.gain = 0.5, .speed = 1, .shift = 7};
    clip_vary(&wav, 10, &moved, out, N);
    for (int i = 0; i + 7 < N; i++)
        ck_assert(out[i + 7] == 0.5f * cut[i]);
    ClipDraw fast = {.gain = 1, .speed = 1.25}; /* around the middle: sample 200 */
    clip_vary(&wav, 0, &fast, out, N);
    for (int i = 60; i < 340; i++)
        ck_assert_double_eq_tol((double)out[i], sin(0.05 * (200 + 1.25 * (i - 200))), 1e-3);
    ck_assert(out[10] == 0 && out[390] == 0);
    ClipDraw noisy = {.gain = 1, .speed = 1, .noise = 0.01, .rng = rng_at(1, RNG_TEST, 0, 0)};
    clip_vary(&wav, 10, &noisy, out, N);
    double sum = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        double noise = (double)out[i] - (double)cut[i];
        sum += noise;
        squares += noise * noise;
    }
    ck_assert_double_eq_tol(sqrt(squares / N), 0.01, 0.001);
    ck_assert_double_eq_tol(sum / N, 0, 0.0015);
}
END_TEST

START_TEST(draws_stay_in_bounds)
{
    Error e = {0};
    ClipAugmentOptions o = {.shift_ms = 50, .gain_db = 6, .speed = 0.1, .noise = 0.02}, none = {0};
    OK(option_table_check(&clip_augment_options, &e));
    ck_assert(clip_augment_is_identity(&none));
    double least = 1, most = 1;
    for (int i = 0; i < 2000; i++) {
        ClipDraw a = clip_draw(&o, 8000, 1, 4, i), b = clip_draw(&o, 8000, 1, 4, i);
        ck_assert_mem_eq(&a.rng, &b.rng, sizeof a.rng);
        ck_assert(a.shift == b.shift && a.shift >= -400 && a.shift <= 400);
        ck_assert(a.gain > 0.501 && a.gain < 1.996 && a.speed >= 0.9 && a.speed <= 1.1);
        ck_assert(a.noise >= 0 && a.noise < 0.02);
        least = a.speed < least ? a.speed : least;
        most = a.speed > most ? a.speed : most;
        ClipDraw still = clip_draw(&none, 8000, 1, 4, i);
        ck_assert(still.shift == 0 && still.gain == 1 && still.speed == 1 && still.noise == 0);
    }
    ck_assert(least < 0.91 && most > 1.09);
}
END_TEST

/* ---- training ---------------------------------------------------------------------------------- */

/* All bytes of two epochs, in order. */
static void read_epochs(const Dataset *d, const AugmentOptions *augment, int threads, uint8_t *out)
{
    Error e = {0};
    Loader *l;
    LoaderOptions how = {.split = DATASET_TRAIN,
                         .training = true,
                         .batch = 4,
                         .epochs = 2,
                         .seed = 9,
                         .augment = augment,
                         .threads = threads};
    OK(loader_new(&l, d, &how, &e));
    OK(loader_start(l, 0, 0, &e));
    for (;;) {
        const Batch *b;
        OK(loader_next(l, &b, &e));
        if (b == NULL)
            break;
        memcpy(out, b->pixels, 4 * dataset_info(d)->sample_bytes);
        out += 4 * dataset_info(d)->sample_bytes;
    }
    loader_free(l);
}

START_TEST(loader_varies_recordings)
{
    enum { BYTES = 2 * 12 * 14 * 12 };
    static uint8_t plain[BYTES], one[BYTES], two[BYTES];
    WavFolder f = speakers_make();
    DatasetOptions o = speakers_options(&f);
    Dataset *d = speakers_open(&o);
    AugmentOptions none = {0}, audio = {.audio = {.shift_ms = 40, .gain_db = 3}};
    read_epochs(d, &none, 1, plain);
    read_epochs(d, &audio, 1, one);
    read_epochs(d, &audio, 3, two);
    ck_assert_mem_eq(one, two, BYTES);
    ck_assert_mem_ne(one, plain, BYTES);
    /* Varied by nothing a recording gives what is kept in memory. */
    Error e = {0};
    ClipAugmentOptions still = {0};
    DatasetVary vary = {&still, 1};
    for (int i = 0; i < 12; i++) {
        uint8_t a[14 * 12], b[14 * 12];
        int32_t x, y;
        OK(dataset_sample(d, DATASET_TRAIN, 0, i, a, &x, &e));
        OK(dataset_vary(d, &vary, 0, i, b, &y, &e));
        ck_assert_mem_eq(a, b, sizeof a);
        ck_assert_int_eq(x, y);
    }
    dataset_close(d);
    wav_folder_remove(&f);
}
END_TEST

START_TEST(images_have_no_recordings)
{
    Error e = {0};
    Dataset *d;
    Loader *l;
    DatasetOptions o = {.train = 10, .test = 10, .seed = 1};
    AugmentOptions audio = {.audio = {.noise = 0.1}};
    LoaderOptions how = {.training = true, .batch = 2, .augment = &audio};
    OK(dataset_open_kind(&d, &dataset_shapes, &o, "", &e));
    ck_assert_int_eq(loader_new(&l, d, &how, &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text,
                     "augment.audio is for recordings, which data set 'shapes' does not have");
    dataset_close(d);
}
END_TEST

START_TEST(digits_real)
{
    Error e = {0};
    char path[512];
    const char *root = getenv("HONE_DATA");
    snprintf(path, sizeof path, "%s/fsdd/recordings", root != NULL ? root : "");
    if (root == NULL || access(path, R_OK) != 0) {
        puts("test_audio: the spoken digits are skipped: fsdd/recordings is not in HONE_DATA");
        return;
    }
    Dataset *d;
    WavFolder f = {""};
    DatasetOptions o = speakers_options(&f);
    o.path = "fsdd/recordings";
    o.holdout = "theo";
    OK(dataset_open_kind(&d, &dataset_audio, &o, root, &e));
    const DatasetInfo *info = dataset_info(d);
    ck_assert_int_eq(info->count[DATASET_TRAIN], 2500);
    ck_assert_int_eq(info->count[DATASET_TEST], 500);
    ck_assert_int_eq(info->classes, 10);
    dataset_close(d);
}
END_TEST

Suite *suite_audio(void)
{
    Suite *s = suite_create("audio");
    TCase *opening = tcase_create("opening");
    tcase_set_timeout(opening, 60);
    tcase_add_test(opening, names_say_who_and_what);
    tcase_add_test(opening, folders_are_labels);
    tcase_add_test(opening, hash_shares_out);
    tcase_add_test(opening, grid_covers_the_training_split);
    tcase_add_test(opening, wrong_options);
    tcase_add_test(opening, nobody_left_to_train_on);
    tcase_add_test(opening, wrong_folders);
    tcase_add_test(opening, out_of_memory);
    tcase_add_test(opening, digits_real);
    suite_add_tcase(s, opening);
    TCase *clips = tcase_create("clips");
    tcase_add_test(clips, clips_are_placed);
    tcase_add_test(clips, clips_are_varied);
    tcase_add_test(clips, draws_stay_in_bounds);
    suite_add_tcase(s, clips);
    TCase *training = tcase_create("training");
    tcase_add_test(training, loader_varies_recordings);
    tcase_add_test(training, images_have_no_recordings);
    suite_add_tcase(s, training);
    return s;
}
