/* The static graph: what is computed, without memory. Builders append nodes (creation order is a
 * topological order), passes insert nodes, exec.h compiles.
 *
 *     Graph g;
 *     graph_init(&g);
 *     Value *x = graph_input(&g, "image", SHAPE4(1, 32, 32, 3), ELEM_REAL);
 *     Value *w = graph_param(&g, "stem.weight", SHAPE4(16, 3, 3, 3), PARAM_WEIGHT, init);
 *     Node *n = graph_node(&g, &op_conv2d, "stem", 2, (Value *[]){x, w}, &attributes, sizeof ...);
 *     if (graph_failed(&g, &e)) ...
 *
 * Errors are sticky: after the first, builders return NULL, accept NULL values, and do nothing, so
 * a model is written without checks and tested once at its end. Everything belongs to the graph's
 * arena. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_GRAPH_H
#define HONE_CORE_GRAPH_H

#include "core/arena.h"
#include "core/op.h"

typedef enum ValueKind {
    VALUE_INPUT,      /* filled by the caller before each step */
    VALUE_ACTIVATION, /* made by a node */
    VALUE_PARAM,      /* trained; lives in the flat block of params.h */
    VALUE_STATE,      /* kept, not trained: running statistics, ranges */
} ValueKind;

typedef enum ParamRole {
    PARAM_WEIGHT, /* of a convolution or dense layer: decays, is pruned */
    PARAM_BIAS,
    PARAM_GAMMA,
    PARAM_BETA,
    PARAM_STATE, /* not trained */
} ParamRole;

/* Where a parameter's first values come from: mean + deviation * standard normal. */
typedef struct Init {
    double mean;
    double deviation; /* 0: constant */
} Init;

typedef struct Param {
    const char *name; /* unique, "stem.weight" */
    Shape shape;
    ParamRole role;
    Init init;
    size_t offset; /* in its flat block (trained or state), in Reals */
    size_t count;
} Param;

struct Value {
    int id;
    const char *name;
    ValueKind kind;
    Shape shape; /* per sample: dim[0] is 1 for batched values */
    bool batched;
    Elem elem;         /* when not quantized; a fake-quant node's output is codes when it is */
    Value *scale;      /* grid of a fake-quant node's output, else NULL */
    Value *zero_point; /* NULL: 0 */
    Node *producer;    /* NULL for inputs, parameters and states */
    Param *param;      /* VALUE_PARAM and VALUE_STATE */
};

struct Node {
    int index; /* position in the graph */
    const Op *op;
    const char *name; /* unique: the layer's name */
    int inputs, outputs;
    Value *in[NODE_INPUTS_MAX];
    Value *out[NODE_OUTPUTS_MAX];
    const void *attributes; /* the op's own struct */
    void *quant;            /* qat/: how a quantized layer is grouped; NULL elsewhere */
    /* OP_FUSED: the nodes that it acts for, earlier in the graph, and for each of its outputs the
     * one of theirs that it makes; their other outputs are read among themselves only. */
    const Node *const *covers;
    int cover_count;
    const Value *stands_for[NODE_OUTPUTS_MAX];
};

typedef struct Graph {
    Arena arena;
    Error error;
    Node **nodes;
    int node_count, node_room;
    Value **values;
    int value_count, value_room;
    Param **params; /* in creation order, both blocks */
    int param_count, param_room;
    size_t trained_count, state_count; /* sizes of the flat blocks, in Reals */
} Graph;

void graph_init(Graph *g);
void graph_release(Graph *g);
/* Copies a sticky error to e; returns its code, HONE_OK where there is none. */
int graph_failed(const Graph *g, Error *e);

/* shape is per sample with dim[0] = 1; the batch comes at compilation. */
Value *graph_input(Graph *g, const char *name, Shape shape, Elem elem);
/* A trained parameter, or with PARAM_STATE a kept one. Names are unique. Each parameter starts at a
 * multiple of 16 Reals in its block; the gap is zero for ever. */
Value *graph_param(Graph *g, const char *name, Shape shape, ParamRole role, Init init);
/* Appends a node; attributes are copied. Outputs are named after the node. Names are unique, inputs are
 * values of this graph. */
Node *graph_node(Graph *g, const Op *op, const char *name, int inputs, Value *const *in,
                 const void *attributes, size_t bytes);
/* As graph_node, but at position index (its inputs must come before it). */
Node *graph_node_at(Graph *g, int index, const Op *op, const char *name, int inputs,
                    Value *const *in, const void *attributes, size_t bytes);
/* Makes every node from position index on read `now` where it read `was`. */
void graph_rewire(Graph *g, int index, const Value *was, Value *now);

/* By name; NULL where there is none. */
Node *graph_find_node(const Graph *g, const char *name);
Param *graph_find_param(const Graph *g, const char *name);
/* The nodes that read v, in order; returns how many, at most room are stored. */
int graph_consumers(const Graph *g, const Value *v, Node **out, int room);
/* Multiply-accumulates of one sample. */
int64_t graph_macs(const Graph *g);
/* Trained numbers in the flat block, gaps not counted. */
int64_t graph_trained(const Graph *g);

#endif
