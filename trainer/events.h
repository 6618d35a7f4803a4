/* What a run tells its caller while it goes on, and how the caller tells it to stop. The trainer
 * prints nothing: it fills these reports and calls the functions that are there; any of them may be
 * NULL.
 *
 *     TrainEvents events = {.context = &bar, .step = bar_step, .epoch = bar_epoch};
 *
 * Reports and texts are valid during the call only. Calls come from the thread that runs the
 * training, `step` after every step: it must be quick. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_EVENTS_H
#define HONE_TRAINER_EVENTS_H

#include "core/error.h"
#include "trainer/figures.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* After a step. */
typedef struct StepReport {
    int64_t step, total;   /* steps done, this one included, and steps of the whole run */
    int64_t epoch, epochs; /* the epoch that the step belongs to, from 0, and how many there are */
    int64_t epoch_step, epoch_steps; /* steps done in this epoch, and how many it has */
    const char *phase;               /* as phases_name */
    double loss;                     /* of this step's batch */
    bool distilled;                  /* the loss is a weighted sum of the next two: */
    double hard_loss, soft_loss;     /* on labels, on the teacher's answers */
    double mean_loss;                /* of the epoch so far */
    double accuracy; /* of the epoch's training batches so far, 0..1; FIGURE_NONE without classes */
    double lr;
    double gradient_norm; /* before clipping; 0 without train.clip_norm */
    double images_per_s;  /* recent, a moving average */
    double seconds_left;  /* of training steps, at that speed */
} StepReport;

/* At an epoch's end, after its evaluation and before its checkpoint. */
typedef struct EpochReport {
    int64_t epoch, epochs;
    int64_t step;                      /* done so far */
    const char *phase;                 /* of the epoch's last step */
    double train_loss, train_accuracy; /* accuracy as above */
    double lr;                         /* of the last step */
    double sparsity;                   /* of the layers that are pruned; 0 without pruning */
    bool evaluated;                    /* else the next three say nothing */
    double test_loss;
    Figures test_figures;
    bool integer; /* evaluated in integer arithmetic, as the artifact will compute; else in float */
    bool best;    /* this epoch's weights went to best.h5 */
    double images_per_s; /* median over the epoch's steps */
    double seconds;      /* the run has taken so far, earlier sessions included */
} EpochReport;

/* When the phase changes, before the first step of the new one; also once at the start. */
typedef struct PhaseReport {
    const char *phase; /* as phases_name; at the very end "export" */
    int64_t epoch, step;
    const char *text; /* one sentence: "quantization: 20 batches calibrated, float 93.1 % ..." */
} PhaseReport;

typedef struct TrainEvents {
    void *context;                                    /* given to each function */
    void (*message)(void *context, const char *text); /* one sentence, no newline */
    void (*phase)(void *context, const PhaseReport *report);
    void (*step)(void *context, const StepReport *report);
    void (*epoch)(void *context, const EpochReport *report);
    /* While something takes long (evaluation, proof): done of all, what. */
    void (*progress)(void *context, const char *what, int64_t done, int64_t all);
    const volatile sig_atomic_t *stop; /* non-zero: save and return; NULL: never */
} TrainEvents;

/* Reports a formatted sentence to events->message; events may be NULL. */
void events_message(const TrainEvents *events, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* ERR_INTERRUPTED, with a sentence, where the caller asks for a stop. */
HONE_CHECKED int events_progress(const TrainEvents *events, const char *what, int64_t done,
                                 int64_t all, Error *e);
bool events_stopped(const TrainEvents *events);

#endif
