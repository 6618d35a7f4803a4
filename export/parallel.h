/* Runs a model of the edge runtime on several threads. The runtime itself has none: it says how an op
 * divides into rows, and this file, for hosts, has a pool run them.
 *
 *     Parallel *p;
 *     if (parallel_new(&p, &model, threads, &e) != HONE_OK) ...   // the model is prepared
 *     status = parallel_run(p, image, logits, NULL, NULL);
 *     parallel_free(p);
 *
 * Ops run in order; an op that is worth the hand-over is divided, the others stay in the caller, so
 * that two threads are not slower than one on small networks. What is divided depends on the model
 * and the number of threads only, and results are those of hone_rt_run in every bit: integers, and
 * no row depends on another. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_EXPORT_PARALLEL_H
#define HONE_EXPORT_PARALLEL_H

#include "core/threads.h"
#include "runtime/runtime.h"

typedef struct Parallel Parallel;

/* model and threads (NULL: one) are borrowed and must outlive p. Errors: ERR_MEMORY. */
HONE_CHECKED int parallel_new(Parallel **p, HoneRtModel *model, Threads *threads, Error *e);
void parallel_free(Parallel *p);

/* As hone_rt_run_traced, the caller being one of the threads. */
HoneRtStatus parallel_run(Parallel *p, const int8_t *input, int8_t *output, HoneRtTrace trace,
                          void *context);

/* Parts that an op is run in, 1: undivided. */
int parallel_parts(const Parallel *p, uint32_t op);

#endif
