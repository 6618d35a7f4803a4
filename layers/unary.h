/* Functions of one number on codes, for ops with Op.unary: everything is looked up in tables of 256.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_LAYERS_UNARY_H
#define HONE_LAYERS_UNARY_H

#include "core/graph.h"

/* What the 256 codes of a grid become, or the slopes there, by code + 128. */
void unary_table(const Node *n, Real scale, int32_t zero_point, bool slopes, Real *table);

/* Of a Run whose in[0] is codes: real numbers out of them, and back. reads: OP_IN(0). */
void unary_needs(const Run *r, Needs *needs);
void unary_forward(const Run *r);
void unary_backward(const Run *r);

/* rescale, integer and lower of such an op; its table has HONE_RT_TABLE bytes. */
HONE_CHECKED int unary_rescale(const Node *n, IntegerLayer *layer, Error *e);
void unary_integer(const Run *r);
void unary_lower(const Node *n, HoneRtOp *op);

#endif
