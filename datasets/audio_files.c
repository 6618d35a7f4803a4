/* Labels, speakers and splits from the names of files: see audio.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "datasets/audio.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

#define CLASSES_MAX 65536

static bool same(AudioPart a, AudioPart b)
{
    return a.length == b.length && memcmp(a.text, b.text, a.length) == 0;
}

static AudioPart part_of(const char *text)
{
    return (AudioPart){text, strlen(text)};
}

/* ---- names ---- */

/* The folder of a name "folder/file"; empty where there is none. */
static AudioPart folder_of(const char *name)
{
    const char *slash = strrchr(name, '/');
    return (AudioPart){name, slash ? (size_t)(slash - name) : 0};
}

/* The name without folder and ending. */
static AudioPart stem_of(const char *name)
{
    const char *slash = strrchr(name, '/'), *stem = slash ? slash + 1 : name;
    return (AudioPart){stem, (size_t)(strrchr(stem, '.') - stem)};
}

/* Field number `wanted` of stem; count says how many there are. */
static AudioPart field_of(AudioPart stem, const char *separator, int64_t wanted, int64_t *count)
{
    AudioPart found = {stem.text, 0};
    const char *at = stem.text, *end = at + stem.length;
    size_t gap = strlen(separator);
    for (*count = 0;; ++*count) {
        const char *next = at;
        while (next + gap <= end && memcmp(next, separator, gap) != 0)
            next++;
        next = next + gap <= end ? next : end;
        if (*count == wanted)
            found = (AudioPart){at, (size_t)(next - at)};
        if (next == end) {
            ++*count;
            return found;
        }
        at = next + gap;
    }
}

static int take_part(AudioPart *part, const char *name, const DatasetOptions *o, int64_t field,
                     const char *key, Error *e)
{
    int64_t count = 0;
    *part = field < 0 ? folder_of(name) : field_of(stem_of(name), o->separator, field, &count);
    if (part->length > 0)
        return HONE_OK;
    if (field < 0)
        return error_set(e, HONE_ERR_DATA,
                         "audio: '%s' lies in no folder, which dataset.%s -1 takes for its label",
                         name, key);
    return error_set(e, HONE_ERR_DATA,
                     "audio: '%s' has %" PRId64 " fields between '%s'; dataset.%s %" PRId64
                     " (from 0) is not among them or is empty",
                     name, count, o->separator, key, field);
}

static int read_names(AudioFiles *a, const DatasetOptions *o, Error *e)
{
    int status = HONE_OK;
    for (size_t i = 0; i < a->listing.count && status == HONE_OK; i++) {
        AudioFile *f = &a->files[i];
        f->name = a->listing.names[i];
        status = take_part(&f->word, f->name, o, o->label_field, "label_field", e);
        if (status == HONE_OK && o->speaker_field >= 0)
            status = take_part(&f->speaker, f->name, o, o->speaker_field, "speaker_field", e);
    }
    return status;
}

/* ---- classes ---- */

static int by_bytes(const void *a, const void *b)
{
    const AudioPart *x = a, *y = b;
    size_t shorter = x->length < y->length ? x->length : y->length;
    int order = memcmp(x->text, y->text, shorter);
    return order != 0 ? order : (x->length > y->length) - (x->length < y->length);
}

/* Sorts words [count] and drops repetitions; returns how many are left. */
static size_t unique(AudioPart *words, size_t count)
{
    size_t kept = 0;
    qsort(words, count, sizeof *words, by_bytes);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || !same(words[kept - 1], words[i]))
            words[kept++] = words[i];
    return kept;
}

static int keep_classes(AudioFiles *a, const char *folder, const AudioPart *words, size_t count,
                        Error *e)
{
    if (count < 2)
        return error_set(e, HONE_ERR_DATA, "audio: all recordings of '%s' are of one class, '%.*s'",
                         folder, (int)words[0].length, words[0].text);
    if (count > CLASSES_MAX)
        return error_set(e, HONE_ERR_DATA, "audio: '%s' has %zu classes, at most %d can be", folder,
                         count, CLASSES_MAX);
    a->classes = calloc(count, sizeof *a->classes);
    if (!a->classes)
        return error_memory(e, "the names of classes", count * sizeof *a->classes);
    for (size_t k = 0; k < count; k++) {
        a->classes[k] = calloc(1, words[k].length + 1);
        if (!a->classes[k])
            return error_memory(e, "the names of classes", words[k].length + 1);
        memcpy(a->classes[k], words[k].text, words[k].length);
        a->class_count++;
    }
    for (size_t i = 0; i < a->listing.count; i++) {
        const AudioPart *found = bsearch(&a->files[i].word, words, count, sizeof *words, by_bytes);
        a->files[i].label = (int32_t)(found - words);
    }
    return HONE_OK;
}

static int find_classes(AudioFiles *a, const char *folder, Error *e)
{
    size_t count = a->listing.count;
    AudioPart *words = malloc(count * sizeof *words);
    if (!words)
        return error_memory(e, "the classes of recordings", count * sizeof *words);
    for (size_t i = 0; i < count; i++)
        words[i] = a->files[i].word;
    int status = keep_classes(a, folder, words, unique(words, count), e);
    free(words);
    return status;
}

/* ---- splits ---- */

/* Whether a speaker makes the test split. */
static bool holds_out(const DatasetOptions *o)
{
    return o->holdout && o->holdout[0] != '\0';
}

/* Says who is there instead. */
static int unknown_speaker(const AudioFiles *a, const DatasetOptions *o, Error *e)
{
    Text list = {0};
    size_t count = a->listing.count;
    assert(count > 0); /* an empty folder was refused before */
    AudioPart *names = malloc(count * sizeof *names);
    if (!names)
        return error_memory(e, "the speakers", count * sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = a->files[i].speaker;
    count = unique(names, count);
    for (size_t i = 0; i < count && i < 12; i++)
        text_printf(&list, "%s%.*s", i > 0 ? ", " : "", (int)names[i].length, names[i].text);
    if (count > 12)
        text_add(&list, ", ...");
    error_set(e, HONE_ERR_CONFIG,
              "audio: there is no speaker '%s' to hold out (dataset.holdout); there are %s",
              o->holdout, text_string(&list));
    text_release(&list);
    free(names);
    return HONE_ERR_CONFIG;
}

/* Says why a split is empty. */
static int no_files(const AudioFiles *a, const char *folder, const DatasetOptions *o,
                    const char *split, Error *e)
{
    const size_t count = a->listing.count;
    if (holds_out(o))
        return error_set(e, HONE_ERR_CONFIG,
                         "audio: all %zu recordings of '%s' are of '%s' (dataset.holdout)", count,
                         folder, o->holdout);
    return error_set(e, HONE_ERR_CONFIG,
                     "audio: none of the %zu recordings of '%s' is in the %s split "
                     "(dataset.test_share: %g of the %s)",
                     count, folder, split, o->test_share,
                     o->speaker_field >= 0 ? "speakers" : "files");
}

/* Where speakers are known, none is in both splits. */
static bool is_tested(const AudioFile *f, const DatasetOptions *o)
{
    AudioPart whose = f->speaker.length > 0 ? f->speaker : part_of(f->name);
    return holds_out(o) ? same(f->speaker, part_of(o->holdout))
                        : listing_share(whose.text, whose.length) < o->test_share;
}

static int split_files(AudioFiles *a, const char *folder, const DatasetOptions *o, Error *e)
{
    size_t count[DATASET_SPLITS] = {0};
    if (holds_out(o) && o->speaker_field < 0)
        return error_set(e, HONE_ERR_CONFIG,
                         "audio: dataset.holdout names a speaker, but dataset.speaker_field does "
                         "not say where names have them");
    for (size_t i = 0; i < a->listing.count; i++) {
        AudioFile *f = &a->files[i];
        f->split = is_tested(f, o) ? DATASET_TEST : DATASET_TRAIN;
        count[f->split]++;
    }
    if (holds_out(o) && count[DATASET_TEST] == 0)
        return unknown_speaker(a, o, e);
    for (int split = 0; split < DATASET_SPLITS; split++)
        if (count[split] == 0)
            return no_files(a, folder, o, split == DATASET_TRAIN ? "training" : "test", e);
    return HONE_OK;
}

int audio_files_open(AudioFiles *a, const char *folder, const DatasetOptions *o, Error *e)
{
    *a = (AudioFiles){0};
    int status = listing_read(&a->listing, folder, ".wav", e);
    if (status != HONE_OK)
        return status;
    if (a->listing.count == 0) {
        status = error_set(e, HONE_ERR_DATA,
                           "audio: '%s' and its folders hold no recording (*.wav)", folder);
        goto out;
    }
    a->files = calloc(a->listing.count, sizeof *a->files);
    if (!a->files) {
        status = error_memory(e, "the recordings", a->listing.count * sizeof *a->files);
        goto out;
    }
    status = read_names(a, o, e);
    if (status == HONE_OK)
        status = find_classes(a, folder, e);
    if (status == HONE_OK)
        status = split_files(a, folder, o, e);
out:
    if (status != HONE_OK)
        audio_files_close(a);
    return status;
}

void audio_files_close(AudioFiles *a)
{
    for (int k = 0; k < a->class_count; k++)
        free(a->classes[k]);
    free(a->classes);
    free(a->files);
    listing_release(&a->listing);
    *a = (AudioFiles){0};
}
