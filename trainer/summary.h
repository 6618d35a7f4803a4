/* What came out of a run: summary.json. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_SUMMARY_H
#define HONE_TRAINER_SUMMARY_H

#include "core/text.h"
#include "trainer/finish.h"

typedef struct Summary {
    const char *name; /* the configuration's */
    int64_t seed;
    int threads;
    const char *backward; /* config_backward_name */
    int64_t params, macs;
    bool classifies; /* figures are accuracies, else mse and auc; what was not measured is null */
    Figures float_figures;
    char float_source[FINISH_PATH_BYTES]; /* where float_figures were measured */
    Figures teacher_figures;              /* in float */
    Figures unquantized_figures;
    Figures best_figures; /* of best.h5, after best_step steps; -1: there is none */
    int64_t best_step;
    Figures ptq_figures, qat_figures, int8_figures; /* the last two: of the first artifact */
    bool exported;                                  /* else the next two are null, 0 */
    bool bit_exact;                                 /* all artifacts */
    int64_t compared;                               /* outputs, of all of them */
    double ema;          /* decay of the average that the weights are; 0: as trained, null */
    double sparsity;     /* of the artifact; without one, zeros among the float weights */
    double images_per_s; /* training, median over steps */
    int64_t peak_rss_bytes;
    double seconds;
    int64_t steps;
    FinishArtifact artifacts[EXPORT_PROFILES_MAX]; /* when exported; accuracies are the first's */
    int artifact_count;
    char folder[FINISH_PATH_BYTES];
} Summary;

/* Appends the JSON object, indented, with a newline. */
void summary_print(const Summary *s, Text *out);
/* Writes it to path as a whole. */
HONE_CHECKED int summary_write(const Summary *s, const char *path, Error *e);

/* The largest resident set of this process so far. */
int64_t summary_peak_rss_bytes(void);

#endif
