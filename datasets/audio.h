/* Who says what in which file: the recordings of a folder, told apart by their names.
 *
 * Names have fields, "7_theo_12.wav" with separator "_": 0 is "7", 1 "theo", 2 "12"; field -1 is the
 * folder that the file lies in. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_DATASETS_AUDIO_H
#define HONE_DATASETS_AUDIO_H

#include "datasets/dataset.h"
#include "datasets/listing.h"

/* Part of a file's name. */
typedef struct AudioPart {
    const char *text;
    size_t length;
} AudioPart;

typedef struct AudioFile {
    const char *name; /* in the listing */
    AudioPart speaker;
    AudioPart word;
    int32_t label;
    DatasetSplit split;
} AudioFile;

/* The files of a folder with their labels and splits. */
typedef struct AudioFiles {
    Listing listing;
    AudioFile *files; /* [listing.count] */
    char **classes;   /* [class_count], in the order of their bytes */
    int class_count;
} AudioFiles;

/* Lists folder and understands the names as options say. Errors, naming the file where there is one:
 * HONE_ERR_IO; HONE_ERR_DATA for a folder without recordings, a name without the field, one class
 * only; HONE_ERR_CONFIG for a speaker who is not there or a split without files; HONE_ERR_MEMORY. */
HONE_CHECKED int audio_files_open(AudioFiles *a, const char *folder, const DatasetOptions *options,
                                  Error *e);
void audio_files_close(AudioFiles *a);

#endif
