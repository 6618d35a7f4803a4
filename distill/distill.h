/* Distillation: a student is trained on what a teacher answers, beside the labels. Sees tensors only;
 * who the teacher is, is the trainer's business.
 *
 *     Value *teacher = graph_input(&g, "teacher", logits->shape, ELEM_REAL);
 *     Value *soft = distill_soft_loss(&g, "distill", logits, teacher, options->temperature);
 *     ...
 *     distill_weights(options, step, per_epoch, &hard, &soft);         // exec_weigh() takes them
 *
 * The loss of a step is weight_hard times the loss on labels plus weight_soft times
 *     T^2 / N sum over rows of KL(p_t || p_s),   p = softmax(logits / T)
 * T^2 keeps the gradient's size whatever T is. Hinton, Vinyals and Dean, "Distilling the knowledge in
 * a neural network", 2015, sec. 2. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_DISTILL_DISTILL_H
#define HONE_DISTILL_DISTILL_H

#include "core/graph.h"
#include "core/option.h"

typedef struct DistillTeacherOptions {
    const char *checkpoint; /* of a run of ours */
} DistillTeacherOptions;

typedef struct DistillOptions {
    bool present; /* the section is optional */
    DistillTeacherOptions teacher;
    double temperature;              /* T > 0 */
    double weight_hard, weight_soft; /* while distillation lasts; else 1 and 0 */
    double begin_epoch;
    double end_epoch;   /* -1: to the end of training */
    double ramp_epochs; /* from begin_epoch on the weights move from 1 and 0 in a straight line */
} DistillOptions;

extern const OptionTable distill_options;

/* The weights of step `step`, 0-based: both are at their options in [begin + ramp, end). */
void distill_weights(const DistillOptions *o, int64_t step, int64_t steps_per_epoch, double *hard,
                     double *soft);

/* The scalar above (without a weight) of student logits [N, K], which get a gradient, and teacher
 * logits [N, K], which do not. Errors are the graph's. */
Value *distill_soft_loss(Graph *g, const char *name, Value *student, Value *teacher,
                         double temperature);

#define OP(op) extern const Op op;
#include "distill/ops.def"
#undef OP

#endif
