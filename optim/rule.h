/* What an update rule provides; seen by optim/ and its tests. See optimizer.h for the contract.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_OPTIM_RULE_H
#define HONE_OPTIM_RULE_H

#include "optim/optimizer.h"

#define OPTIMIZER_STATES_MAX 2

/* A stretch of the flat block whose elements are all treated alike. */
typedef struct OptimizerSpan {
    size_t count;
    Real *value;                       /* [count], as all below */
    Real *grad;                        /* zeroed where the mask is 0 */
    Real *state[OPTIMIZER_STATES_MAX]; /* as many as the rule has */
    const uint8_t *mask;               /* or NULL: nothing is pruned */
    Real lr;
    bool decay; /* whether weight decay applies */
} OptimizerSpan;

typedef struct OptimizerRule {
    /* The selector's text, a line of help and the options, which fill an OptimizerOptions. */
    OptionVariant variant;
    /* Names of the state arrays, NULL-terminated, at most OPTIMIZER_STATES_MAX. */
    const char *const *states;
    /* Conditions between the options, as OptionTable.check; may be NULL. */
    int (*check)(const OptimizerOptions *options, Error *e);
    /* Updates one span. Called by many threads at once for spans that do not overlap. */
    void (*update)(const OptimizerOptions *options, const OptimizerSpan *span);
} OptimizerRule;

#define OPTIMIZER(name) extern const OptimizerRule optimizer_##name;
#include "optim/optimizers.def"
#undef OPTIMIZER

#endif
