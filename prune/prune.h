/* Which weights are kept: gradual magnitude pruning.
 *
 *     Pruner *p = NULL;                                    // config.prune.present
 *     if (pruner_new(&p, &config.prune, &graph, steps_per_epoch, total_steps, e) != HONE_OK) ...
 *     for (step = first; step < total_steps; step++) {
 *         pruner_update(p, &params, step);                 // before the step's forward
 *         ...forward, backward...
 *         optimizer_step(o, &params, pruner_masks(p), lr, pool);
 *     }
 *     pruner_update(p, &params, total_steps);              // a schedule may end with the run
 *
 * A step number is a boundary: how many optimizer steps are done. With t0 and t1 the boundaries of
 * begin_epoch and end_epoch, masks change at t0, t0 + every, t0 + 2 every, ... below t1, and at t1
 * exactly, where the sparsity is final_sparsity:
 *     s(t) = s_f + (s_i - s_f) (1 - (t - t0) / (t1 - t0))^3
 * Each layer by itself keeps max(1, round(N (1 - s))) of its N weights: the largest |w|, of equal
 * ones the lower index; what was pruned once stays pruned. Masks cover weights of convolution,
 * depthwise and dense layers (PARAM_WEIGHT); everything else is kept.
 * Zhu and Gupta, "To prune, or not to prune", 2017, eq. 1. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_PRUNE_PRUNE_H
#define HONE_PRUNE_PRUNE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "core/option.h"
#include "core/params.h"

typedef struct PruneScheduleOptions {
    int kind;                      /* polynomial is the only one */
    double begin_epoch, end_epoch; /* boundaries, fractions allowed */
    double initial_sparsity, final_sparsity;
    int64_t every_steps;
} PruneScheduleOptions;

typedef struct PruneOptions {
    bool present; /* the section is optional */
    int method;   /* magnitude is the only one */
    PruneScheduleOptions schedule;
    OptionTexts exclude; /* fnmatch patterns of layer names, "stem", "block*.depthwise" */
} PruneOptions;

extern const OptionTable prune_options;

typedef struct Pruner Pruner;

/* Makes a pruner that keeps everything so far. options and graph (complete) are read here and not
 * kept. Errors: HONE_ERR_CONFIG for a pattern that matches no layer with weights, for exclusions
 * that leave nothing, for a schedule none of whose steps falls in 0..total_steps; HONE_ERR_MEMORY.
 * A schedule that ends after the run is cut off: the run ends at pruner_target(p, total_steps). */
HONE_CHECKED int pruner_new(Pruner **p, const PruneOptions *options, const Graph *graph,
                            int64_t steps_per_epoch, int64_t total_steps, Error *e);
void pruner_free(Pruner *p);

/* At a boundary of the schedule, prunes by the current weights, sets pruned weights to zero and
 * returns true; elsewhere does nothing. Gradients and optimizer states follow in optimizer_step.
 * params must be of the graph given to pruner_new. No allocation. */
bool pruner_update(Pruner *p, Params *params, int64_t step);

/* One byte per trained Real in the layout of Params.value, [trained_count]: 1 kept, 0 pruned.
 * The pruner owns it. It is the pruner's whole state: a checkpoint saves this array, loads into it
 * and calls pruner_check. */
uint8_t *pruner_masks(Pruner *p);
/* Refuses loaded masks that no pruner of these options could have made (HONE_ERR_DATA). */
HONE_CHECKED int pruner_check(const Pruner *p, Error *e);

/* The boundaries t0 and t1; t1 may lie after the run. */
int64_t pruner_begin(const Pruner *p);
int64_t pruner_end(const Pruner *p);
/* Whether masks change at this boundary. */
bool pruner_is_due(const Pruner *p, int64_t step);
/* The sparsity asked for after boundary `step`: 0 before t0, between updates that of the last one,
 * final_sparsity from t1 on. */
double pruner_target(const Pruner *p, int64_t step);

/* A layer that is pruned; its sparsity is 1 - kept / count. */
typedef struct PruneLayer {
    const char *name; /* the layer's, "block3.project"; belongs to the pruner */
    size_t count;     /* weights */
    size_t kept;      /* of them, by the mask */
} PruneLayer;

/* Those that are pruned; i in [0, pruner_layer_count). */
int pruner_layer_count(const Pruner *p);
PruneLayer pruner_layer(const Pruner *p, int i);
/* Pruned share of all weights in the layers that are pruned, 0..1. */
double pruner_sparsity(const Pruner *p);

#endif
