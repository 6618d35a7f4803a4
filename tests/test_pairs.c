/* The backward pass on 16-bit numbers against that on floats, node by node on the same codes and the
 * same gradient of the output. int16 must differ by at most a two-thousandth of a tensor's largest
 * number, bf16 by a hundredth; int16 must give the same bits at every CPU level, both at any number
 * of threads. SPDX-License-Identifier: Apache-2.0 */
#include "layers/layers.h"
#include "layers/pairs.h"
#include "runtime/kernels.h"
#include "tests/bound.h"
#include "tests/levels.h"
#include "tests/suites.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 20261204 };

typedef struct Case {
    const char *name;
    int side, in_c, out_c, kernel, stride, dilation, batch;
    bool bias;
} Case;

/* Flat layers come in all three forms of dW: partial sums of pixels, slices of outputs, of inputs. */
static const Case cases[] = {
    {"3x3", 9, 16, 24, 3, 1, 1, 5, false},
    {"3x3 of one image", 11, 32, 64, 3, 1, 1, 1, true},
    {"3x3, blocks of rows", 40, 16, 16, 3, 1, 1, 3, false},
    {"3x3 /2", 10, 5, 10, 3, 2, 1, 20, true},
    {"3x3 /2, odd", 9, 12, 34, 3, 2, 1, 4, false},
    {"3x3 dilated", 8, 3, 16, 3, 1, 2, 17, false},
    {"5x5", 7, 6, 6, 5, 1, 1, 2, true},
    {"one row", 1, 20, 18, 3, 1, 1, 6, false},
    {"1x1, few rows, outputs", 4, 16, 96, 1, 1, 1, 7, true},
    {"1x1, few rows, inputs", 5, 130, 22, 1, 1, 1, 33, false},
    {"1x1, many rows", 23, 20, 6, 1, 1, 1, 16, true},
    {"1x1, odd rows", 23, 17, 40, 1, 1, 1, 17, false},
    {"1x1 /2", 9, 20, 34, 1, 2, 1, 18, false},
};
enum { CASES = sizeof cases / sizeof cases[0] };

/* ---- a node, differentiated --------------------------------------------------------------------- */

typedef struct Gradients {
    size_t count[3];
    Real *of[3]; /* x, weights, bias */
} Gradients;

static void gradients_release(Gradients *g)
{
    for (int i = 0; i < 3; i++)
        free(g->of[i]);
    *g = (Gradients){0};
}

/* Gradients whose outputs differ by orders of magnitude, as those of real layers do; one is zero. */
static void draw_gradient(Bound *b, int out_c, Rng *rng)
{
    Real *dy = b->out.grad;
    for (size_t i = 0; i < shape_count(b->out.shape); i++) {
        const int c = (int)(i % (size_t)out_c);
        dy[i] = c % 7 == 3 ? 0 : (Real)(rng_normal(rng) * exp2(-(c % 5) * 2));
    }
}

/* What the gradients were before is `old` and is added to, or NAN and overwritten. */
static Gradients differentiate(const Case *c, const Compute *compute, Backward how, Real old)
{
    Graph graph;
    graph_init(&graph);
    Value *x = graph_input(&graph, "x", SHAPE4(1, c->side, c->side, c->in_c), ELEM_REAL);
    const Conv2dOptions o = {.channels = c->out_c,
                             .kernel = {c->kernel, c->kernel},
                             .stride = {c->stride, c->stride},
                             .dilation = {c->dilation, c->dilation},
                             .bias = c->bias};
    const Node *n = layer_conv2d(&graph, "node", x, &o)->producer;
    Rng rng = rng_at(SEED, RNG_TEST, 1, 0);
    Bound b;
    Gradients g = {0};
    bound_init(&b, n, compute, c->batch, true, true, old, &rng);
    draw_gradient(&b, c->out_c, &rng);
    b.mode.backward = how;
    bound_scratch(&b);
    for (int i = 0; i < n->inputs; i++)
        b.run.accumulate[i] = !isnan(old);
    const ConvShape shape = {
        .y.kernel = c->kernel, .x.kernel = c->kernel, .in_c = c->in_c, .out_c = c->out_c};
    const bool fits = c->in_c * c->kernel * c->kernel >= 16 && c->out_c % 2 == 0;
    const bool asked = how == BACKWARD_BF16 || how == BACKWARD_INT16;
    ck_assert_int_eq(pairs_apply(&b.run, &shape), asked && fits);
    n->op->forward(&b.run);
    n->op->backward(&b.run);
    for (int i = 0; i < n->inputs; i++) {
        g.count[i] = shape_count(b.in[i].shape);
        g.of[i] = malloc(g.count[i] * sizeof(Real));
        ck_assert_ptr_nonnull(g.of[i]);
        memcpy(g.of[i], b.in[i].grad, g.count[i] * sizeof(Real));
    }
    bound_release(&b);
    graph_release(&graph);
    return g;
}

static bool open_level(Compute *c, int threads, const char *level)
{
    return compute_open(c, threads, level, NULL) == HONE_OK;
}

/* ---- close to float ----------------------------------------------------------------------------- */

static double largest(const Real *x, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)x[i]));
    return most;
}

/* The weights' gradient output by output: each has a scale of its own. */
static void compare(const Case *c, const char *kind, const Gradients *have, const Gradients *want,
                    double bound)
{
    static const char *const names[] = {"dx", "dw", "db"};
    for (int i = 0; i < 3; i++) {
        const size_t parts = i == 1 ? (size_t)c->out_c : 1, n = want->count[i] / parts;
        for (size_t part = 0; n > 0 && part < parts; part++) {
            const Real *h = have->of[i] + part * n, *w = want->of[i] + part * n;
            const double most = largest(w, n);
            for (size_t k = 0; k < n; k++)
                ck_assert_msg(fabs((double)h[k] - (double)w[k]) <= bound * most,
                              "%s, %s: %s[%zu] is %g, not %g, of at most %g", c->name, kind,
                              names[i], part * n + k, (double)h[k], (double)w[k], most);
        }
    }
}

START_TEST(gradients_are_close)
{
    const Case *c = &cases[_i / LEVELS];
    Compute compute;
    if (!open_level(&compute, 1, levels[_i % LEVELS]))
        return;
    for (int round = 0; round < 2; round++) {
        const Real old = round ? 0 : (Real)NAN;
        Gradients want = differentiate(c, &compute, BACKWARD_FLOAT, old);
        Gradients int16 = differentiate(c, &compute, BACKWARD_INT16, old);
        Gradients bf16 = differentiate(c, &compute, BACKWARD_BF16, old);
        compare(c, "int16", &int16, &want, 5e-4);
        compare(c, "bf16", &bf16, &want, 1e-2);
        gradients_release(&want);
        gradients_release(&int16);
        gradients_release(&bf16);
    }
    compute_close(&compute);
}
END_TEST

/* ---- the same bits ------------------------------------------------------------------------------ */

static void expect_same(const Case *c, const char *what, const Gradients *a, const Gradients *b)
{
    for (int i = 0; i < 3; i++)
        ck_assert_msg(a->count[i] == 0 ||
                          (a->of[i] && b->of[i] &&
                           memcmp(a->of[i], b->of[i], a->count[i] * sizeof(Real)) == 0),
                      "%s: gradient %d depends on %s", c->name, i, what);
}

/* Of dX: sums of dW are cut by the blocks of kernels, which have sizes of their own, but gather.h's
 * blocks do not depend on the level. */
START_TEST(levels_do_not_matter)
{
    const Case *c = &cases[_i];
    Gradients first = {0};
    for (int level = 0; level < LEVELS; level++) {
        Compute compute;
        if (!open_level(&compute, 1, levels[level]))
            continue;
        Gradients g = differentiate(c, &compute, BACKWARD_INT16, (Real)NAN);
        if (level == 0) {
            first = g;
        } else {
            free(g.of[2]); /* float sums, of blocks of the level's width */
            g.count[2] = 0;
            g.of[2] = NULL;
            expect_same(c, "the CPU level", &g, &first);
            gradients_release(&g);
        }
        compute_close(&compute);
    }
    gradients_release(&first);
}
END_TEST

START_TEST(threads_do_not_matter)
{
    const Case *c = &cases[_i / 2];
    const Backward how = _i % 2 ? BACKWARD_BF16 : BACKWARD_INT16;
    Gradients first = {0};
    for (int threads = 1; threads <= 3; threads++) {
        Compute compute;
        ck_assert(open_level(&compute, threads, NULL));
        Gradients g = differentiate(c, &compute, how, 0);
        if (threads == 1) {
            first = g;
        } else {
            expect_same(c, "the number of threads", &g, &first);
            gradients_release(&g);
        }
        compute_close(&compute);
    }
    gradients_release(&first);
}
END_TEST

/* ---- the edges ---------------------------------------------------------------------------------- */

/* The largest sums that can be: all codes and weights at their ends, all gradients alike. */
START_TEST(sums_do_not_overflow)
{
    static const Case c = {"", 16, 256, 8, 3, 1, 1, 1, false};
    Compute compute;
    ck_assert(open_level(&compute, 1, _i ? NULL : "ref"));
    Graph graph;
    graph_init(&graph);
    Value *x = graph_input(&graph, "x", SHAPE4(1, c.side, c.side, c.in_c), ELEM_REAL);
    const Conv2dOptions o = {.channels = c.out_c, .kernel = {c.kernel, c.kernel}};
    const Node *n = layer_conv2d(&graph, "node", x, &o)->producer;
    Rng rng = rng_at(SEED, RNG_TEST, 2, 0);
    Bound b;
    bound_init(&b, n, &compute, 1, true, true, (Real)NAN, &rng);
    memset(b.in[0].data, 127, shape_count(b.in[0].shape));
    memset(b.in[1].data, 127, shape_count(b.in[1].shape));
    *(Real *)b.zero_point.data = -128;
    for (int i = 0; i < c.out_c; i++)
        ((Real *)b.scale[1].data)[i] = 1;
    for (size_t i = 0; i < shape_count(b.out.shape); i++)
        b.out.grad[i] = -3;
    b.mode.backward = BACKWARD_INT16;
    bound_scratch(&b);
    n->op->backward(&b.run);
    const double s_x = (double)*(const Real *)b.scale[0].data;
    const size_t middle = ((size_t)8 * 16 + 8) * 256,
                 tap = 4 * 256; /* meets all, the central one */
    const double dx = -3.0 * 127 * 9 * 8, dw = -3.0 * 255 * 256 * s_x;
    ck_assert_double_eq_tol((double)b.in[0].grad[middle], dx, 1e-4 * -dx);
    ck_assert_double_eq_tol((double)b.in[1].grad[tap], dw, 1e-4 * -dw);
    bound_release(&b);
    graph_release(&graph);
    compute_close(&compute);
}
END_TEST

/* Floats serve a layer whose gradient of the output meets few products, or is odd. */
START_TEST(some_layers_stay_in_float)
{
    static const Case few = {"1x1 of few inputs", 6, 8, 16, 1, 1, 1, 3, false};
    static const Case odd = {"3x3, odd outputs", 6, 8, 15, 3, 1, 1, 3, false};
    const Case *c = _i ? &odd : &few;
    Compute compute;
    ck_assert(open_level(&compute, 1, NULL));
    Gradients want = differentiate(c, &compute, BACKWARD_FLOAT, 0);
    Gradients have = differentiate(c, &compute, BACKWARD_INT16, 0);
    expect_same(c, "the mode", &have, &want);
    gradients_release(&want);
    gradients_release(&have);
    compute_close(&compute);
}
END_TEST

START_TEST(limits_keep_sums_in_int32)
{
    for (int64_t k = 1; k < (int64_t)1 << 24; k = k * 3 / 2 + 1)
        ck_assert_int_le(k * 127 * pair_limit(k, 127), INT32_MAX);
    ck_assert_int_eq(pair_limit(516, 127), PAIR_MOST);
    ck_assert_int_le((int64_t)2 * PAIR_ROWS * 255 * PAIR_MOST, INT32_MAX);
}
END_TEST

/* A gradient that is no number makes its output's weights none, and the input. */
START_TEST(bad_numbers_stay)
{
    const Case *c = &cases[0];
    Compute compute;
    ck_assert(open_level(&compute, 1, _i / 2 ? NULL : "ref"));
    Graph graph;
    graph_init(&graph);
    Value *x = graph_input(&graph, "x", SHAPE4(1, c->side, c->side, c->in_c), ELEM_REAL);
    const Conv2dOptions o = {.channels = c->out_c, .kernel = {3, 3}};
    const Node *n = layer_conv2d(&graph, "node", x, &o)->producer;
    Rng rng = rng_at(SEED, RNG_TEST, 3, 0);
    Bound b;
    bound_init(&b, n, &compute, 2, true, true, 0, &rng);
    b.out.grad[(c->side + 1) * c->out_c + 2] = _i % 2 ? (Real)NAN : (Real)INFINITY;
    b.mode.backward = BACKWARD_INT16;
    bound_scratch(&b);
    n->op->backward(&b.run);
    const size_t filter = (size_t)(9 * c->in_c);
    ck_assert(!isfinite(b.in[1].grad[2 * filter + 5]));
    ck_assert(isfinite(b.in[1].grad[3 * filter + 5]));
    ck_assert(!isfinite(b.in[0].grad[0]));
    ck_assert(isfinite(b.in[0].grad[c->side * c->side * c->in_c])); /* the second image's */
    bound_release(&b);
    graph_release(&graph);
    compute_close(&compute);
}
END_TEST

Suite *suite_pairs(void)
{
    Suite *s = suite_create("pairs");
    TCase *t = tcase_create("pairs");
    tcase_add_loop_test(t, gradients_are_close, 0, CASES * LEVELS);
    tcase_add_loop_test(t, levels_do_not_matter, 0, CASES);
    tcase_add_loop_test(t, threads_do_not_matter, 0, 2 * CASES);
    tcase_add_loop_test(t, sums_do_not_overflow, 0, 2);
    tcase_add_loop_test(t, some_layers_stay_in_float, 0, 2);
    tcase_add_test(t, limits_keep_sums_in_int32);
    tcase_add_loop_test(t, bad_numbers_stay, 0, 4);
    suite_add_tcase(s, t);
    return s;
}
