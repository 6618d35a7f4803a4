/* Checkpoints of a run: everything that the next step depends on, and the configuration.
 *
 *     Checkpoint c;
 *     if (checkpoint_open(&c, "runs/a/last.h5", sets, count, &e) != HONE_OK) ...
 *     session_open(&s, &c.config, &how, &e);
 *     checkpoint_restore(&c, &s, NULL, NULL, &e);      // weights and states into the session
 *     checkpoint_close(&c);
 *
 * In the file (store/store.h): params/NAME, states/NAME (running statistics, ranges),
 * optimizer/STATE/NAME, masks/NAME, the text config, and as attributes the fields of Progress.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_CHECKPOINT_H
#define HONE_TRAINER_CHECKPOINT_H

#include "optim/optimizer.h"
#include "prune/prune.h"
#include "store/store.h"
#include "trainer/figures.h"
#include "trainer/session.h"

/* Where a run stands. Equal runs have equal ones, `seconds` and `metrics_bytes` apart. */
#define PROGRESS_INTS(X)                                                                           \
    X(step)          /* optimizer steps done */                                                    \
    X(epoch_correct) /* of the training images in the epoch so far */                              \
    X(best_step)     /* when best_figures were measured; -1: never */                              \
    X(test_step)     /* when test_figures were measured; -1: never */                              \
    X(pending)       /* 1: the end of the epoch, which is reached, was not evaluated yet */        \
    X(complete)      /* 1: the last boundary was acted on and the final weights stand */           \
    X(teacher_mark)  /* of the teacher's numbers; 0: none */                                       \
    X(metrics_bytes) /* length of metrics.jsonl */
#define PROGRESS_REALS(X)                                                                          \
    X(epoch_loss)   /* sum over the steps of the epoch so far */                                   \
    X(test_loss)    /* of the last evaluation */                                                   \
    X(images_per_s) /* median over the steps of the session that saved */                          \
    X(seconds)      /* the run has taken */
/* Fields X_figures, attributes X_accuracy, X_mse, X_auc. */
#define PROGRESS_FIGURES(X)                                                                        \
    X(best)  /* of what the run is in now: float, pruned, quantized */                             \
    X(test)  /* of the last evaluation */                                                          \
    X(float) /* before quantization; not measured until then, as the next */                       \
    X(ptq)   /* calibrated and not yet trained quantized */

typedef struct Progress {
#define PROGRESS_FIELD(name) int64_t name;
    PROGRESS_INTS(PROGRESS_FIELD)
#undef PROGRESS_FIELD
#define PROGRESS_FIELD(name) double name;
    PROGRESS_REALS(PROGRESS_FIELD)
#undef PROGRESS_FIELD
#define PROGRESS_FIELD(name) Figures name##_figures;
    PROGRESS_FIGURES(PROGRESS_FIELD)
#undef PROGRESS_FIELD
} Progress;

/* The state before the first step. */
void progress_init(Progress *p);

/* ---- saving ---- */

/* Writes the session's parameters and states, and optimizer, pruner (each may be NULL) and progress
 * to path, replacing it as a whole. */
HONE_CHECKED int checkpoint_save(const char *path, const Session *s, Optimizer *optimizer,
                                 Pruner *pruner, const Progress *progress, Error *e);

/* ---- reading ---- */

typedef struct Checkpoint {
    Store *store;
    Config config; /* as the checkpoint carries it, with the caller's overrides */
    Progress progress;
} Checkpoint;

/* Opens the file, reads configuration and progress. Overrides as config_load's. Errors: what
 * store_open and config_parse say; ERR_DATA for a checkpoint that lacks them. */
HONE_CHECKED int checkpoint_open(Checkpoint *c, const char *path, const char *const *sets,
                                 size_t count, Error *e);
void checkpoint_close(Checkpoint *c);

/* Loads parameters and states into the session, and the optimizer's and pruner's arrays where these
 * are given. A model of another architecture gives one sentence with the tensor and both shapes
 * (ERR_SHAPE, ERR_DATA); nothing is changed then. */
HONE_CHECKED int checkpoint_restore(const Checkpoint *c, Session *s, Optimizer *optimizer,
                                    Pruner *pruner, Error *e);

#endif
