/* The numbers of a model: two flat blocks, the trained parameters with their gradients and the
 * states (running statistics, ranges). Every compilation of the graph points into them; optimizers,
 * masks and checkpoints work on them as plain arrays, cut into segments by Graph.params.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_PARAMS_H
#define HONE_CORE_PARAMS_H

#include "core/graph.h"

typedef struct Params {
    const Graph *graph;
    Real *value; /* [graph->trained_count], 64-byte aligned */
    Real *grad;  /* the same layout */
    Real *state; /* [graph->state_count] */
} Params;

/* Allocates the blocks and draws the first values: a pure function of seed and each parameter's
 * name, so that adding a layer leaves the others' values alone. The graph must be complete (all
 * passes that add parameters done) and outlive p. */
HONE_CHECKED int params_new(Params *p, const Graph *graph, uint64_t seed, Error *e);
void params_free(Params *p);
/* The first element of a parameter or state. */
Real *params_at(const Params *p, const Param *param);

#endif
