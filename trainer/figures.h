/* How good a model is on a split, in the figures that its task has.
 *
 *     Figures f = figures_none();
 *     printf("%s %s\n", figures_name(&f), figures_text(&f).text);      // "accuracy 71.25 %"
 *
 * A classifier has an accuracy. A model that reproduces its input has a mean squared error, and
 * where the labels are 0 (normal) and 1 (anomaly) and both occur, the area under the ROC curve of the
 * error taken as a score: the probability that an anomaly's error is larger than a normal image's.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_FIGURES_H
#define HONE_TRAINER_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report/json.h"

#define FIGURE_NONE (-1.0) /* not measured; what was measured is not negative */

typedef struct Figures {
    double accuracy; /* 0..1 */
    double mse;
    double auc; /* 0..1 */
} Figures;

/* Nothing was measured. */
Figures figures_none(void);
/* Whether any figure was measured. */
bool figures_known(const Figures *f);
/* Whether a speaks for a better model than b: the larger accuracy, the smaller error. What was
 * measured is better than what was not. */
bool figures_better(const Figures *a, const Figures *b);

/* What figures_text leads with: "accuracy" or "mean squared error". */
const char *figures_name(const Figures *f);

typedef struct FiguresText {
    char text[48];
} FiguresText;

/* "71.25 %"; "0.01234"; "0.01234 (AUC 0.8532)"; "-" where nothing was measured. */
FiguresText figures_text(const Figures *f);

/* "accuracy" of a model that classifies, else "mse" and "auc", each behind "<stage>_" unless stage is
 * NULL. What was not measured is null. */
void figures_json(const Figures *f, bool classifies, const char *stage, Json *j);

/* An image's error and what it is. */
typedef struct ScoredImage {
    double score;
    int32_t label; /* 0, or 1 for an anomaly */
} ScoredImage;

/* Area under the ROC curve, exactly: the share of pairs (anomaly, normal) in which the anomaly has the
 * larger score, pairs of equal scores counting half. FIGURE_NONE unless both labels occur and no
 * other. Sorts images. Hanley and McNeil, Radiology 143 (1982). */
double figures_auc(ScoredImage *images, size_t count);

#endif
