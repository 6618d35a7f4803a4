/* Spoken words and other sounds: a folder of WAVE files, as log-mel or MFCC features.
 *
 * A sample is the features of one clip, [frames][coefficients][1], on a grid of bytes that comes from
 * the training split (or from `range`). Opening reads every recording once and keeps the bytes of
 * its features; only what training varies is read and computed again, sample by sample. The section
 * FRNT of the artifact is made here, too. SPDX-License-Identifier: Apache-2.0 */
#include "datasets/audio.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datasets/clip.h"
#include "datasets/front.h"
#include "datasets/kind.h"
#include "datasets/wav.h"
#include "runtime/frontend.h"

enum { BINS = 65536 /* of the histogram for quantiles */ };

static const char *const places[] = {[HONE_RT_FRONT_CENTRE] = "centre",
                                     [HONE_RT_FRONT_START] = "start",
                                     [HONE_RT_FRONT_ONSET] = "onset",
                                     NULL};

typedef struct Audio {
    char folder[KIND_PATH_BYTES];
    AudioFiles names;
    const AudioFile **files[DATASET_SPLITS]; /* in the order of their names */
    int64_t count[DATASET_SPLITS];
    uint8_t *features[DATASET_SPLITS]; /* [count][values] */
    size_t values;                     /* of one sample */
    int rate;
    int place;
    Mel *mel;
    FrontGrid grid;
    unsigned char *section;
} Audio;

/* What computing features needs; one per thread. */
typedef struct Work {
    float *clip;
    double *scratch;
    float *values;
} Work;

static void work_release(Work *w)
{
    free(w->clip);
    free(w->scratch);
    free(w->values);
    *w = (Work){0};
}

static int work_init(Work *w, const Audio *a, Error *e)
{
    size_t clip = (size_t)a->mel->spec.clip;
    *w = (Work){malloc(clip * sizeof *w->clip), malloc(mel_scratch(a->mel) * sizeof *w->scratch),
                malloc(a->values * sizeof *w->values)};
    if (w->clip && w->scratch && w->values)
        return HONE_OK;
    work_release(w);
    return error_memory(e, "the features of a recording", clip * sizeof *w->clip);
}

/* ---- recordings ---- */

static int read_recording(const Audio *a, const char *name, WavClip *wav, Error *e)
{
    char path[2 * KIND_PATH_BYTES]; /* listings hold shorter names than one half */
    snprintf(path, sizeof path, "%s/%s", a->folder, name);
    int status = wav_read(wav, path, e);
    if (status != HONE_OK || a->rate == 0 || wav->rate == a->rate)
        return status;
    status = error_set(e, HONE_ERR_DATA,
                       "audio: '%s' has %d samples per second, the data set %d (dataset.rate, or "
                       "its first file); nothing is resampled",
                       path, wav->rate, a->rate);
    wav_release(wav);
    return status;
}

/* The features of a recording, varied where draw is given, as reals in w->values. */
static int compute(const Audio *a, const char *name, const ClipDraw *draw, Work *w, Error *e)
{
    WavClip wav;
    int64_t clip = a->mel->spec.clip;
    int status = read_recording(a, name, &wav, e);
    if (status != HONE_OK)
        return status;
    int64_t begin = clip_begin(a->place, &wav, clip);
    if (draw)
        clip_vary(&wav, begin, draw, w->clip, clip);
    else
        clip_cut(&wav, begin, w->clip, clip);
    mel_clip(a->mel, w->clip, w->scratch, w->values);
    wav_release(&wav);
    return HONE_OK;
}

static void put_bytes(const Audio *a, const float *values, uint8_t *out)
{
    for (size_t i = 0; i < a->values; i++)
        out[i] = front_byte(&a->grid, values[i]);
}

/* All of a split: as reals where `reals` is given, else as bytes. */
static int compute_split(Audio *a, int split, float *reals, Error *e)
{
    Work w;
    int status = work_init(&w, a, e);
    if (status != HONE_OK)
        return status;
    assert(a->count[split] > 0); /* neither split is empty */
    for (int64_t i = 0; i < a->count[split] && status == HONE_OK; i++) {
        size_t at = (size_t)i * a->values;
        status = compute(a, a->files[split][i]->name, NULL, &w, e);
        if (status == HONE_OK && reals)
            memcpy(reals + at, w.values, a->values * sizeof *reals);
        else if (status == HONE_OK)
            put_bytes(a, w.values, a->features[split] + at);
    }
    work_release(&w);
    return status;
}

/* ---- the grid ---- */

/* The values below and above which `share` of all lie, to (most - least) / BINS. */
static int quantiles(const float *v, size_t count, double share, double *lo, double *hi, Error *e)
{
    size_t *bins = calloc(BINS, sizeof *bins);
    if (!bins)
        return error_memory(e, "a histogram", BINS * sizeof *bins);
    double least = *lo, step = (*hi - *lo) / BINS, wanted = share * (double)count;
    for (size_t i = 0; i < count; i++) {
        size_t bin = (size_t)(((double)v[i] - least) / step);
        bins[bin < BINS ? bin : BINS - 1]++;
    }
    double seen = 0;
    int first = 0, last = BINS - 1;
    for (; first < last && seen + (double)bins[first] <= wanted; first++)
        seen += (double)bins[first];
    seen = 0;
    for (; last > first && seen + (double)bins[last] <= wanted; last--)
        seen += (double)bins[last];
    *lo = least + first * step;
    *hi = least + (last + 1) * step;
    free(bins);
    return HONE_OK;
}

/* The grid that `count` values of the training split ask for. */
static int find_grid(Audio *a, const float *v, size_t count, double share, Error *e)
{
    assert(count > 0);
    double lo = (double)v[0], hi = lo;
    for (size_t i = 1; i < count; i++) {
        lo = (double)v[i] < lo ? (double)v[i] : lo;
        hi = (double)v[i] > hi ? (double)v[i] : hi;
    }
    if (!(lo < hi))
        return error_set(e, HONE_ERR_DATA,
                         "audio: all features of the training recordings are %g: they are silent",
                         lo);
    int status = share > 0 ? quantiles(v, count, share, &lo, &hi, e) : HONE_OK;
    if (status == HONE_OK)
        a->grid = front_grid(lo, hi);
    return status;
}

static int compute_train(Audio *a, const DatasetOptions *o, Error *e)
{
    if (o->range.count == 2) {
        a->grid = front_grid(o->range.v[0], o->range.v[1]);
        return compute_split(a, DATASET_TRAIN, NULL, e);
    }
    size_t count = (size_t)a->count[DATASET_TRAIN] * a->values;
    float *reals = malloc(count * sizeof *reals);
    if (!reals)
        return error_memory(e, "the features of the training recordings", count * sizeof *reals);
    int status = compute_split(a, DATASET_TRAIN, reals, e);
    if (status == HONE_OK)
        status = find_grid(a, reals, count, o->clip_percent / 100, e);
    for (size_t at = 0; status == HONE_OK && at < count; at += a->values)
        put_bytes(a, reals + at, a->features[DATASET_TRAIN] + at);
    free(reals);
    return status;
}

/* ---- opening ---- */

static int find_folder(Audio *a, const DatasetOptions *o, const char *root, Error *e)
{
    int status = kind_path(a->folder, "audio", o, root, "", e);
    if (status != HONE_OK || access(a->folder, F_OK) == 0)
        return status;
    return error_set(e, HONE_ERR_IO,
                     "audio: there is no folder '%s'; dataset.path is one of WAVE files, from here "
                     "or from HONE_DATA",
                     a->folder);
}

static int sort_files(Audio *a, Error *e)
{
    size_t all = a->names.listing.count;
    for (int split = 0; split < DATASET_SPLITS; split++) {
        a->files[split] = malloc(all * sizeof *a->files[split]);
        if (!a->files[split])
            return error_memory(e, "the recordings", all * sizeof *a->files[split]);
    }
    for (size_t i = 0; i < all; i++) {
        const AudioFile *f = &a->names.files[i];
        a->files[f->split][a->count[f->split]++] = f;
    }
    return HONE_OK;
}

/* The rate, from the first training file where options do not say, and the front end. */
static int make_front(Audio *a, const DatasetOptions *o, Error *e)
{
    WavClip first;
    MelSpec spec;
    int rate = (int)o->rate;
    int status = HONE_OK;
    if (rate == 0) {
        status = read_recording(a, a->names.files[0].name, &first, e);
        if (status != HONE_OK)
            return status;
        rate = first.rate;
        wav_release(&first);
    }
    a->rate = rate;
    a->place = o->place;
    status = mel_spec(&spec, &o->features, rate, (int64_t)(o->clip_ms * rate / 1000 + 0.5), e);
    if (status == HONE_OK)
        status = mel_new(&a->mel, &spec, e);
    if (status != HONE_OK)
        return error_prefix(e, "audio");
    a->values = (size_t)spec.frames * (size_t)spec.coefficients;
    return HONE_OK;
}

static int alloc_features(Audio *a, Error *e)
{
    for (int split = 0; split < DATASET_SPLITS; split++) {
        size_t bytes = (size_t)a->count[split] * a->values;
        a->features[split] = malloc(bytes);
        if (!a->features[split])
            return error_memory(e, "the features of recordings", bytes);
    }
    return HONE_OK;
}

static int check_options(const DatasetOptions *o, Error *e)
{
    if (o->range.count != 0 && (o->range.count != 2 || !(o->range.v[0] < o->range.v[1])))
        return error_set(e, HONE_ERR_CONFIG,
                         "audio: dataset.range is [lo, hi], lo below hi, or left out");
    if (o->separator[0] == '\0')
        return error_set(e, HONE_ERR_CONFIG, "audio: dataset.separator is empty");
    return HONE_OK;
}

static int audio_open(void **state, const DatasetOptions *o, const char *root, DatasetInfo *info,
                      Error *e)
{
    Audio *a = calloc(1, sizeof *a);
    if (!a)
        return error_memory(e, "a data set of recordings", sizeof *a);
    *state = a;
    int status = check_options(o, e);
    if (status == HONE_OK)
        status = find_folder(a, o, root, e);
    if (status == HONE_OK)
        status = audio_files_open(&a->names, a->folder, o, e);
    if (status == HONE_OK)
        status = sort_files(a, e);
    if (status == HONE_OK)
        status = make_front(a, o, e);
    if (status == HONE_OK)
        status = alloc_features(a, e);
    if (status == HONE_OK)
        status = compute_train(a, o, e);
    if (status == HONE_OK)
        status = compute_split(a, DATASET_TEST, NULL, e);
    if (status == HONE_OK)
        status = front_pack(a->mel, a->place, a->grid, &a->section, &info->frontend_bytes, e);
    if (status != HONE_OK)
        return status;
    info->frontend = a->section;
    info->scale = a->grid.scale;
    info->zero_point = a->grid.zero_point;
    info->height = a->mel->spec.frames;
    info->width = a->mel->spec.coefficients;
    info->channels = 1;
    info->classes = a->names.class_count;
    info->class_names = (const char *const *)a->names.classes;
    info->count[DATASET_TRAIN] = a->count[DATASET_TRAIN];
    info->count[DATASET_TEST] = a->count[DATASET_TEST];
    return HONE_OK;
}

static int audio_sample(const void *state, DatasetSplit split, int64_t epoch, int64_t index,
                        uint8_t *pixels, int32_t *label, Error *e)
{
    (void)epoch; /* the same clips every epoch */
    (void)e;
    const Audio *a = state;
    if (pixels != NULL)
        memcpy(pixels, a->features[split] + (size_t)index * a->values, a->values);
    *label = a->files[split][index]->label;
    return HONE_OK;
}

static int audio_vary(const void *state, const DatasetVary *vary, int64_t epoch, int64_t index,
                      uint8_t *pixels, int32_t *label, Error *e)
{
    const Audio *a = state;
    const AudioFile *f = a->files[DATASET_TRAIN][index];
    ClipDraw draw = clip_draw(vary->audio, a->rate, vary->seed, epoch, index);
    Work w;
    int status = work_init(&w, a, e);
    if (status != HONE_OK)
        return status;
    status = compute(a, f->name, &draw, &w, e);
    if (status == HONE_OK)
        put_bytes(a, w.values, pixels);
    *label = f->label;
    work_release(&w);
    return status;
}

static void audio_close(void *state)
{
    Audio *a = state;
    if (!a)
        return;
    for (int split = 0; split < DATASET_SPLITS; split++) {
        free((void *)a->files[split]);
        free(a->features[split]);
    }
    audio_files_close(&a->names);
    mel_free(a->mel);
    free(a->section);
    free(a);
}

const DatasetKind dataset_audio = {
    .variant =
        {
            .choice = "audio",
            .help = "recordings (WAVE files) as log-mel or MFCC features",
            .options =
                (const Option[]){
                    OPTION_TEXT("path", DatasetOptions, path, NULL,
                                "folder of the .wav files, from here or from HONE_DATA; its "
                                "folders are searched, too"),
                    OPTION_INT("rate", DatasetOptions, rate, "Hz", 0, 1 << 24, "0",
                               "samples per second that every file must have; 0: those of the "
                               "first"),
                    OPTION_INT("label_field", DatasetOptions, label_field, "", -1, 63, "-1",
                               "which field of a file's name is its class, from 0; -1: its folder"),
                    OPTION_INT("speaker_field", DatasetOptions, speaker_field, "", -1, 63, "-1",
                               "which field is the speaker: no speaker is in both splits; -1: "
                               "unknown"),
                    OPTION_TEXT("separator", DatasetOptions, separator, "_",
                                "between the fields of a name"),
                    OPTION_TEXT("holdout", DatasetOptions, holdout, "",
                                "speaker who makes up the test split; empty: files are shared out "
                                "by a hash of their names"),
                    OPTION_REAL("test_share", DatasetOptions, test_share, "", 0, 1, "0.2",
                                "share of the files, or speakers, in the test split"),
                    OPTION_REAL_OPEN("clip_ms", DatasetOptions, clip_ms, "ms", 0, 60000,
                                     OPTION_OPEN_MIN, "1000",
                                     "length of a clip; shorter recordings get silence around"),
                    OPTION_CHOICE("place", DatasetOptions, place, places, "centre",
                                  "where a clip lies in its recording"),
                    OPTION_SECTION("features", DatasetOptions, features, &mel_options,
                                   "what is computed of a clip"),
                    OPTION_REALS("range", DatasetOptions, range, "dB", 0, 2, -100000, 100000, "[]",
                                 "features at byte 0 and 255; none: of the training split"),
                    OPTION_REAL_OPEN("clip_percent", DatasetOptions, clip_percent, "%", 0, 50,
                                     OPTION_OPEN_MAX, "0.1",
                                     "of the features that lie outside the range found, each side"),
                    OPTION_END,
                },
        },
    .open = audio_open,
    .sample = audio_sample,
    .vary = audio_vary,
    .close = audio_close,
};
