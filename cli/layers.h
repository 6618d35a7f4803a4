/* A model's graph as a list of layers, for listings: a weighted layer with the batch-norm and the
 * activation behind it is one row. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CLI_LAYERS_H
#define HONE_CLI_LAYERS_H

#include "cli/table.h"
#include "trainer/session.h"

typedef struct LayerRow {
    const Node *first, *last; /* the first has the name */
    char kind[96];            /* "conv2d 3x3 /2 + batchnorm + relu6" */
    Shape out;                /* of one image */
    int64_t macs;
    int64_t params;  /* trained numbers */
    int64_t weights; /* of them, those of role PARAM_WEIGHT */
    int64_t zero_weights;
    int weight_bits, activation_bits; /* 0: not quantized */
} LayerRow;

typedef struct LayerRows {
    LayerRow *rows;
    int count;
    int64_t macs, params, weights, zero_weights;
} LayerRows;

/* Lists the session's layers in the order of execution; its graph must outlive the rows. */
HONE_CHECKED int layer_rows_new(LayerRows *l, const Session *s, Error *e);
void layer_rows_free(LayerRows *l);

/* Appends them as a table. */
void layer_rows_print(const LayerRows *l, Text *out);
/* The columns of that table, for one that has more of them; and the cells of a row. */
#define LAYER_HEADINGS "layer", "operations", "output", "params", "MACs", "zeros", "bits"
#define LAYER_ALIGN    "llrrrrl"
void layer_row_cells(const LayerRows *l, const LayerRow *row, Table *t);

#endif
