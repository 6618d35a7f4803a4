/* A node of a graph bound to memory by hand, so that a test chooses what each input is: reals or
 * codes, with or without gradients, overwritten or added to. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_BOUND_H
#define HONE_TESTS_BOUND_H

#include "core/graph.h"
#include "core/rng.h"

typedef struct Bound {
    Run run;
    Tensor in[NODE_INPUTS_MAX], out;
    Tensor scale[2], zero_point; /* of in[0] and in[1] as codes */
    Mode mode;
    Control control;
} Bound;

/* Binds n at the given batch. codes: inputs 0 and 1 are codes. Data is random from rng: reals normal,
 * codes of the whole range, scales positive; gradients of the output random, of the inputs filled
 * with `old`. Everything but the parameters is new memory. Fails the test when there is none. */
void bound_init(Bound *b, const Node *n, const Compute *compute, int batch, bool codes,
                bool training, Real old, Rng *rng);
/* Sizes and allocates scratch, exactly what the op asks for; call after changing elems. */
void bound_scratch(Bound *b);
void bound_release(Bound *b);

/* The real value of element i of a tensor that is reals or codes; channel of codes with a scale per
 * channel. */
Real bound_real(const Tensor *t, size_t i, size_t channel);

#endif
