/* From parameters to integers: the folding of batch-norm and the constants of integer inference.
 *
 * integer_plan_new looks at every quantized layer of the graph (anchor op, its batch-norm, its
 * activation: qat/insert.h) with running statistics and current ranges and makes the IntegerLayer
 * that the trainer's evaluation (Exec, Mode.integer) and the exporter both read. Folding happens
 * here and nowhere else. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_QAT_INTEGER_H
#define HONE_QAT_INTEGER_H

#include "core/params.h"

typedef struct IntegerPlan {
    IntegerLayer *layers; /* [graph->node_count], by node index; only quantized layers are filled */
    int count;
    uint32_t profile; /* of fixed.h: how the layers requantize */
    Arena arena;      /* holds every array the layers point to */
} IntegerPlan;

/* Reads params (weights, batch-norm, ranges) as they are now; compute gives the kernels that the
 * weights are packed for; profile is HONE_RT_S24 or HONE_RT_D31. Weights and biases are the same in
 * all profiles. Errors: ERR_CONFIG where a range was never observed, ERR_NUMERIC where a
 * sum could overflow int32 or a multiplier cannot be represented; the sentence names the layer.
 * The plan is the caller's to free; graph, params and compute are not kept. */
HONE_CHECKED int integer_plan_new(IntegerPlan *plan, const Graph *graph, const Params *params,
                                  const Compute *compute, uint32_t profile, Error *e);
void integer_plan_free(IntegerPlan *plan);

/* Where the codes of a value come from in integer evaluation: the output of a node with Op.integer,
 * or an input of the graph. Follows the nodes that have no integer form of their own. */
const Value *integer_source(const Value *v);

#endif
