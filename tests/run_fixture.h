/* A whole run in a fraction of a second: random 8x8 images, one layer of each kind, and every phase.
 *
 *     epoch    0      1      2      3      4      5      6      4 steps of 16 images each
 *              float  | prune ..... | qat ....... | frozen
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_RUN_FIXTURE_H
#define HONE_TESTS_RUN_FIXTURE_H

#include "tests/folder.h"
#include "trainer/train.h"

#include <stddef.h>

enum { RUN_STEPS = 24, RUN_EPOCH = 4, RUN_TEST_IMAGES = 45 };

/* The configuration as YAML; overrides as of --set go on top. */
extern const char run_yaml[];

/* How run_start trains, and what it saw. */
typedef struct RunFixture {
    const char *yaml;        /* the configuration; NULL: run_yaml */
    const char *level;       /* of kernels; NULL: HONE_CPU's */
    const char *const *sets; /* NULL-terminated, or NULL */
    const char *out;
    int threads;
    bool resume;
    int64_t stop_at;    /* ask for a stop after this step; 0: never */
    int64_t stop_in;    /* ask for a stop at this report of an evaluation's progress; 0: never */
    int64_t pause_at;   /* stop the process (SIGSTOP) after this step; 0: never */
    int64_t poison_at;  /* a weight becomes NaN after this step; 0: never */
    int64_t watch_from; /* no allocation may happen between the reports of steps from here ... */
    int64_t watch_to;   /* ... to here; 0: not watched */

    Session session; /* open afterwards, whatever happened: run_end closes */
    Config config;
    Summary summary;
    Error error;
    int64_t steps, epochs, progress;      /* reports */
    bool allocated;                       /* between watched steps */
    int64_t faults, faulted;              /* page faults so far; watched steps that had one */
    double train_accuracy, test_accuracy; /* of the last epoch */
    char phases[200];                     /* names as reported, "float prune " */
    volatile sig_atomic_t stop;
} RunFixture;

/* Opens config and session and trains; returns train_run's status. */
int run_start(RunFixture *r);
void run_end(RunFixture *r);
/* Opens config and session only; fails the running test when that fails. */
void run_open(RunFixture *r);

/* The content of a file; fails the running test when there is none. The caller frees. */
unsigned char *file_bytes(const char *folder, const char *name, size_t *count);

#endif
