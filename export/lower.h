/* Lowering: from the graph and its integers to the integer program (runtime/program.h) that all
 * writers work from.
 *
 *     LowerSource source = {.graph = &g, .plan = &plan, .input = image, .output = logits,
 *                           .classes = 10};
 *     Lowered l;
 *     if (lower_program(&l, &source, &e) != HONE_OK) ...
 *     write_hone_bytes(&l.program, NULL, 0, &bytes, &count, &e);
 *     lower_release(&l);
 *
 * One op and one tensor per quantized layer, in the graph's order; tensor 0 is the image. The
 * trainer's integer evaluation does not read the result: export/prove.h compares the two.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_EXPORT_LOWER_H
#define HONE_EXPORT_LOWER_H

#include "core/graph.h"
#include "qat/integer.h"
#include "runtime/program.h"

typedef struct LowerSource {
    const Graph *graph;
    const IntegerPlan *plan; /* of this graph */
    const Value *input;      /* the images: an input of the graph */
    const Value *output; /* e.g. the logits: any value that a quantized layer's codes stand for */
    int classes;         /* elements of a classifier's output, else 0 */
} LowerSource;

/* A program with the memory that its pointers lead to. */
typedef struct Lowered {
    HoneRtProgram program;
    HoneRtTensor *tensors;
    HoneRtOp *ops;
    unsigned char *constants; /* 16-byte aligned */
    char *strings;
} Lowered;

/* Lowers every layer that output depends on, in the plan's profile, and plans the activation
 * memory: the input lives from before the first op, a tensor from the op that makes it to the last
 * that reads it, the output to the end; an op that can (hone_rt_op_in_place) writes over an operand
 * that dies there. Equal blobs of constants are stored once. The result owns copies of all it needs
 * and is the same bytes for the same source. Errors: ERR_CONFIG for a layer without an integer form
 * or without an encoding; ERR_SHAPE for what exceeds the limits of program.h; ERR_NUMERIC for grids
 * that do not meet; the sentence names the layer. After a failure l is empty and need not be
 * released. */
HONE_CHECKED int lower_program(Lowered *l, const LowerSource *source, Error *e);
void lower_release(Lowered *l);

#endif
