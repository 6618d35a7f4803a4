/* The layers without weights: values and gradients against PyTorch (tests/oracle/torch_layers.py has the
 * formulas); dropout's statistics; the messages. SPDX-License-Identifier: Apache-2.0 */
#include "layers/layers.h"
#include "tests/net.h"
#include "tests/suites.h"
#include "tests/torch_layers_fixture.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LAYERS = sizeof torch_layers / sizeof torch_layers[0] };

static const double tolerance = sizeof(Real) == sizeof(double) ? 1e-10 : 1e-5;

/* scale * (u - 1/2), as the script's numbers(). */
static Real number(int64_t i, int64_t salt, double scale)
{
    int64_t u = (i * 7919 + salt * 104729 + 12345) * 48271 % 65536;
    return (Real)(scale * ((double)u / 65536 - 0.5));
}

static Value *layer(Graph *g, const char *name, Value *x, Value *gate)
{
    const PoolOptions pool = {
        .kernel = {3, 2}, .stride = {2, 1}, .padding = PADDING_EXPLICIT, .pads = {1, 1, 1, 1}};
    const struct {
        const char *name;
        Value *(*build)(Graph *, const char *, Value *);
    } plain[] = {{"sigmoid", layer_sigmoid},
                 {"tanh", layer_tanh},
                 {"hard_sigmoid", layer_hard_sigmoid},
                 {"hard_swish", layer_hard_swish},
                 {"silu", layer_silu},
                 {"softmax", layer_softmax}};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (strcmp(name, plain[i].name) == 0)
            return plain[i].build(g, name, x);
    if (strcmp(name, "leaky_relu") == 0)
        return layer_leaky_relu(g, name, x, 0.1);
    if (strcmp(name, "elu") == 0)
        return layer_elu(g, name, x, 0.7);
    if (strcmp(name, "max_pool") == 0)
        return layer_max_pool(g, name, x, &pool);
    if (strcmp(name, "average_pool") == 0)
        return layer_average_pool(g, name, x, &pool);
    if (strcmp(name, "mul") == 0)
        return layer_mul(g, name, x, gate);
    if (strcmp(name, "pad") == 0)
        return layer_pad(g, name, x, (int[]){1, 0, 2, 3});
    if (strcmp(name, "upsample") == 0)
        return layer_upsample(g, name, x, (int[]){2, 3});
    ck_assert_str_eq(name, "concat");
    return layer_concat(g, name, 3, (Value *[]){x, layer_mul(g, "scaled", x, gate), x});
}

static void ck_summary(const char *what, const Real *v, size_t n, const TorchSummary *want)
{
    double sum = 0, squares = 0, dot = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)v[i];
        squares += (double)v[i] * (double)v[i];
        dot += (double)v[i] * net_loss_weight(i);
    }
    const double room = tolerance * (want->norm + 1) * sqrt((double)n);
    ck_assert_msg(fabs(sum - want->sum) <= room && fabs(sqrt(squares) - want->norm) <= room &&
                      fabs(dot - want->dot) <= room,
                  "%s: %.9g %.9g %.9g, PyTorch %.9g %.9g %.9g", what, sum, sqrt(squares), dot,
                  want->sum, want->norm, want->dot);
}

START_TEST(values_and_gradients)
{
    const char *name = torch_layers[_i].name;
    Net t;
    net_init(&t);
    Graph *g = &t.graph;
    Value *x = graph_param(g, "x", SHAPE4(2, 5, 6, 3), PARAM_WEIGHT, (Init){0, 0});
    Value *gate = graph_param(g, "gate", SHAPE2(2, 3), PARAM_STATE, (Init){0, 0});
    Value *y = layer(g, name, x, gate);
    net_loss(g, "loss", y);
    net_compile(&t, &(NetOptions){.mode = {.training = true}, .threads = 2});
    for (int i = 0; i < 2 * 5 * 6 * 3; i++)
        net_param(&t, "x")[i] = number(i, 3, 12);
    for (int i = 0; i < 6; i++)
        net_param(&t, "gate")[i] = number(i, 9, 3);
    exec_forward(t.exec);
    exec_backward(t.exec);
    ck_summary(name, net_data(&t, y), shape_count(y->shape), &torch_layers[_i].y);
    ck_summary(name, t.params.grad + x->param->offset, x->param->count, &torch_layers[_i].dx);
    net_release(&t);
}
END_TEST

/* ---- dropout ---- */

/* The share of ones that is kept, what they become, and where (as a sum of weights). */
typedef struct Drawn {
    double share, value, place;
} Drawn;

static Drawn draw(uint64_t seed, uint64_t step, int threads)
{
    enum { COUNT = 60000 };
    Net t;
    Drawn d = {0};
    net_init(&t);
    Value *x = graph_param(&t.graph, "x", SHAPE2(3, COUNT / 3), PARAM_WEIGHT, (Init){1, 0});
    Value *y = layer_dropout(&t.graph, "drop", x, 0.3);
    net_loss(&t.graph, "loss", y);
    net_compile(&t, &(NetOptions){.mode = {.training = true}, .threads = threads});
    exec_control(t.exec)->seed = seed;
    exec_control(t.exec)->step = step;
    exec_forward(t.exec);
    exec_backward(t.exec);
    const Real *v = net_data(&t, y), *dx = t.params.grad + x->param->offset;
    for (int i = 0; i < COUNT; i++) {
        d.share += v[i] > 0;
        d.value = v[i] > 0 ? (double)v[i] : d.value;
        d.place += v[i] > 0 ? net_loss_weight((size_t)i) * (i % 1000) : 0;
        ck_assert_double_eq_tol((double)dx[i], (double)v[i] * net_loss_weight((size_t)i), 1e-6);
    }
    d.share /= COUNT;
    net_release(&t);
    return d;
}

START_TEST(dropout_draws_by_seed_and_step)
{
    const Drawn one = draw(1, 7, 1);
    ck_assert_double_eq_tol(one.share, 0.7, 0.01); /* five deviations */
    ck_assert_double_eq_tol(one.value, 1 / 0.7, 1e-4);
    for (int threads = 2; threads <= 3; threads++)
        ck_assert(draw(1, 7, threads).place == one.place);
    ck_assert(draw(1, 8, 1).place != one.place);
    ck_assert(draw(2, 7, 1).place != one.place);
}
END_TEST

START_TEST(dropout_is_for_training)
{
    Net t;
    net_init(&t);
    Value *x = graph_input(&t.graph, "x", SHAPE2(1, 50), ELEM_REAL);
    Value *y = layer_dropout(&t.graph, "drop", x, 0.9);
    net_compile(&t, &(NetOptions){.batch = 2, .keep = y});
    ck_assert_ptr_eq(net_tensor(&t, y), net_tensor(&t, x));
    net_release(&t);
}
END_TEST

/* ---- messages ---- */

static void ck_fails(Graph *g, const Value *y, const char *sentence)
{
    Error e = {0};
    ck_assert_ptr_null(y);
    ck_assert_int_ne(graph_failed(g, &e), HONE_OK);
    ck_assert_str_eq(e.text, sentence);
    graph_release(g);
    graph_init(g);
}

START_TEST(what_cannot_be_is_refused)
{
    Graph g;
    graph_init(&g);
#define IMAGE graph_input(&g, "x", SHAPE4(1, 4, 5, 3), ELEM_REAL)
#define ROW   graph_input(&g, "row", SHAPE2(1, 3), ELEM_REAL)
    ck_fails(
        &g,
        layer_max_pool(&g, "p", IMAGE, &(PoolOptions){.kernel = {6, 2}, .padding = PADDING_VALID}),
        "max_pool 'p': kernel 6 > input 4");
    ck_fails(&g, layer_average_pool(&g, "p", ROW, &(PoolOptions){.kernel = {2, 2}}),
             "average_pool 'p': input [1, 3] is not [N, H, W, C]");
    ck_fails(&g, layer_mul(&g, "m", ROW, IMAGE),
             "mul 'm': shape [1, 4, 5, 3] is neither [1, 3] nor one number per channel of it");
    ck_fails(&g, layer_concat(&g, "c", 2, (Value *[]){IMAGE, ROW}),
             "concat 'c': shapes [1, 4, 5, 3] and [1, 3] differ before the channels");
    ck_fails(&g, layer_concat(&g, "c", 1, (Value *[]){IMAGE}), "concat 'c': 1 values, not 2..8");
    ck_fails(&g, layer_pad(&g, "p", IMAGE, (int[]){0, -1, 0, 0}), "pad 'p': -1 is outside 0..4096");
    ck_fails(&g, layer_pad(&g, "p", ROW, (int[]){0, 1, 0, 0}),
             "pad 'p': input [1, 3] is not real [N,H,W,C]");
    ck_fails(&g, layer_upsample(&g, "u", IMAGE, (int[]){2, 256}),
             "upsample 'u': the factor 256 is outside 1..255");
    ck_fails(&g, layer_reshape(&g, "r", IMAGE, SHAPE2(1, 59)),
             "reshape 'r': [1, 4, 5, 3] cannot become [1, 59]");
    ck_fails(&g, layer_dropout(&g, "d", IMAGE, 1), "dropout 'd': the rate 1 is not in [0, 1)");
    ck_fails(&g, layer_leaky_relu(&g, "l", IMAGE, -1),
             "leaky_relu 'l': -1 is not a finite number of 0 or more");
    graph_release(&g);
}
END_TEST

Suite *suite_torch_layers(void)
{
    Suite *s = suite_create("torch_layers");
    TCase *t = tcase_create("layers");
    tcase_add_loop_test(t, values_and_gradients, 0, LAYERS);
    tcase_add_test(t, dropout_draws_by_seed_and_step);
    tcase_add_test(t, dropout_is_for_training);
    tcase_add_test(t, what_cannot_be_is_refused);
    suite_add_tcase(s, t);
    return s;
}
