/* What an update rule provides; seen by optim/ and its tests. See optimizer.h for the contract.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_OPTIM_RULE_H
#define HONE_OPTIM_RULE_H

#include "optim/optimizer.h"

#include <math.h>
#include <string.h>

#define OPTIMIZER_STATES_MAX 3 /* of a rule */

/* A stretch of the flat block whose elements are all treated alike. */
typedef struct OptimizerSpan {
    size_t count;
    Real *value;                       /* [count], as all below */
    Real *grad;                        /* zeroed where the mask is 0 */
    Real *state[OPTIMIZER_STATES_MAX]; /* as many as the rule has */
    const uint8_t *mask;               /* or NULL: nothing is pruned */
    Real lr;
    int64_t step; /* which this is, from 1 */
    bool decay;   /* whether weight decay applies */
} OptimizerSpan;

typedef struct OptimizerRule {
    /* The selector's text, a line of help and the options, which fill an OptimizerOptions. */
    OptionVariant variant;
    /* Names of the state arrays that these options need, NULL-terminated, constant, at most
     * OPTIMIZER_STATES_MAX. */
    const char *const *(*states)(const OptimizerOptions *options);
    /* Conditions between the options, as OptionTable.check; may be NULL. */
    int (*check)(const OptimizerOptions *options, Error *e);
    /* Updates one span. Called by many threads at once for spans that do not overlap. */
    void (*update)(const OptimizerOptions *options, const OptimizerSpan *span);
} OptimizerRule;

/* x where m is 1, +0 where it is 0. On the bits: a product would keep NaNs and signs alive, and a
 * choice between floats by a byte does not vectorize. */
static inline Real optimizer_keep(Real x, uint8_t m)
{
#ifdef HONE_DOUBLE
    uint64_t bits, all = (uint64_t)0 - m;
#else
    uint32_t bits, all = (uint32_t)0 - m;
#endif
    memcpy(&bits, &x, sizeof bits);
    bits &= all;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The root in the type of the parameters, rounded once. */
static inline Real optimizer_sqrt(Real x)
{
#ifdef HONE_DOUBLE
    return sqrt(x);
#else
    return sqrtf(x);
#endif
}

#define OPTIMIZER(name) extern const OptimizerRule optimizer_##name;
#include "optim/optimizers.def"
#undef OPTIMIZER

#endif
