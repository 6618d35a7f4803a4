/* How fast a configuration trains, on random images held in memory or on its data set.
 *
 *     BenchOptions how = {.quantize = true, .batch = 64, .steps = 50, .profile = true};
 *     BenchResult r;
 *     if (bench_step(&r, &session, &how, &e) != HONE_OK) ...
 *     bench_release(&r);
 *
 * A step is everything but the making of images: forward, backward, optimizer, commit; of a data set
 * also the wait for the loader. The profile holds each part against what the machine can do
 * (core/work.h). Besides: an artifact to time the runtime with, without training one.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_BENCH_H
#define HONE_TRAINER_BENCH_H

#include "core/work.h"
#include "trainer/session.h"

typedef struct BenchOptions {
    bool quantize;     /* the session must have a qat section; calibrated on random images first */
    int batch;         /* 0: as the configuration says */
    int steps;         /* timed, after `warmup`; 0: 30 */
    int warmup;        /* 0: 3 */
    Backward backward; /* BACKWARD_AUTO: as the configuration says */
    bool data;         /* batches from the data set, as in training; batch must be 0 */
    bool profile;      /* per-node costs; costs two clock calls per node and pass */
} BenchOptions;

/* A part of a step, a mean over the timed steps. */
typedef struct BenchPart {
    double ms;
    int64_t macs, bytes; /* as work.h counts them */
    double least_ms;     /* what the ceilings allow; least_ms / ms is the share of them */
    const char *limit;   /* the ceiling that does: an arithmetic or "memory"; NULL: several */
} BenchPart;

/* What a node costs in a step. */
typedef struct BenchCost {
    const char *name, *kind; /* the node's and its op's; they live as long as the session's graph */
    BenchPart forward, backward;
    double finish_ms;
} BenchCost;

typedef enum BenchPhase {
    BENCH_DATA,      /* waiting for the loader */
    BENCH_FORWARD,   /* all nodes */
    BENCH_BACKWARD,  /* all nodes */
    BENCH_OPTIMIZER, /* the weights' update */
    BENCH_FINISH,    /* ranges and running statistics move */
    BENCH_PHASES,
} BenchPhase;

typedef struct BenchResult {
    double images_per_s; /* from the median step */
    double ms_per_step;  /* the median step */
    double ms_p10, ms_p90;
    int64_t peak_rss_bytes;
    int64_t arena_bytes;
    int batch, threads, steps;
    const char *mode;      /* "float", "qat" */
    const char *cpu;       /* level of the kernels */
    const char *blas_core; /* lives as long as the session */
    BenchCost *costs;      /* with profile, in the order of execution, and what follows */
    int cost_count;
    BenchPart phases[BENCH_PHASES];
    Ceilings ceilings;
} BenchResult;

/* Without options->data the session may be opened without_data; its parameters are trained on noise. */
HONE_CHECKED int bench_step(BenchResult *r, Session *s, const BenchOptions *options, Error *e);
void bench_release(BenchResult *r);

/* The bytes of an artifact of the session as it stands: weights drawn from its seed when it was just
 * opened, ranges from random images. What it computes is worthless, how long that takes is not. The
 * session must have a qat section, and may be opened without_data; *bytes is the caller's to free. */
HONE_CHECKED int bench_artifact(Session *s, unsigned char **bytes, size_t *count, Error *e);

#endif
