/* An experiment made ready: machine, data, graph and parameters of one configuration. Everything that
 * trains, evaluates, exports or measures starts from a session.
 *
 *     Session s;
 *     SessionOptions how = {.threads = 0, .level = getenv("HONE_CPU")};
 *     if (session_open(&s, &config, &how, &e) != HONE_OK) ...
 *     session_close(&s);
 *
 * One graph serves all compilations; the quantization and fusion passes have run where the
 * configuration has a `qat` section. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_SESSION_H
#define HONE_TRAINER_SESSION_H

#include "core/exec.h"
#include "qat/integer.h"
#include "trainer/config.h"

typedef struct SessionOptions {
    int threads;            /* 0: as the configuration says */
    const char *level;      /* of kernels: "ref", "avx2", "avx512"; NULL: the best */
    const char *data_root;  /* NULL: dataset_root() */
    const Compute *compute; /* another session's, which outlives this one; NULL: one of its own */
    bool without_data;      /* do not open the data set: plans, inspection */
} SessionOptions;

typedef struct Session {
    const Config *config; /* borrowed, outlives the session */
    Compute compute;
    bool borrowed;    /* compute is another session's */
    Dataset *dataset; /* NULL without_data */
    Graph graph;
    Model model;
    const Value
        *logits; /* what the loss reads: the model's outputs, with qat their codes' values */
    const Value *scores;              /* what the artifact gives: the logits, or their softmax */
    const Value *teacher, *soft_loss; /* with distill: the teacher's logits, an input, and the loss
                                         on them, which counts once exec_weigh says so; else NULL */
    Params params;                    /* first values drawn from the configuration's seed */
} Session;

/* Errors: what the parts say; ERR_CONFIG where the data set's images or classes are not the
 * model's, or its outputs not the classes. A failure leaves nothing to close. */
HONE_CHECKED int session_open(Session *s, const Config *config, const SessionOptions *options,
                              Error *e);
void session_close(Session *s);

/* HONE_ERR_CONFIG, with the key's place, where the data's images or classes are not the model's; and
 * where there are fewer training images than a batch takes. */
HONE_CHECKED int session_check_data(const Session *s, const DatasetInfo *d, Error *e);
HONE_CHECKED int session_check_batch(const Session *s, const DatasetInfo *d, Error *e);

/* Numbers that the model gives for an image: its classes, or those of the image itself. */
int session_outputs(const Session *s);

/* Whether these are scores of classes. */
bool session_classifies(const Session *s);

/* Compiles the session's graph; the caller frees. The logits can be read after a step: with
 * Mode.integer, which needs a plan that outlives x, as codes at integer_source(s->logits). */
HONE_CHECKED int session_compile(const Session *s, Exec **x, Mode mode, int batch,
                                 const IntegerPlan *plan, Error *e);

#endif
