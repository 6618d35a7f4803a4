/* A data set as a task of finding anomalies: some classes are normal, the others are not.
 *
 *     training: the samples of the normal classes alone, in their order      label 0
 *     test:     all samples                                                  label 0 normal, 1 anomaly
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_DATASETS_NORMAL_H
#define HONE_DATASETS_NORMAL_H

#include "datasets/kind.h"

typedef struct Normal {
    bool *is;       /* [classes of the kind]; NULL: the data set stays as it is */
    int64_t *index; /* [normal training samples], of the kind's training split */
} Normal;

/* Takes options->normal for the data set of a kind that has just been opened: asks for the labels
 * of its training split and turns counts, classes and their names in info into those of the task.
 * Without normal classes nothing happens. A failure leaves what normal_release takes. Errors:
 * HONE_ERR_CONFIG, those of reading. */
HONE_CHECKED int normal_open(Normal *n, const DatasetOptions *options, const DatasetKind *kind,
                             const void *state, DatasetInfo *info, Error *e);
/* A zeroed Normal is released already. */
void normal_release(Normal *n);

/* Where the kind has sample `index` of a split. */
int64_t normal_index(const Normal *n, DatasetSplit split, int64_t index);
/* What label a sample gets that the kind gives this one. */
int32_t normal_label(const Normal *n, int32_t label);

#endif
