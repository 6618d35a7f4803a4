/* How gradients change weights.
 *
 *     Optimizer *o = NULL;
 *     if (optimizer_new(&o, &config.optimizer, &graph, e) != HONE_OK) goto out;
 *     ...exec_backward fills params.grad...
 *     optimizer_step(o, &params, pruner ? pruner_masks(pruner) : NULL, step, lr, pool);
 *     optimizer_free(o);
 *
 * Works on the flat block of trained parameters, gaps included (a gap's value and gradient are zero
 * and stay so). Weight decay touches parameters of role PARAM_WEIGHT only: never a bias, gamma or
 * beta. The learning rate of a step is the caller's: see schedule.h. The block is cut into pieces
 * of a fixed size, so results are the same bits at any number of threads.
 *
 * A new update rule is one file with an OptimizerRule (rule.h) and one line in optimizers.def.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_OPTIM_OPTIMIZER_H
#define HONE_OPTIM_OPTIMIZER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "core/option.h"
#include "core/params.h"
#include "core/threads.h"

/* What the option table fills; `kind` indexes the lines of optimizers.def. */
typedef struct OptimizerOptions {
    int kind;
    double lr;           /* the peak that a schedule scales */
    double momentum;     /* sgd, rmsprop: share of the velocity kept per step, 0..1 */
    bool nesterov;       /* sgd: look one velocity step ahead */
    double weight_decay; /* sgd, rmsprop: added to a weight's gradient, times the weight; adamw: of
                            the weight itself, times lr */
    double beta1, beta2; /* adamw: share of the mean and of the mean square kept per step */
    double alpha;        /* rmsprop: share of the mean square kept per step */
    double epsilon;      /* adamw, rmsprop: added to the root of the mean square */
    bool centered;       /* rmsprop: divide by the deviation in place of the root mean square */
    double ema;          /* decay of the weights' running average; 0: none is kept */
} OptimizerOptions;

extern const OptionTable optimizer_options;

typedef struct Optimizer Optimizer;

/* Makes an optimizer for the trained parameters of graph, which must be complete; its states start
 * at zero. options and graph are read here and not kept. Errors: HONE_ERR_CONFIG,
 * HONE_ERR_MEMORY. */
HONE_CHECKED int optimizer_new(Optimizer **o, const OptimizerOptions *options, const Graph *graph,
                               Error *e);
void optimizer_free(Optimizer *o);

/* Applies step number `step`, from 1 and without gaps, with learning rate lr >= 0 to params->value
 * from params->grad.
 * mask [trained_count] of 0 and 1, or NULL: where it is 0, weight, gradient and states become 0,
 * whatever they were. params must be of the graph given to optimizer_new. pool may be NULL. No
 * allocation. */
void optimizer_step(Optimizer *o, Params *params, const uint8_t *mask, int64_t step, double lr,
                    Threads *pool);

/* Bytes that a step reads and writes at least: weights and states both ways, gradients one; with a
 * mask that, and gradients both ways. */
int64_t optimizer_bytes(const Optimizer *o, bool masked);

/* The running average of the weights, [trained_count] in the layout of Params.value; NULL without
 * options.ema. After step 1 it is the weights, after step t = 2, 3, ...
 *     average = d average + (1 - d) weights,   d = min(ema, t / (9 + t))
 * and 0 where the step's mask is. The rising d is TensorFlow's ExponentialMovingAverage with
 * num_updates, which counts t from 0: (1 + t) / (10 + t). */
const Real *optimizer_average(const Optimizer *o);

/* The arrays that a checkpoint keeps, each [trained_count] in the layout of Params.value; i is in
 * [0, optimizer_state_count). Names are stable: "velocity", "average". The optimizer owns data and
 * names. */
int optimizer_state_count(const Optimizer *o);
const char *optimizer_state_name(const Optimizer *o, int i);
Real *optimizer_state(const Optimizer *o, int i);

#endif
