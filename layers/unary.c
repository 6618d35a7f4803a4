/* Functions of one number, element by element: sigmoid, tanh, hard_sigmoid, hard_swish, silu,
 * leaky_relu, elu. Each is two expressions, its value and its slope.
 *
 * An input of codes has at most 256 values: forward and backward look them up in tables made for the
 * step. On codes throughout, the layer is a table of codes, which rescale makes for evaluation and
 * artifact: q -> clip(rint(f(s_x (q - z_x)) * (1 / s_y)) + z_y), the function in double, everything
 * else in float32 as fake-quant does it. SPDX-License-Identifier: Apache-2.0 */
#include "layers/unary.h"

#include "layers/elements.h"
#include "layers/layers.h"

#include <math.h>

/* The loops of a function; a is its parameter. */
typedef struct Sweeps {
    void (*values)(Real a, size_t n, const Real *x, Real *y);
    /* dx = or += f'(x) dy */
    void (*slopes)(Real a, size_t n, const Real *x, const Real *dy, bool accumulate, Real *dx);
} Sweeps;

typedef struct UnaryAttributes {
    double a; /* leaky_relu: slope, elu: alpha */
    const Sweeps *sweeps;
} UnaryAttributes;

static const UnaryAttributes *attributes_of(const Node *n)
{
    return n->attributes;
}

static int infer(Node *n, Error *e)
{
    const double a = attributes_of(n)->a;
    if (n->in[0]->elem != ELEM_REAL)
        return error_set(e, HONE_ERR_SHAPE, "%s '%s': the input '%s' is not real", n->op->name,
                         n->name, n->in[0]->name);
    if (!isfinite(a) || a < 0)
        return error_set(e, HONE_ERR_CONFIG, "%s '%s': %g is not a finite number of 0 or more",
                         n->op->name, n->name, a);
    n->out[0]->shape = n->in[0]->shape;
    return HONE_OK;
}

static bool on_codes(const Run *r)
{
    return r->in[0]->elem == ELEM_CODE;
}

static Elements span_of(const Run *r, int begin, int end)
{
    return elements_of(shape_count(r->in[0]->shape), begin, end);
}

static void run_elements(const Run *r, RunFn fn)
{
    run_chunks(r, elements_items(shape_count(r->in[0]->shape)), fn);
}

/* ---- codes in, reals out ---- */

void unary_table(const Node *n, Real scale, int32_t zero_point, bool slopes, Real *table)
{
    for (int q = -128; q < 128; q++) {
        double y, slope;
        n->op->unary(n, (double)(scale * (Real)(q - zero_point)), &y, &slope);
        table[q + 128] = (Real)(slopes ? slope : y);
    }
}

void unary_needs(const Run *r, Needs *needs)
{
    (void)r;
    needs->shared = HONE_RT_TABLE * sizeof(Real);
}

static void fill_table(const Run *r, bool slopes)
{
    unary_table(r->node, run_scale(r->in[0])[0], run_zero_point(r->in[0]), slopes, r->shared);
}

static void codes_forward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Elements e = span_of(r, begin, end);
    const int8_t *q = (const int8_t *)r->in[0]->data + e.first;
    const Real *table = (const Real *)r->shared + 128;
    Real *y = (Real *)r->out[0]->data + e.first;
    for (size_t i = 0; i < e.count; i++)
        y[i] = table[q[i]];
}

void unary_forward(const Run *r)
{
    fill_table(r, false);
    run_elements(r, codes_forward_items);
}

static void codes_backward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Elements e = span_of(r, begin, end);
    const int8_t *q = (const int8_t *)r->in[0]->data + e.first;
    const Real *table = (const Real *)r->shared + 128, *dy = r->out[0]->grad + e.first;
    Real *dx = r->in[0]->grad + e.first;
    for (size_t i = 0; i < e.count; i++)
        dx[i] = dy[i] * table[q[i]] + (r->accumulate[0] ? dx[i] : 0);
}

void unary_backward(const Run *r)
{
    fill_table(r, true);
    run_elements(r, codes_backward_items);
}

/* ---- reals ---- */

static void needs(const Run *r, Needs *needs)
{
    if (on_codes(r))
        unary_needs(r, needs);
}

static void forward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Elements e = span_of(r, begin, end);
    const UnaryAttributes *a = attributes_of(r->node);
    a->sweeps->values((Real)a->a, e.count, (const Real *)r->in[0]->data + e.first,
                      (Real *)r->out[0]->data + e.first);
}

static void forward(const Run *r)
{
    if (on_codes(r))
        unary_forward(r);
    else
        run_elements(r, forward_items);
}

static void backward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Elements e = span_of(r, begin, end);
    const UnaryAttributes *a = attributes_of(r->node);
    a->sweeps->slopes((Real)a->a, e.count, (const Real *)r->in[0]->data + e.first,
                      r->out[0]->grad + e.first, r->accumulate[0], r->in[0]->grad + e.first);
}

static void backward(const Run *r)
{
    if (on_codes(r))
        unary_backward(r);
    else
        run_elements(r, backward_items);
}

/* ---- on codes throughout ---- */

int unary_rescale(const Node *n, IntegerLayer *layer, Error *e)
{
    const Grid in = layer->in[0], out = layer->out;
    int8_t *table = layer->table;
    (void)e;
    for (int q = -128; q < 128; q++) {
        double y, slope;
        n->op->unary(n, (double)(in.scale * (float)(q - in.zero_point)), &y, &slope);
        const float code = rintf((float)y * (1 / out.scale)) + (float)out.zero_point;
        table[q + 128] = (int8_t)(code >= (float)layer->hi  ? layer->hi
                                  : code > (float)layer->lo ? (int32_t)code
                                                            : layer->lo); /* NaN: lo */
    }
    return HONE_OK;
}

static void integer_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Elements e = elements_of(shape_count(r->out[0]->shape), begin, end);
    r->compute->integer->table(r->integer->table, (const int8_t *)r->in[0]->data + e.first, e.count,
                               (int8_t *)r->out[0]->data + e.first);
}

void unary_integer(const Run *r)
{
    run_chunks(r, elements_items(shape_count(r->out[0]->shape)), integer_items);
}

void unary_lower(const Node *n, HoneRtOp *op)
{
    (void)n;
    op->kind = HONE_RT_OP_TABLE;
}

/* ---- the functions ---- */

/* Defines what Op.unary and Sweeps of a function are, and the op: value and slope are expressions of
 * x, the parameter a, both of type T. */
#define UNARY(function, value, slope_)                                                             \
    static void function##_at(const Node *n, double x, double *y, double *slope)                   \
    {                                                                                              \
        typedef double T;                                                                          \
        const T a = attributes_of(n)->a;                                                           \
        (void)a;                                                                                   \
        *y = (value);                                                                              \
        *slope = (slope_);                                                                         \
    }                                                                                              \
    static void function##_values(Real a, size_t n, const Real *from, Real *to)                    \
    {                                                                                              \
        typedef Real T;                                                                            \
        (void)a;                                                                                   \
        for (size_t i = 0; i < n; i++) {                                                           \
            const T x = from[i];                                                                   \
            to[i] = (value);                                                                       \
        }                                                                                          \
    }                                                                                              \
    static void function##_slopes(Real a, size_t n, const Real *from, const Real *dy,              \
                                  bool accumulate, Real *dx)                                       \
    {                                                                                              \
        typedef Real T;                                                                            \
        (void)a;                                                                                   \
        for (size_t i = 0; i < n; i++) {                                                           \
            const T x = from[i];                                                                   \
            dx[i] = dy[i] * (slope_) + (accumulate ? dx[i] : 0);                                   \
        }                                                                                          \
    }                                                                                              \
    static const Sweeps function##_sweeps = {function##_values, function##_slopes};                \
    const Op op_##function = {                                                                     \
        .name = #function,                                                                         \
        .flags = OP_INPLACE_GRAD,                                                                  \
        .reads = OP_IN(0),                                                                         \
        .codes = OP_IN(0),                                                                         \
        .grads = OP_IN(0),                                                                         \
        .outputs = 1,                                                                              \
        .table = HONE_RT_TABLE,                                                                    \
        .infer = infer,                                                                            \
        .needs = needs,                                                                            \
        .forward = forward,                                                                        \
        .backward = backward,                                                                      \
        .unary = function##_at,                                                                    \
        .rescale = unary_rescale,                                                                  \
        .integer = unary_integer,                                                                  \
        .lower = unary_lower,                                                                      \
    }

#define EXP(x)     (T) exp((double)(x))
#define SIGMOID(x) (1 / (1 + EXP(-(x))))
#define RAMP(x)    ((x) < -3 ? (T)0 : (x) > 3 ? (T)1 : (x) / 6 + (T)0.5)

UNARY(sigmoid, SIGMOID(x), SIGMOID(x) * (1 - SIGMOID(x)));
UNARY(tanh, (T)tanh((double)x), 1 - (T)tanh((double)x) * (T)tanh((double)x));
UNARY(hard_sigmoid, RAMP(x), x > -3 && x < 3 ? (T)1 / 6 : (T)0);
UNARY(hard_swish, x *RAMP(x), x<-3 ? (T)0 : x> 3 ? (T)1 : x / 3 + (T)0.5);
UNARY(silu, x *SIGMOID(x), SIGMOID(x) * (1 + x * (1 - SIGMOID(x))));
UNARY(leaky_relu, x > 0 ? x : a * x, x > 0 ? (T)1 : a);
UNARY(elu, x > 0 ? x : a * (T)expm1((double)x), x > 0 ? (T)1 : a * EXP(x));

static Value *build(Graph *g, const Op *op, const Sweeps *sweeps, const char *name, Value *x,
                    double a)
{
    const UnaryAttributes attributes = {a, sweeps};
    Node *n = graph_node(g, op, name, 1, &x, &attributes, sizeof attributes);
    return n ? n->out[0] : NULL;
}

#define BUILDER(function)                                                                          \
    Value *layer_##function(Graph *g, const char *name, Value *x)                                  \
    {                                                                                              \
        return build(g, &op_##function, &function##_sweeps, name, x, 0);                           \
    }

BUILDER(sigmoid)
BUILDER(tanh)
BUILDER(hard_sigmoid)
BUILDER(hard_swish)
BUILDER(silu)

Value *layer_leaky_relu(Graph *g, const char *name, Value *x, double slope)
{
    return build(g, &op_leaky_relu, &leaky_relu_sweeps, name, x, slope);
}

Value *layer_elu(Graph *g, const char *name, Value *x, double alpha)
{
    return build(g, &op_elu, &elu_sweeps, name, x, alpha);
}
