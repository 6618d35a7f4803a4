/* Gradient checks: an op's backward against central differences of its forward, in the double build.
 *
 *     static Value *build_relu(Graph *g) {
 *         return layer_relu(g, "relu", gradcheck_source(g, "x", SHAPE4(2, 3, 3, 5), 0, 1));
 *     }
 *     static const GradCase relu = {"relu", &op_relu, build_relu};
 *     GradResult worst = gradcheck(&relu);          // worst.error <= 1e-6
 *
 * Everything differentiable is a parameter, so every element of every input and parameter is moved.
 * A source is a parameter behind an identity node: an activation, as in a network, whose gradient
 * may be computed in place. The output is summed with fixed weights of both signs (an output that is
 * a loss already is taken as it is). Each case runs three times: as planned, with no memory shared,
 * and with a second consumer of every source and parameter, where the op must add instead of
 * overwrite. Batches are part of the shapes here. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_GRADCHECK_H
#define HONE_TESTS_GRADCHECK_H

#include "core/exec.h"

typedef struct GradCase {
    const char *name;
    const Op *op; /* of which it is a case; must be in the graph */
    Value *(*build)(Graph *g);
    /* Moves first values, e.g. away from ties; may be NULL. */
    void (*prepare)(const Graph *g, Params *p);
    bool quantize; /* Mode.quantize */
    bool freeze;   /* Control.freeze_batchnorm */
    /* Closed form where differences cannot be taken (straight-through): dy[i] / dx of the first
     * parameter's element i, which has the value x; other parameters are not checked. NULL: none. */
    double (*slope)(size_t i, double x);
} GradCase;

typedef struct GradResult {
    double error; /* the worst |a - n| / max(|a|, |n|, floor) of analytic a and numeric n */
    char where[160];
} GradResult;

/* Parameter "name", normal, behind an identity node. */
Value *gradcheck_source(Graph *g, const char *name, Shape shape, double mean, double deviation);
/* The numbers of a parameter or state. */
Real *gradcheck_at(const Graph *g, const Params *p, const char *name);
/* All three runs; fails the running test (Check) where something cannot be built. */
GradResult gradcheck(const GradCase *c);
/* Loss and gradients are the same bits with 1, 2 and 3 threads; fails the running test if not. */
void gradcheck_threads(const GradCase *c);

#endif
