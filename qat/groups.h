/* What the quantization pass works on: the graph's nodes grouped into quantized layers, and the
 * activations that share a grid joined into sets. insert.h has the picture; insert.c acts on it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_QAT_GROUPS_H
#define HONE_QAT_GROUPS_H

#include "qat/insert.h"

/* What one quantized activation comes from: a layer's end, an image input, or a node that passes on the
 * grid of what it reads. */
typedef struct Source {
    QuantLayer *layer; /* NULL for an input and for a node that only training has */
    Value *value;      /* before quantization; NULL where it is passed on */
    Node *pass;        /* the node that passes it on */
    int origin;        /* of a passed grid: the source that has it */
    int set;           /* union-find parent, an index of sources */
    Value *extent;     /* [2] extremes of value */
} Source;

typedef struct Groups {
    Graph *g;
    const QatOptions *o;
    Source *sources; /* [count], in the order of the graph, inputs first */
    int count;
} Groups;

/* Finds the layers of g and hangs them at their anchors, and the sets. The caller releases, in any
 * case. Errors: as qat_insert. */
HONE_CHECKED int groups_find(Groups *s, Graph *g, const QatOptions *options, Error *e);
void groups_release(Groups *s);

/* The set of source i: the first source in it. */
int groups_set(const Groups *s, int i);

#endif
