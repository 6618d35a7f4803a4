/* Fused nodes against the simple nodes they stand for, layer by layer: one graph and one set of
 * parameters, compiled with and without fusion.
 *
 *     image > first (1x1) > layer > loss              layer: the case's
 *               +---------> second > loss             with a second reader of its input
 *               +---------> add                       additions: with the layer's output
 *
 * The loss has fixed weights, so both compilations give the layer the same codes and the same
 * gradient. Scratch is poisoned before each pass. Codes, extents and states must be the same bits; gradients agree to a ten-thousandth of
 * the tensor's largest. SPDX-License-Identifier: Apache-2.0 */
#include "core/exec.h"
#include "core/rng.h"
#include "layers/layers.h"
#include "qat/fuse.h"
#include "qat/insert.h"
#include "qat/nodes.h"
#include "tests/effort.h"
#include "tests/net.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 20261123 };

typedef enum Kind { CONV, DEPTHWISE, DENSE, ADD } Kind;
typedef enum Activation { NONE, RELU, RELU6, ACTIVATIONS } Activation;

typedef struct Case {
    const char *name;
    Kind kind;
    int kernel, stride, dilation;
    int side, in_c, out_c, batch;
    int groups; /* DEPTHWISE: the multiplier */
    /* What is varied. */
    bool norm, bias, freeze, second;
    Activation activation;
} Case;

/* Flat layers come with few rows and many weights (dW in slices) and the other way round (many outputs
 * are computed again instead of kept). */
static const Case cases[] = {
    {"3x3", CONV, 3, 1, 1, 9, 16, 24, 5, 1, 0, 0, 0, 0, NONE},
    {"3x3 /2", CONV, 3, 2, 1, 10, 5, 10, 20, 1, 0, 0, 0, 0, NONE},
    {"3x3 dilated", CONV, 3, 1, 2, 8, 3, 16, 17, 1, 0, 0, 0, 0, NONE},
    {"1x1, few rows", CONV, 1, 1, 1, 4, 16, 96, 7, 1, 0, 0, 0, 0, NONE},
    {"1x1, many rows", CONV, 1, 1, 1, 23, 20, 5, 16, 1, 0, 0, 0, 0, NONE},
    {"1x1, many rows and outputs", CONV, 1, 1, 1, 23, 4, 37, 16, 1, 0, 0, 0, 0, NONE},
    {"1x1 /2", CONV, 1, 2, 1, 9, 12, 33, 18, 1, 0, 0, 0, 0, NONE},
    {"depthwise", DEPTHWISE, 3, 1, 1, 7, 40, 40, 5, 1, 0, 0, 0, 0, NONE},
    {"depthwise /2", DEPTHWISE, 3, 2, 1, 10, 21, 21, 5, 1, 0, 0, 0, 0, NONE},
    {"depthwise 5x5", DEPTHWISE, 5, 1, 1, 7, 16, 16, 16, 1, 0, 0, 0, 0, NONE},
    {"3x3 /2 dilated 3", CONV, 3, 2, 3, 11, 6, 9, 6, 1, 0, 0, 0, 0, NONE},
    {"3x3 in groups", CONV, 3, 1, 1, 9, 12, 20, 6, 4, 0, 0, 0, 0, NONE},
    {"3x3 /2 dilated in groups", CONV, 3, 2, 2, 11, 6, 40, 18, 2, 0, 0, 0, 0, NONE},
    {"1x1 in groups", CONV, 1, 1, 1, 7, 24, 36, 17, 12, 0, 0, 0, 0, NONE},
    {"depthwise /2 dilated 3", DEPTHWISE, 3, 2, 3, 11, 17, 17, 5, 1, 0, 0, 0, 0, NONE},
    {"depthwise of 3", DEPTHWISE, 3, 1, 1, 7, 9, 27, 5, 3, 0, 0, 0, 0, NONE},
    {"depthwise of 2, /2", DEPTHWISE, 3, 2, 2, 10, 20, 40, 5, 2, 0, 0, 0, 0, NONE},
    {"depthwise 17x17", DEPTHWISE, 17, 1, 1, 18, 5, 5, 2, 1, 0, 0, 0, 0, NONE},
    {"depthwise, bands", DEPTHWISE, 3, 1, 1, 19, 24, 24, 2, 1, 0, 0, 0, 0, NONE},
    {"depthwise /2, bands", DEPTHWISE, 3, 2, 1, 37, 8, 8, 2, 1, 0, 0, 0, 0, NONE},
    {"depthwise /3, dilated", DEPTHWISE, 3, 3, 2, 29, 5, 5, 2, 1, 0, 0, 0, 0, NONE},
    {"dense", DENSE, 1, 1, 1, 4, 6, 10, 20, 1, 0, 0, 0, 0, NONE},
};
enum { CASES = sizeof cases / sizeof cases[0], CONVOLUTIONS = 7 };

/* ---- the net ---- */

typedef struct Bench {
    Graph graph;
    Params params;
    Compute compute;
    Value *image;
    Backward backward;
    double precision; /* of gradients, relative to the tensor's largest */
    char what[128];   /* the case, for messages */
} Bench;

static Value *activate(Graph *g, const char *name, Value *x, Activation a)
{
    return a == RELU ? layer_relu(g, name, x) : a == RELU6 ? layer_relu6(g, name, x) : x;
}

static Value *build_layer(Graph *g, const char *name, Value *x, const Case *c)
{
    const Conv2dOptions o = {.channels = c->out_c,
                             .kernel = {c->kernel, c->kernel},
                             .stride = {c->stride, c->stride},
                             .dilation = {c->dilation, c->dilation},
                             .bias = c->bias,
                             .groups = c->kind == CONV ? c->groups : 1,
                             .multiplier = c->kind == DEPTHWISE ? c->groups : 1};
    char norm[32], act[32];
    snprintf(norm, sizeof norm, "%s.bn", name);
    snprintf(act, sizeof act, "%s.act", name);
    Value *y = c->kind == CONV        ? layer_conv2d(g, name, x, &o)
               : c->kind == DEPTHWISE ? layer_depthwise(g, name, x, &o)
                                      : layer_dense(g, name, x, c->out_c, c->bias);
    y = c->norm ? layer_batchnorm(g, norm, y, NULL) : y;
    return activate(g, act, y, c->activation);
}

static void build(Bench *b, const Case *c)
{
    Graph *g = &b->graph;
    b->image = graph_input(g, "image", SHAPE4(1, c->side, c->side, 3), ELEM_REAL);
    Value *x = layer_conv2d(g, "first", b->image, &(Conv2dOptions){.channels = c->in_c});
    x = layer_relu(g, "first.relu", layer_batchnorm(g, "first.bn", x, NULL));
    if (c->kind == ADD) {
        Value *y = x;
        if (c->second)
            y = layer_conv2d(g, "other", x, &(Conv2dOptions){.channels = c->in_c});
        net_loss(g, "loss", activate(g, "layer.act", layer_add(g, "layer", x, y), c->activation));
        return;
    }
    net_loss(g, "loss", build_layer(g, "layer", x, c));
    if (c->second)
        net_loss(g, "loss2", build_layer(g, "second", x, c));
}

/* Slopes of both signs and none at all, means far from those of the batch. */
static void draw_params(Bench *b, Rng *rng)
{
    for (int i = 0; i < b->graph.param_count; i++) {
        const Param *p = b->graph.params[i];
        const char *suffix = strrchr(p->name, '.');
        Real *v = params_at(&b->params, p);
        for (size_t k = 0; k < p->count; k++) {
            const Real normal = (Real)rng_normal(rng);
            if (p->role == PARAM_GAMMA)
                v[k] = k % 7 == 5 ? 0 : (k % 3 == 2 ? -1 : 1) * (Real)(0.5 + rng_uniform(rng));
            else if (p->role == PARAM_BETA || p->role == PARAM_BIAS)
                v[k] = normal / 2;
            else if (strcmp(suffix, ".variance") == 0)
                v[k] = (Real)(0.2 + rng_uniform(rng));
            else if (strcmp(suffix, ".mean") == 0)
                v[k] = normal;
        }
    }
}

static Exec *compile(Bench *b, const Case *c, Mode mode)
{
    Exec *x;
    Error e = {0};
    const ExecOptions o = {
        .mode = mode, .batch = c->batch, .compute = &b->compute, .keep_all = true};
    ck_assert_msg(exec_new(&x, &b->graph, &b->params, &o, &e) == HONE_OK, "%s", e.text);
    exec_control(x)->freeze_batchnorm = c->freeze;
    Rng rng = rng_at(SEED, RNG_TEST, 7, 0);
    Tensor *image = exec_tensor(x, b->image);
    for (size_t i = 0; i < shape_count(image->shape); i++)
        ((Real *)image->data)[i] = ((Real)(int)rng_below(&rng, 256) - 128) / 128;
    return x;
}

/* Ranges narrower than the values, so that grids clip at both ends. */
static void calibrate(Bench *b, const Case *c)
{
    Exec *x = compile(b, c, (Mode){.observe = true});
    exec_forward(x);
    exec_commit(x);
    exec_free(x);
    for (int i = 0; i < b->graph.param_count; i++) {
        const Param *p = b->graph.params[i];
        const size_t n = strlen(p->name);
        if (n < 6 || strcmp(p->name + n - 6, ".range") != 0)
            continue;
        params_at(&b->params, p)[RANGE_MIN] *= (Real)0.7;
        params_at(&b->params, p)[RANGE_MAX] *= (Real)0.7;
    }
}

static void bench_open(Bench *b, const Case *c, int threads)
{
    static const QatOptions qat = {.present = true,
                                   .weights = {8, QAT_PER_CHANNEL},
                                   .activations = {8, OBSERVER_EMA, 0.9, true}};
    static const char *const activations[] = {"", ", relu", ", relu6"};
    Error e = {0};
    *b = (Bench){.precision = 1e-4};
    snprintf(b->what, sizeof b->what, "%s%s%s%s%s%s", c->name, c->norm ? ", bn" : "",
             c->freeze ? " frozen" : "", c->bias ? ", bias" : "", activations[c->activation],
             c->second ? ", twice" : "");
    Rng rng = rng_at(SEED, RNG_TEST, 3, 0);
    graph_init(&b->graph);
    build(b, c);
    ck_assert_msg(graph_failed(&b->graph, &e) == HONE_OK, "%s: %s", b->what, e.text);
    ck_assert_msg(qat_insert(&b->graph, &qat, &e) == HONE_OK, "%s: %s", b->what, e.text);
    ck_assert_msg(qat_fuse(&b->graph, &e) == HONE_OK, "%s: %s", b->what, e.text);
    ck_assert_int_eq(compute_open(&b->compute, threads, getenv("HONE_CPU"), &e), HONE_OK);
    ck_assert_int_eq(params_new(&b->params, &b->graph, SEED, &e), HONE_OK);
    draw_params(b, &rng);
    calibrate(b, c);
}

static void bench_close(Bench *b)
{
    params_free(&b->params);
    compute_close(&b->compute);
    graph_release(&b->graph);
}

/* ---- one step ---- */

/* What a step leaves: the compilation, and the states; the bench's states are as before it. */
typedef struct Step {
    Exec *exec;
    Real *state, *grad;
} Step;

static Real *copy_of(const Real *from, size_t n)
{
    Real *to = malloc((n + 1) * sizeof *to);
    ck_assert_ptr_nonnull(to);
    memcpy(to, from, n * sizeof *to);
    return to;
}

/* Makes NaNs of all scratch: no node may count on what another left there. */
static void poison(const Bench *b, const Exec *x)
{
    for (int i = 0; i < exec_run_count(x); i++) {
        const Run *r = exec_run(x, i);
        memset(r->worker, 0xff, r->worker_bytes * (size_t)threads_count(b->compute.threads));
    }
}

static Step step(Bench *b, const Case *c, bool fuse)
{
    const size_t states = b->graph.state_count, trained = b->graph.trained_count;
    Real *before = copy_of(b->params.state, states);
    for (size_t i = 0; i < trained; i++)
        b->params.grad[i] = (Real)NAN;
    Step s = {
        .exec = compile(
            b, c,
            (Mode){.training = true, .quantize = true, .fuse = fuse, .backward = b->backward})};
    poison(b, s.exec);
    exec_forward(s.exec);
    poison(b, s.exec);
    exec_backward(s.exec);
    exec_commit(s.exec);
    s.state = copy_of(b->params.state, states);
    s.grad = copy_of(b->params.grad, trained);
    memcpy(b->params.state, before, states * sizeof *before);
    free(before);
    return s;
}

static void step_free(Step *s)
{
    exec_free(s->exec);
    free(s->state);
    free(s->grad);
}

/* Largest |x|, at least least. */
static double largest(const Real *x, size_t n, double least)
{
    for (size_t i = 0; i < n; i++)
        least = fmax(least, fabs((double)x[i]));
    return least;
}

static void compare_reals(const Bench *b, const char *name, const Real *fused, const Real *simple,
                          size_t n, double least)
{
    const double bound = b->precision * largest(simple, n, least);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)fused[i] - (double)simple[i]) <= bound,
                      "%s: gradient of '%s' [%zu] is %g fused, %g simple, of at most %g", b->what,
                      name, i, (double)fused[i], (double)simple[i], bound / b->precision);
}

/* Codes and their gradients of all fake-quant nodes. */
static void compare_codes(const Bench *b, const Step *fused, const Step *simple)
{
    for (int i = 0; i < b->graph.node_count; i++) {
        const Node *n = b->graph.nodes[i];
        if (n->op != &op_fakequant && n->op != &op_extent)
            continue;
        const Tensor *f = exec_tensor(fused->exec, n->out[0]);
        const Tensor *s = exec_tensor(simple->exec, n->out[0]);
        const size_t count = shape_count(s->shape);
        ck_assert_int_eq(f->elem, s->elem);
        for (size_t k = 0; k < count; k++) {
            if (n->op == &op_extent)
                ck_assert_msg(((Real *)f->data)[k] == ((Real *)s->data)[k],
                              "%s: '%s' is %g fused, %g simple", b->what, n->name,
                              (double)((Real *)f->data)[k], (double)((Real *)s->data)[k]);
            else
                ck_assert_msg(((int8_t *)f->data)[k] == ((int8_t *)s->data)[k],
                              "%s: '%s' [%zu] is %d fused, %d simple", b->what, n->name, k,
                              ((int8_t *)f->data)[k], ((int8_t *)s->data)[k]);
        }
        ck_assert_int_eq(f->grad != NULL, s->grad != NULL);
        if (s->grad && n->op == &op_fakequant)
            compare_reals(b, n->name, f->grad, s->grad, count, 0);
    }
}

static void compare_steps(const Bench *b, const Step *fused, const Step *simple)
{
    compare_codes(b, fused, simple);
    for (int i = 0; i < b->graph.param_count; i++) {
        const Param *p = b->graph.params[i];
        if (p->role == PARAM_STATE) {
            ck_assert_msg(memcmp(fused->state + p->offset, simple->state + p->offset,
                                 p->count * sizeof(Real)) == 0,
                          "%s: state '%s' differs", b->what, p->name);
            continue;
        }
        /* A bias under batch-norm has no gradient but what rounding leaves. */
        const double least =
            p->role == PARAM_BIAS ? largest(simple->grad, b->graph.trained_count, 0) : 0;
        compare_reals(b, p->name, fused->grad + p->offset, simple->grad + p->offset, p->count,
                      least);
    }
}

static void check_case(const Case *c)
{
    Bench b;
    bench_open(&b, c, 1);
    Step simple = step(&b, c, false), fused = step(&b, c, true);
    ck_assert_int_eq(
        net_count_op(simple.exec, &op_fused_layer) + net_count_op(simple.exec, &op_fused_add), 0);
    ck_assert_int_gt(net_count_op(fused.exec, c->kind == ADD ? &op_fused_add : &op_fused_layer), 0);
    ck_assert_int_eq(net_count_op(fused.exec, &op_conv2d) +
                         net_count_op(fused.exec, &op_batchnorm) +
                         net_count_op(fused.exec, &op_relu) + net_count_op(fused.exec, &op_add),
                     0);
    compare_steps(&b, &fused, &simple);
    step_free(&simple);
    step_free(&fused);
    bench_close(&b);
}

START_TEST(layers_are_their_parts)
{
    for (int i = _i % EVERY; i < 4 * ACTIVATIONS; i += EVERY) {
        Case c = cases[_i];
        c.activation = (Activation)(i / 4);
        c.norm = i & 1;
        c.bias = i & 2;
        c.second = (i / 4 + i / 2 + i) & 1;
        check_case(&c);
        c.freeze = c.norm;
        if (c.freeze)
            check_case(&c);
    }
}
END_TEST

/* So many outputs that forward does not keep them, but computes them twice. */
START_TEST(outputs_beyond_a_cache)
{
    Case c = {"1x1, a million outputs", CONV, 1, 1, 1, 32, 4, 70, 15, 1, 1, 0, 0, 0, RELU6};
    check_case(&c);
    c.freeze = true;
    check_case(&c);
}
END_TEST

/* A layer whose inner values somebody else reads stays as it is; its neighbour does not. */
START_TEST(inner_values_that_are_read)
{
    static const QatOptions qat = {.weights = {8, QAT_PER_CHANNEL},
                                   .activations = {8, OBSERVER_EMA, 0.9, true}};
    static const char *const inner[] = {"layer", "layer.bn", "layer.act"};
    for (int i = 0; i < 6; i++) {
        const Case c = {"", CONV, 1, 1, 1, 4, 2, 3, 2, 1, 1, 0, 0, 0, RELU};
        const int readers = i < 3 ? 1 : 8; /* more than a layer has nodes */
        Bench b = {0};
        Error e = {0};
        char name[24];
        graph_init(&b.graph);
        build(&b, &c);
        ck_assert_msg(qat_insert(&b.graph, &qat, &e) == HONE_OK, "%s", e.text);
        Value *v = graph_find_node(&b.graph, inner[i % 3])->out[0];
        for (int k = 0; k < readers; k++) {
            snprintf(name, sizeof name, "outside%d", k);
            layer_relu(&b.graph, name, v);
        }
        ck_assert_msg(qat_fuse(&b.graph, &e) == HONE_OK, "%s", e.text);
        ck_assert_ptr_null(graph_find_node(&b.graph, "layer.fused"));
        ck_assert_ptr_nonnull(graph_find_node(&b.graph, "first.fused"));
        graph_release(&b.graph);
    }
}
END_TEST

/* Fused nodes whose products are on 16-bit numbers against those of floats. */
START_TEST(fused_on_16_bits)
{
    static const double precision[] = {[BACKWARD_BF16] = 5e-2, [BACKWARD_INT16] = 1e-3};
    for (Backward how = BACKWARD_BF16; how <= BACKWARD_INT16; how++) {
        Case c = cases[_i];
        c.activation = RELU;
        c.norm = c.second = true;
        c.out_c += c.out_c % 2;
        Bench b;
        bench_open(&b, &c, 1);
        Step floats = step(&b, &c, true);
        b.backward = how;
        b.precision = precision[how];
        Step numbers = step(&b, &c, true);
        compare_steps(&b, &numbers, &floats);
        const size_t bytes = b.graph.trained_count * sizeof(Real);
        const bool same = memcmp(numbers.grad, floats.grad, bytes) == 0;
        ck_assert_msg(same == (c.in_c * c.kernel * c.kernel < 16), "%s: not on 16 bits", b.what);
        step_free(&floats);
        step_free(&numbers);
        bench_close(&b);
    }
}
END_TEST

START_TEST(additions_are_their_parts)
{
    for (int i = 0; i < 2 * ACTIVATIONS; i++) {
        const Case c = {"add",
                        .kind = ADD,
                        .side = 7,
                        .in_c = 5,
                        .batch = 19,
                        .second = i % 2,
                        .activation = (Activation)(i / 2)};
        check_case(&c); /* not `second`: x + x */
    }
}
END_TEST

/* ---- threads ---- */

START_TEST(threads_do_not_matter)
{
    Case c = cases[_i % CASES];
    c.norm = c.second = true;
    c.activation = RELU6;
    c.side = c.side < 20 ? 2 * c.side : c.side; /* little work is not divided */
    c.batch = 20;
    Step first = {0};
    for (int threads = 1; threads <= 3; threads++) {
        Bench b;
        bench_open(&b, &c, threads);
        b.backward = _i / CASES ? BACKWARD_INT16 : BACKWARD_FLOAT;
        Step s = step(&b, &c, true);
        if (threads == 1) {
            first.state = copy_of(s.state, b.graph.state_count);
            first.grad = copy_of(s.grad, b.graph.trained_count);
        }
        for (int i = 0; i < b.graph.param_count; i++) {
            const Param *p = b.graph.params[i];
            const Real *was = p->role == PARAM_STATE ? first.state : first.grad;
            const Real *is = p->role == PARAM_STATE ? s.state : s.grad;
            ck_assert_msg(memcmp(was + p->offset, is + p->offset, p->count * sizeof(Real)) == 0,
                          "%s: '%s' depends on the number of threads (%d)", b.what, p->name,
                          threads);
        }
        step_free(&s);
        bench_close(&b);
    }
    step_free(&first);
}
END_TEST

/* ---- numbers that are not finite ---- */

START_TEST(bad_numbers_are_found)
{
    Case c = cases[0];
    c.norm = true;
    c.activation = RELU;
    Bench b;
    bench_open(&b, &c, 1);
    params_at(&b.params, graph_find_param(&b.graph, "first.bn.beta"))[1] = (Real)INFINITY;
    Step s = step(&b, &c, true);
    const Node *bad = exec_find_nonfinite(s.exec);
    ck_assert_ptr_nonnull(bad);
    ck_assert_str_eq(bad->name, "first");
    const Real *extent =
        exec_tensor(s.exec, graph_find_node(&b.graph, "first.extent")->out[0])->data;
    ck_assert(isnan(extent[0]) && isnan(extent[1]));
    step_free(&s);
    bench_close(&b);
}
END_TEST

Suite *suite_fuse(void)
{
    Suite *s = suite_create("fuse");
    TCase *t = tcase_create("fuse");
    tcase_add_loop_test(t, layers_are_their_parts, 0, CASES);
    tcase_add_loop_test(t, fused_on_16_bits, 0, CONVOLUTIONS);
    tcase_add_test(t, outputs_beyond_a_cache);
    tcase_add_test(t, inner_values_that_are_read);
    tcase_add_test(t, additions_are_their_parts);
    tcase_add_loop_test(t, threads_do_not_matter, 0, CASES + CONVOLUTIONS);
    tcase_add_test(t, bad_numbers_are_found);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return s;
}
