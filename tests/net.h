/* A graph with its numbers, machine and compilation, for tests of single nodes.
 *
 *     Net t;
 *     net_init(&t);
 *     Value *x = graph_input(&t.graph, "x", SHAPE4(1, 3, 3, 4), ELEM_REAL);
 *     Value *y = layer_relu(&t.graph, "relu", x);
 *     net_compile(&t, &(NetOptions){.batch = 5});
 *     net_random(&t, x, 0, 1);
 *     exec_forward(t.exec);
 *     ... net_data(&t, y)[i] ...
 *     net_release(&t);
 *
 * Every tensor is kept. Whatever goes wrong fails the running test. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef HONE_TESTS_NET_H
#define HONE_TESTS_NET_H

#include "core/exec.h"
#include "core/rng.h"

typedef struct Net {
    Graph graph;
    Params params;
    Compute compute;
    Exec *exec;
    Rng rng;
} Net;

typedef struct NetOptions {
    Mode mode;
    int batch;                   /* 0: 1 */
    int threads;                 /* 0: 1 */
    const char *level;           /* NULL: HONE_CPU, or the best */
    const IntegerLayer *integer; /* by node index */
    bool plan;                   /* memory is shared as in training; only `keep` and inputs stay */
    const Value *keep;
} NetOptions;

void net_init(Net *t);
/* Once per net. Parameters get their first values. */
void net_compile(Net *t, const NetOptions *o);
void net_release(Net *t);

Tensor *net_tensor(const Net *t, const Value *v);
Real *net_data(const Net *t, const Value *v);
int8_t *net_codes(const Net *t, const Value *v);
/* The numbers of a parameter or state. */
Real *net_param(const Net *t, const char *name);
/* Fills an input or parameter with normal numbers, rounded to float. */
void net_random(Net *t, const Value *v, double mean, double deviation);
/* A scalar loss: sum of weight(i) y[i], weights of both signs, so that dy is known. */
Value *net_loss(Graph *g, const char *name, Value *y);
double net_loss_weight(size_t i);

/* |got - want| <= tolerance max(1, |want|), of number i of what. */
void net_near(const char *what, size_t i, double got, double want, double tolerance);
void net_all_near(const char *what, const Real *got, const double *want, size_t n,
                  double tolerance);
/* The graph was refused with a sentence that contains the text; it is empty afterwards. */
void net_refuses(Graph *g, const char *text);
/* Nodes of that op in a compilation. */
int net_count_op(const Exec *x, const Op *op);

#endif
