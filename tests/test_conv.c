/* Tests of the weighted layers, conv2d, depthwise and dense: floats and codes against sums written
 * out in double, gradients, threads, integers, geometry. SPDX-License-Identifier: Apache-2.0 */
#include "layers/codes.h"
#include "layers/layers.h"
#include "tests/bound.h"
#include "tests/effort.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const levels[] = {"ref", "avx2", "avx512"};
enum { LEVELS = 3, SEED = 2026 };

/* ---- geometry --------------------------------------------------------------------------------- */

/* Padding SAME as TensorFlow's documentation defines it, worked out by hand. */
START_TEST(window_same_is_tensorflows)
{
    static const struct {
        int in, kernel, stride, dilation, out, before, after;
    } table[] = {
        {32, 3, 1, 1, 32, 1, 1},  {32, 3, 2, 1, 16, 0, 1}, {33, 3, 2, 1, 17, 1, 1},
        {7, 5, 1, 1, 7, 2, 2},    {8, 5, 2, 1, 4, 1, 2},   {10, 2, 1, 1, 10, 0, 1},
        {10, 3, 1, 2, 10, 2, 2},  {32, 1, 2, 1, 16, 0, 0}, {5, 3, 4, 1, 2, 1, 1},
        {4, 7, 3, 1, 2, 3, 3},    {1, 3, 1, 1, 1, 1, 1},   {2, 3, 2, 1, 1, 0, 1},
        {49, 10, 2, 1, 25, 4, 5}, {10, 4, 2, 1, 5, 1, 1},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        Error e = {0};
        Axis a = {.in = table[i].in,
                  .kernel = table[i].kernel,
                  .stride = table[i].stride,
                  .dilation = table[i].dilation};
        ck_assert_int_eq(window_axis(&a, PADDING_SAME, "conv2d", "x", &e), HONE_OK);
        ck_assert_int_eq(a.out, table[i].out);
        ck_assert_int_eq(a.before, table[i].before);
        ck_assert_int_eq(a.after, table[i].after);
    }
}
END_TEST

static Axis random_axis(Rng *rng)
{
    Axis a = {.in = 1 + (int)rng_below(rng, 12),
              .kernel = 1 + (int)rng_below(rng, 4),
              .stride = 1 + (int)rng_below(rng, 3),
              .dilation = 1 + (int)rng_below(rng, 3)};
    const uint32_t span = (uint32_t)window_span(&a);
    a.before = (int)rng_below(rng, span);
    a.after = (int)rng_below(rng, span);
    if (a.in + a.before + a.after < (int)span)
        a.in = (int)span;
    return a;
}

/* Both directions of the relation against trying every pair. */
START_TEST(window_taps)
{
    Rng rng = rng_at(SEED, RNG_TEST, 1, 0);
    for (int round = 0; round < 300; round++) {
        Error e = {0};
        Axis a = random_axis(&rng);
        ck_assert_int_eq(window_axis(&a, PADDING_EXPLICIT, "conv2d", "x", &e), HONE_OK);
        int pairs = 0, met_forward = 0, met_back = 0;
        for (int o = 0; o < a.out; o++)
            for (int t = 0; t < a.kernel; t++) {
                const int i = o * a.stride - a.before + t * a.dilation;
                pairs += i >= 0 && i < a.in;
            }
        for (int o = 0; o < a.out; o++) {
            const Taps t = window_at_output(&a, o);
            for (int k = 0; k < t.count; k++, met_forward++) {
                const int i = t.at + k * t.move, tap = t.first + k * t.step;
                ck_assert(i >= 0 && i < a.in && tap >= 0 && tap < a.kernel);
                ck_assert_int_eq(i, o * a.stride - a.before + tap * a.dilation);
            }
        }
        for (int i = 0; i < a.in; i++) {
            const Taps t = window_at_input(&a, i);
            for (int k = 0; k < t.count; k++, met_back++) {
                const int o = t.at + k * t.move, tap = t.first + k * t.step;
                ck_assert(o >= 0 && o < a.out && tap >= 0 && tap < a.kernel);
                ck_assert_int_eq(i, o * a.stride - a.before + tap * a.dilation);
            }
        }
        ck_assert_int_eq(met_forward, pairs);
        ck_assert_int_eq(met_back, pairs);
    }
}
END_TEST

static void expect_error(Graph *g, const Value *v, const char *text)
{
    Error e = {0};
    ck_assert_ptr_null(v);
    ck_assert_int_eq(graph_failed(g, &e), HONE_ERR_SHAPE);
    ck_assert_str_eq(e.text, text);
    graph_release(g);
}

START_TEST(builders_say_what_is_wrong)
{
    Graph g;
    graph_init(&g);
    Value *x = graph_input(&g, "x", SHAPE4(1, 3, 8, 2), ELEM_REAL);
    expect_error(
        &g,
        layer_conv2d(&g, "stem", x,
                     &(Conv2dOptions){.channels = 4, .kernel = {5, 5}, .padding = PADDING_VALID}),
        "conv2d 'stem': kernel 5 > input 3");
    graph_init(&g);
    x = graph_input(&g, "x", SHAPE4(1, 3, 8, 2), ELEM_REAL);
    expect_error(&g, layer_conv2d(&g, "a", x, &(Conv2dOptions){.kernel = {3, 3}}),
                 "conv2d 'a': 0 channels, not 1..65536");
    graph_init(&g);
    x = graph_input(&g, "x", SHAPE4(1, 3, 8, 2), ELEM_REAL);
    expect_error(&g,
                 layer_conv2d(&g, "b", x,
                              &(Conv2dOptions){.channels = 4,
                                               .kernel = {3, 3},
                                               .padding = PADDING_EXPLICIT,
                                               .pads = {0, 0, 3, 0}}),
                 "conv2d 'b': padding 0, 3 is outside 0..2");
    graph_init(&g);
    x = graph_input(&g, "x", SHAPE4(1, 3, 8, 2), ELEM_REAL);
    expect_error(&g, layer_depthwise(&g, "c", x, &(Conv2dOptions){.channels = 4}),
                 "depthwise 'c': 4 channels of 2 inputs with a multiplier of 1");
    graph_init(&g);
    x = graph_input(&g, "x", SHAPE4(1, 3, 8, 2), ELEM_REAL);
    expect_error(&g, layer_depthwise(&g, "c", x, &(Conv2dOptions){.multiplier = 70000}),
                 "depthwise 'c': 2 inputs with a multiplier of 70000");
    graph_init(&g);
    x = graph_input(&g, "x", SHAPE4(1, 3, 8, 6), ELEM_REAL);
    expect_error(&g, layer_conv2d(&g, "g", x, &(Conv2dOptions){.channels = 8, .groups = 3}),
                 "conv2d 'g': 6 inputs and 8 channels do not fall into 3 groups");
    graph_init(&g);
    x = graph_input(&g, "x", SHAPE4(1, 3, 8, 6), ELEM_REAL);
    expect_error(&g, layer_conv2d(&g, "g", x, &(Conv2dOptions){.channels = 8, .groups = 4}),
                 "conv2d 'g': 6 inputs and 8 channels do not fall into 4 groups");
    graph_init(&g);
    x = graph_input(&g, "x", SHAPE2(1, 8), ELEM_REAL);
    expect_error(&g, layer_conv2d(&g, "d", x, &(Conv2dOptions){.channels = 4}),
                 "conv2d 'd': input [1, 8] is not [N, H, W, C]");
    graph_init(&g);
    x = graph_input(&g, "x", SHAPE2(1, 8), ELEM_REAL);
    expect_error(&g, layer_dense(&g, "f", x, 0, false),
                 "dense 'f': 8 inputs to 0 units do not fit");
}
END_TEST

/* ---- sums written out ------------------------------------------------------------------------- */

/* What a case is: one node of one graph. */
typedef struct Case {
    Graph graph;
    const Node *node;
    Axis y, x; /* a dense layer: 1x1 over one pixel of all inputs */
    int in_c, out_c;
    bool depthwise;
    int groups; /* of a convolution */
    int batch;
} Case;

typedef enum Kind { CONV, POINTWISE, GROUPED, DEPTHWISE, MULTIPLIED, DENSE, KINDS } Kind;

static Conv2dOptions random_options(Kind kind, int h, int w, int *in_c, Rng *rng)
{
    Conv2dOptions o = {.channels = 1 + (int)rng_below(rng, 40), .bias = rng_below(rng, 2) == 0};
    *in_c = 1 + (int)rng_below(rng, rng_below(rng, 2) ? 40 : 6);
    if (kind == DEPTHWISE || kind == MULTIPLIED) {
        o.multiplier = kind == MULTIPLIED ? 2 + (int)rng_below(rng, 3) : 1;
        *in_c = *in_c / o.multiplier + 1;
        o.channels = *in_c * o.multiplier;
    } else if (kind == GROUPED) {
        o.groups = 2 + (int)rng_below(rng, 4);
        *in_c = (*in_c / o.groups + 1) * o.groups;
        o.channels = (o.channels / o.groups + 1) * o.groups;
    }
    for (int i = 0; i < 2; i++) {
        o.kernel[i] = kind == POINTWISE ? 1 : 1 + (int)rng_below(rng, 4);
        o.stride[i] = kind == POINTWISE ? 1 : 1 + (int)rng_below(rng, 3);
        o.dilation[i] = rng_below(rng, 2) ? 1 + (int)rng_below(rng, 3) : 1;
        const int span = (o.kernel[i] - 1) * o.dilation[i] + 1;
        o.pads[i] = (int)rng_below(rng, (uint32_t)span);
        o.pads[i + 2] = (int)rng_below(rng, (uint32_t)span);
        if (span > (i == 0 ? h : w))
            o.kernel[i] = o.dilation[i] = 1;
        if (o.kernel[i] == 1)
            o.pads[i] = o.pads[i + 2] = 0;
    }
    o.padding = (Padding)rng_below(rng, 3);
    return o;
}

/* The axes of a case from its options, by the definitions of window.h. */
static Axis axis_of(const Conv2dOptions *o, int i, int in)
{
    Error e = {0};
    Axis a = {.in = in,
              .kernel = o->kernel[i],
              .stride = o->stride[i],
              .dilation = o->dilation[i],
              .before = o->pads[i],
              .after = o->pads[i + 2]};
    ck_assert_int_eq(window_axis(&a, o->padding, "", "", &e), HONE_OK);
    return a;
}

static void case_init(Case *c, Kind kind, Rng *rng)
{
    const int h = 1 + (int)rng_below(rng, 13), w = 1 + (int)rng_below(rng, 13);
    *c = (Case){.batch = 1 + (int)rng_below(rng, 19),
                .depthwise = kind == DEPTHWISE || kind == MULTIPLIED};
    graph_init(&c->graph);
    Conv2dOptions o = random_options(kind, h, w, &c->in_c, rng);
    Value *x = graph_input(&c->graph, "x", SHAPE4(1, h, w, c->in_c), ELEM_REAL);
    Value *y = kind == DENSE  ? layer_dense(&c->graph, "f", x, o.channels, o.bias)
               : c->depthwise ? layer_depthwise(&c->graph, "f", x, &o)
                              : layer_conv2d(&c->graph, "f", x, &o);
    ck_assert_msg(y != NULL, "%s", c->graph.error.text);
    c->node = y->producer;
    c->out_c = o.channels;
    c->groups = kind == GROUPED ? o.groups : 1;
    if (kind == DENSE) {
        c->in_c *= h * w;
        c->y = c->x = (Axis){1, 1, 1, 1, 1, 0, 0};
    } else {
        c->y = axis_of(&o, 0, h);
        c->x = axis_of(&o, 1, w);
    }
}

static void case_release(Case *c)
{
    graph_release(&c->graph);
}

/* Calls visit(context, x, y, w, channel of w) with the elements of every product of the sum. */
typedef void (*Product)(void *context, size_t x, size_t y, size_t w, size_t channel);

static void each_channel(const Case *c, size_t pixel_in, size_t pixel_out, size_t tap,
                         Product visit, void *context)
{
    const size_t in_c = (size_t)c->in_c, out_c = (size_t)c->out_c;
    const size_t taps = (size_t)c->y.kernel * (size_t)c->x.kernel;
    const size_t groups = c->depthwise ? in_c : (size_t)c->groups, width = in_c / groups;
    for (size_t o = 0; o < out_c; o++) {
        const size_t first = o / (out_c / groups) * width;
        for (size_t i = 0; i < width; i++)
            visit(context, pixel_in * in_c + first + i, pixel_out * out_c + o,
                  c->depthwise ? tap * out_c + o : (o * taps + tap) * width + i, o);
    }
}

static void each_product(const Case *c, Product visit, void *context)
{
    for (int n = 0; n < c->batch; n++)
        for (int oy = 0; oy < c->y.out; oy++)
            for (int ox = 0; ox < c->x.out; ox++)
                for (int t = 0; t < c->y.kernel * c->x.kernel; t++) {
                    const int ky = t / c->x.kernel, kx = t % c->x.kernel;
                    const int iy = oy * c->y.stride - c->y.before + ky * c->y.dilation;
                    const int ix = ox * c->x.stride - c->x.before + kx * c->x.dilation;
                    if (iy < 0 || iy >= c->y.in || ix < 0 || ix >= c->x.in)
                        continue;
                    each_channel(c, (size_t)((n * c->y.in + iy) * c->x.in + ix),
                                 (size_t)((n * c->y.out + oy) * c->x.out + ox), (size_t)t, visit,
                                 context);
                }
}

/* Everything a node makes, in double. */
typedef struct Truth {
    const Bound *b;
    double *y, *dx, *dw, *db;
    int64_t *sums; /* of codes */
} Truth;

static void truth_product(void *context, size_t x, size_t y, size_t w, size_t channel)
{
    const Truth *t = context;
    const Tensor *in = t->b->in;
    const double xv = (double)bound_real(&in[0], x, 0), wv = (double)bound_real(&in[1], w, channel);
    const double g = (double)t->b->out.grad[y];
    t->y[y] += xv * wv;
    t->dx[x] += g * wv;
    t->dw[w] += g * xv;
    if (in[0].elem == ELEM_CODE)
        t->sums[y] += (((const int8_t *)in[0].data)[x] - run_zero_point(&in[0])) *
                      ((const int8_t *)in[1].data)[w];
}

static void truth_init(Truth *t, const Case *c, const Bound *b)
{
    const size_t ny = shape_count(b->out.shape), out_c = (size_t)c->out_c;
    *t = (Truth){.b = b,
                 .y = calloc(ny, sizeof *t->y),
                 .dx = calloc(shape_count(b->in[0].shape), sizeof *t->dx),
                 .dw = calloc(shape_count(b->in[1].shape), sizeof *t->dw),
                 .db = calloc(out_c, sizeof *t->db),
                 .sums = calloc(ny, sizeof *t->sums)};
    ck_assert(t->y && t->dx && t->dw && t->db && t->sums);
    each_product(c, truth_product, t);
    for (size_t i = 0; i < ny; i++) {
        t->db[i % out_c] += (double)b->out.grad[i];
        if (c->node->inputs > 2)
            t->y[i] += (double)((const Real *)b->in[2].data)[i % out_c];
    }
}

static void truth_release(Truth *t)
{
    free(t->y);
    free(t->dx);
    free(t->dw);
    free(t->db);
    free(t->sums);
}

static const char *case_text(const Case *c, const char *level)
{
    static char text[300];
    snprintf(text, sizeof text,
             "%s %s: batch %d, %dx%d x %d -> %dx%d x %d, kernel %dx%d, stride %d,%d, dilation "
             "%d,%d, pads %d,%d, groups %d",
             level, c->node->op->name, c->batch, c->y.in, c->x.in, c->in_c, c->y.out, c->x.out,
             c->out_c, c->y.kernel, c->x.kernel, c->y.stride, c->x.stride, c->y.dilation,
             c->x.dilation, c->y.before, c->x.before, c->groups);
    return text;
}

/* Every number close to the truth, relative to the largest. */
static void expect_close(const char *what, const char *where, const Real *have, const double *want,
                         size_t n, double old)
{
    const double precision = sizeof(Real) == sizeof(double) ? 1e-13 : 1e-5;
    double most = 1;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(want[i]));
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)have[i] - want[i] - old) <= precision * most,
                      "%s: %s[%zu] is %g, not %g", where, what, i, (double)have[i], want[i] + old);
}

static void check_reals(const Case *c, const Bound *b, const char *where, double old)
{
    Truth t;
    truth_init(&t, c, b);
    expect_close("y", where, b->out.data, t.y, shape_count(b->out.shape), 0);
    expect_close("dx", where, b->in[0].grad, t.dx, shape_count(b->in[0].shape), old);
    expect_close("dw", where, b->in[1].grad, t.dw, shape_count(b->in[1].shape), old);
    if (c->node->inputs > 2)
        expect_close("db", where, b->in[2].grad, t.db, shape_count(b->in[2].shape), old);
    truth_release(&t);
}

static bool open_level(Compute *compute, int threads, const char *level)
{
    return compute_open(compute, threads, level, NULL) == HONE_OK;
}

static void run_both(Bound *b)
{
    b->run.node->op->forward(&b->run);
    b->run.node->op->backward(&b->run);
}

START_TEST(reals_are_the_sums)
{
    Compute compute;
    if (!open_level(&compute, 1, levels[_i / KINDS]))
        return;
    Rng rng = rng_at(SEED, RNG_TEST, 2, (uint64_t)_i % KINDS);
    for (int round = 0; round < 24; round += EVERY) {
        Case c;
        case_init(&c, (Kind)(_i % KINDS), &rng);
        Bound b;
        const Real old = round % 2 ? 3 : 0;
        bound_init(&b, c.node, &compute, c.batch, false, true, round % 2 ? 3 : (Real)NAN, &rng);
        for (int i = 0; i < c.node->inputs; i++)
            b.run.accumulate[i] = round % 2;
        run_both(&b);
        check_reals(&c, &b, case_text(&c, levels[_i / KINDS]), (double)old);
        bound_release(&b);
        case_release(&c);
    }
    compute_close(&compute);
}
END_TEST

/* ---- codes ------------------------------------------------------------------------------------ */

static void check_exact(const Case *c, const Bound *b, const Truth *t, const char *where)
{
    const Real s_x = *(const Real *)b->scale[0].data, *s_w = b->scale[1].data;
    const Real *bias = c->node->inputs > 2 ? b->in[2].data : NULL;
    for (size_t i = 0, n = shape_count(b->out.shape); i < n; i++) {
        const size_t o = i % (size_t)c->out_c;
        const Real unit = s_x * s_w[o];
        const double q = bias ? rint((double)bias[o] / (double)unit) : 0;
        const Real want = (Real)(t->sums[i] + (int64_t)q) * unit;
        const Real have = ((const Real *)b->out.data)[i];
        ck_assert_msg(have == want, "%s: y[%zu] is %.9g, not %.9g", where, i, (double)have,
                      (double)want);
    }
}

START_TEST(codes_are_exact)
{
    Compute compute;
    if (!open_level(&compute, 1, levels[_i / KINDS]))
        return;
    Rng rng = rng_at(SEED, RNG_TEST, 3, (uint64_t)_i % KINDS);
    for (int round = 0; round < 16; round += EVERY) {
        Case c;
        case_init(&c, (Kind)(_i % KINDS), &rng);
        Bound b;
        bound_init(&b, c.node, &compute, c.batch, true, true, (Real)NAN, &rng);
        run_both(&b);
        const char *where = case_text(&c, levels[_i / KINDS]);
        Truth t;
        truth_init(&t, &c, &b);
        check_exact(&c, &b, &t, where);
        expect_close("dx", where, b.in[0].grad, t.dx, shape_count(b.in[0].shape), 0);
        expect_close("dw", where, b.in[1].grad, t.dw, shape_count(b.in[1].shape), 0);
        truth_release(&t);
        bound_release(&b);
        case_release(&c);
    }
    compute_close(&compute);
}
END_TEST

/* Replaces the codes of input i by the reals they stand for; returns the codes. */
static void *make_real(Bound *b, const Case *c, int i)
{
    Tensor *t = &b->in[i];
    const size_t n = shape_count(t->shape), filter = n / (size_t)c->out_c;
    Real *reals = malloc(n * sizeof *reals + 64);
    ck_assert_ptr_nonnull(reals);
    for (size_t k = 0; k < n; k++)
        reals[k] = bound_real(t, k, c->depthwise ? k % (size_t)c->out_c : k / filter);
    void *codes = t->data;
    t->data = reals;
    t->elem = ELEM_REAL;
    return codes;
}

/* Backward on codes is backward on the reals they stand for, bit for bit; so are the mixed forms. */
START_TEST(codes_differentiate_as_reals)
{
    Compute compute;
    ck_assert_int_eq(compute_open(&compute, 1, NULL, NULL), HONE_OK);
    Rng rng = rng_at(SEED, RNG_TEST, 4, (uint64_t)_i);
    for (int round = 0; round < 12; round += EVERY) {
        Case c;
        case_init(&c, (Kind)_i, &rng);
        Bound b;
        bound_init(&b, c.node, &compute, c.batch, true, true, 0, &rng);
        run_both(&b);
        const size_t nx = shape_count(b.in[0].shape), nw = shape_count(b.in[1].shape);
        Real *dx = malloc(nx * sizeof *dx), *dw = malloc(nw * sizeof *dw);
        ck_assert(dx && dw);
        memcpy(dx, b.in[0].grad, nx * sizeof *dx);
        memcpy(dw, b.in[1].grad, nw * sizeof *dw);
        free(make_real(&b, &c, (round & 1)));
        for (int form = 0; form < 2; form++) {
            bound_scratch(&b);
            run_both(&b);
            /* Float sums of a tile and of an image may be cut differently. */
            for (size_t k = 0; k < nx; k++)
                ck_assert(b.in[0].grad[k] == dx[k]);
            for (size_t k = 0; k < nw; k++)
                ck_assert_double_eq_tol((double)b.in[1].grad[k], (double)dw[k],
                                        1e-5 * (1 + fabs((double)dw[k])) * 30);
            if (form == 0)
                free(make_real(&b, &c, !(round & 1)));
        }
        free(dx);
        free(dw);
        bound_release(&b);
        case_release(&c);
    }
    compute_close(&compute);
}
END_TEST

/* Where the gradient of the output is zero nothing is added, not even the smallest number. */
START_TEST(nothing_comes_of_zeros)
{
    static const Backward ways[] = {BACKWARD_FLOAT, BACKWARD_INT16, BACKWARD_BF16};
    Compute compute;
    ck_assert(open_level(&compute, 1, NULL));
    Rng rng = rng_at(SEED, RNG_TEST, 8, (uint64_t)_i);
    for (int round = 0; round < 24; round += EVERY) {
        const bool adds = round % 2 == 1, codes = round / 2 % 2 == 1;
        Case c;
        case_init(&c, (Kind)_i, &rng);
        Bound b;
        bound_init(&b, c.node, &compute, c.batch, codes, true, adds ? 3 : (Real)NAN, &rng);
        memset(b.out.grad, 0, shape_count(b.out.shape) * sizeof(Real));
        b.mode.backward = ways[round % 3];
        bound_scratch(&b);
        for (int i = 0; i < c.node->inputs; i++)
            b.run.accumulate[i] = adds;
        run_both(&b);
        for (int i = 0; i < c.node->inputs; i++)
            for (size_t k = 0, n = shape_count(b.in[i].shape); k < n; k++)
                ck_assert_msg(b.in[i].grad[k] == (adds ? 3 : 0), "%s: gradient %d[%zu] is %g",
                              case_text(&c, ""), i, k, (double)b.in[i].grad[k]);
        bound_release(&b);
        case_release(&c);
    }
    compute_close(&compute);
}
END_TEST

START_TEST(threads_do_not_matter)
{
    Rng rng = rng_at(SEED, RNG_TEST, 5, (uint64_t)_i);
    for (int round = 0; round < 6; round += EVERY) {
        Case c;
        case_init(&c, (Kind)(_i % KINDS), &rng);
        const uint64_t seed = rng_u32(&rng);
        Bound first = {0};
        for (int threads = 1; threads <= 3; threads++) {
            Compute compute;
            ck_assert_int_eq(compute_open(&compute, threads, NULL, NULL), HONE_OK);
            Rng data = rng_at(seed, RNG_TEST, 0, 0);
            Bound b;
            bound_init(&b, c.node, &compute, c.batch, _i / KINDS, true, 0, &data);
            run_both(&b);
            if (threads == 1) {
                first = b;
            } else {
                const size_t real = sizeof(Real);
                ck_assert_mem_eq(b.out.data, first.out.data, shape_count(b.out.shape) * real);
                for (int i = 0; i < c.node->inputs; i++)
                    ck_assert_mem_eq(b.in[i].grad, first.in[i].grad,
                                     shape_count(b.in[i].shape) * real);
                bound_release(&b);
            }
            compute_close(&compute);
        }
        bound_release(&first);
        case_release(&c);
    }
}
END_TEST

/* What a node leaves: output and gradients. */
static Real *results_of(const Case *c, const Bound *b, size_t *count)
{
    const Tensor *out = &b->out;
    *count = shape_count(out->shape);
    for (int i = 0; i < c->node->inputs; i++)
        *count += shape_count(b->in[i].shape);
    Real *all = malloc(*count * sizeof *all), *to = all;
    ck_assert_ptr_nonnull(all);
    memcpy(to, out->data, shape_count(out->shape) * sizeof *to);
    to += shape_count(out->shape);
    for (int i = 0; i < c->node->inputs; i++) {
        memcpy(to, b->in[i].grad, shape_count(b->in[i].shape) * sizeof *to);
        to += shape_count(b->in[i].shape);
    }
    return all;
}

/* Two nodes in turn in the scratch of either; it is not a number before. */
static void run_in_turns(Bound *b, const Case *c)
{
    Real *want[2], *have;
    size_t count, shared = 0, worker = 0;
    void *own[2][2];
    for (int i = 0; i < 2; i++) {
        Needs needs = {0};
        c[i].node->op->needs(&b[i].run, &needs);
        shared = needs.shared > shared ? needs.shared : shared;
        worker = b[i].run.worker_bytes > worker ? b[i].run.worker_bytes : worker;
        own[i][0] = b[i].run.shared;
        own[i][1] = b[i].run.worker;
        run_both(&b[i]);
        want[i] = results_of(&c[i], &b[i], &count);
    }
    unsigned char *scratch = aligned_alloc(64, (shared + worker + 128) / 64 * 64);
    ck_assert_ptr_nonnull(scratch);
    memset(scratch, 0xff, shared + worker + 64);
    for (int turn = 0; turn < 4; turn++) {
        Bound *now = &b[turn % 2];
        now->run.shared = scratch;
        now->run.worker = scratch + (shared + 63) / 64 * 64;
        run_both(now);
        have = results_of(&c[turn % 2], now, &count);
        ck_assert_mem_eq(have, want[turn % 2], count * sizeof *have);
        free(have);
    }
    for (int i = 0; i < 2; i++) {
        b[i].run.shared = own[i][0];
        b[i].run.worker = own[i][1];
        free(want[i]);
    }
    free(scratch);
}

/* The nodes of a compilation share their scratch: what one shape leaves there, zeros of borders
 * included, must not show in the next. */
START_TEST(scratch_may_be_stale)
{
    Compute compute;
    if (!open_level(&compute, 1, levels[_i / KINDS]))
        return;
    Rng rng = rng_at(SEED, RNG_TEST, 9, (uint64_t)_i);
    for (int round = 0; round < 8; round += EVERY) {
        Case c[2];
        Bound b[2];
        for (int i = 0; i < 2; i++) {
            case_init(&c[i], (Kind)((_i + i * round) % KINDS), &rng);
            bound_init(&b[i], c[i].node, &compute, c[i].batch, round % 2, true, 0, &rng);
        }
        run_in_turns(b, c);
        for (int i = 0; i < 2; i++) {
            bound_release(&b[i]);
            case_release(&c[i]);
        }
    }
    compute_close(&compute);
}
END_TEST

/* A layer of integers with random multipliers for the node of c. */
static void integer_layer(IntegerLayer *l, const Case *c, const Bound *b, uint32_t *words,
                          int32_t *bias, Rng *rng)
{
    for (int o = 0; o < c->out_c; o++) {
        words[o] = hone_rt_s24_pack(0x800000u | rng_u32(rng) >> 9, 30 + (int)rng_below(rng, 6));
        bias[o] = (int32_t)rng_below(rng, 20000) - 10000;
    }
    *l = (IntegerLayer){.in = {{1, run_zero_point(&b->in[0])}},
                        .out = {1, (int32_t)rng_below(rng, 256) - 128},
                        .lo = -100,
                        .hi = 110,
                        .channels = c->out_c,
                        .weights = b->in[1].data,
                        .bias = bias,
                        .requant = words};
}

START_TEST(integers_are_those_of_fixed)
{
    Compute compute;
    if (!open_level(&compute, 2, levels[_i / KINDS]))
        return;
    Rng rng = rng_at(SEED, RNG_TEST, 6, (uint64_t)_i % KINDS);
    for (int round = 0; round < 12; round += EVERY) {
        Case c;
        case_init(&c, (Kind)(_i % KINDS), &rng);
        Bound b;
        bound_init(&b, c.node, &compute, c.batch, true, false, 0, &rng);
        Truth t;
        truth_init(&t, &c, &b);
        uint32_t words[64];
        int32_t bias[64];
        IntegerLayer l;
        integer_layer(&l, &c, &b, words, bias, &rng);
        const Op *op = c.node->op;
        void *packed =
            malloc(op->pack(c.node, &compute, l.weights, bias, l.in[0].zero_point, NULL));
        ck_assert_ptr_nonnull(packed);
        op->pack(c.node, &compute, l.weights, bias, l.in[0].zero_point, packed);
        l.packed = packed;
        b.run.integer = &l;
        b.mode = (Mode){.integer = true};
        bound_scratch(&b);
        op->integer(&b.run);
        for (size_t i = 0, n = shape_count(b.out.shape); i < n; i++) {
            const size_t o = i % (size_t)c.out_c;
            ck_assert_msg(((const int8_t *)b.out.data)[i] ==
                              hone_rt_s24_code((int32_t)t.sums[i] + bias[o], words[o],
                                               l.out.zero_point, l.lo, l.hi),
                          "%s: y[%zu]", case_text(&c, levels[_i / KINDS]), i);
        }
        free(packed);
        truth_release(&t);
        bound_release(&b);
        case_release(&c);
    }
    compute_close(&compute);
}
END_TEST

START_TEST(lowering_keeps_the_geometry)
{
    Graph g;
    graph_init(&g);
    Value *x = graph_input(&g, "x", SHAPE4(1, 9, 8, 3), ELEM_REAL);
    x = layer_conv2d(
        &g, "a", x,
        &(Conv2dOptions){
            .channels = 6, .kernel = {3, 5}, .stride = {2, 1}, .dilation = {1, 2}, .bias = true});
    HoneRtOp op = {0};
    x->producer->op->lower(x->producer, &op);
    ck_assert_int_eq(op.kind, HONE_RT_OP_CONV);
    ck_assert(op.kernel_h == 3 && op.kernel_w == 5 && op.stride_h == 2 && op.stride_w == 1);
    ck_assert(op.dilation_h == 1 && op.dilation_w == 2);
    ck_assert(op.pad_top == 1 && op.pad_bottom == 1 && op.pad_left == 4 && op.pad_right == 4);
    ck_assert_int_eq(x->producer->op->macs(x->producer), 5 * 8 * 6 * 3 * 5 * 3);
    x = layer_depthwise(&g, "b", x, &(Conv2dOptions){.kernel = {3, 3}, .stride = {1, 2}});
    op = (HoneRtOp){0};
    x->producer->op->lower(x->producer, &op);
    ck_assert_int_eq(op.kind, HONE_RT_OP_DEPTHWISE);
    ck_assert(op.multiplier == 1 && op.pad_left == 0 && op.pad_right == 1 && op.pad_top == 1);
    ck_assert_int_eq(x->producer->op->macs(x->producer), 5 * 4 * 6 * 9);
    HoneRtOp twice = {0};
    Value *y = layer_depthwise(&g, "b2", x, &(Conv2dOptions){.kernel = {3, 3}, .multiplier = 2});
    y->producer->op->lower(y->producer, &twice);
    ck_assert_int_eq(twice.multiplier, 2);
    ck_assert_int_eq(y->shape.dim[3], 12);
    ck_assert_int_eq(y->producer->op->macs(y->producer), 5 * 4 * 12 * 9);
    y = layer_conv2d(&g, "b3", x, &(Conv2dOptions){.channels = 4, .kernel = {3, 3}, .groups = 2});
    twice = (HoneRtOp){0};
    y->producer->op->lower(y->producer, &twice);
    ck_assert_int_eq(twice.groups, 2);
    ck_assert_int_eq(op.groups, 0); /* one group, as in files of before there were groups */
    ck_assert_int_eq(y->producer->op->macs(y->producer), 5 * 4 * 4 * 9 * 3);
    x = layer_dense(&g, "c", x, 7, false);
    op = (HoneRtOp){0};
    x->producer->op->lower(x->producer, &op);
    ck_assert_int_eq(op.kind, HONE_RT_OP_DENSE);
    ck_assert_int_eq(op.kernel_h, 0);
    ck_assert_int_eq(x->producer->op->macs(x->producer), 5 * 4 * 6 * 7);
    ck_assert_int_eq(graph_failed(&g, NULL), HONE_OK);
    ck_assert_str_eq(g.params[0]->name, "a.weight");
    ck_assert_str_eq(g.params[1]->name, "a.bias");
    ck_assert_double_eq_tol(g.params[0]->init.deviation, sqrt(1.0 / (3 * 45)), 1e-12);
    ck_assert_double_eq_tol(g.params[2]->init.deviation, sqrt(1.0 / (3 * 9)), 1e-12);
    ck_assert_double_eq_tol(g.params[3]->init.deviation, sqrt(1.0 / (3 * 9)), 1e-12);
    ck_assert_double_eq_tol(g.params[4]->init.deviation, sqrt(1.0 / (3 * 27)), 1e-12);
    ck_assert_double_eq_tol(g.params[5]->init.deviation, sqrt(1.0 / (3 * 120)), 1e-12);
    graph_release(&g);
}
END_TEST

Suite *suite_conv(void)
{
    Suite *s = suite_create("conv");
    TCase *t = tcase_create("geometry");
    tcase_add_test(t, window_same_is_tensorflows);
    tcase_add_test(t, window_taps);
    tcase_add_test(t, builders_say_what_is_wrong);
    tcase_add_test(t, lowering_keeps_the_geometry);
    suite_add_tcase(s, t);
    t = tcase_create("sums");
    tcase_add_loop_test(t, reals_are_the_sums, 0, LEVELS * KINDS);
    tcase_add_loop_test(t, codes_are_exact, 0, LEVELS * KINDS);
    tcase_add_loop_test(t, codes_differentiate_as_reals, 0, KINDS);
    tcase_add_loop_test(t, nothing_comes_of_zeros, 0, KINDS);
    tcase_add_loop_test(t, threads_do_not_matter, 0, 2 * KINDS);
    tcase_add_loop_test(t, scratch_may_be_stale, 0, LEVELS * KINDS);
    tcase_add_loop_test(t, integers_are_those_of_fixed, 0, LEVELS * KINDS);
    suite_add_tcase(s, t);
    return s;
}
