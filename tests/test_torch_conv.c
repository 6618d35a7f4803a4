/* Convolutions in groups, dilated, and with a multiplier against PyTorch in float64: outputs and all
 * gradients of single layers (tests/oracle/torch_conv.py has the formulas of the numbers). To 1e-10 in
 * the double build, in float to rounding. SPDX-License-Identifier: Apache-2.0 */
#include "layers/layers.h"
#include "tests/bound.h"
#include "tests/oracle/torch_conv_fixtures.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>

static const double tolerance = sizeof(Real) == sizeof(double) ? 1e-10 : 1e-5;
enum { CASES = sizeof torch_convs / sizeof torch_convs[0], PARTS = 4 };

/* scale * (u - 1/2), as the script's numbers(). */
static double number(int64_t i, int64_t salt, double scale)
{
    const int64_t u = (i * 7919 + salt * 104729 + 12345) * 48271 % 65536;
    return scale * ((double)u / 65536 - 0.5);
}

static void fill(Real *v, Shape s, int64_t salt, double scale)
{
    for (size_t i = 0; i < shape_count(s); i++)
        v[i] = (Real)number((int64_t)i, salt, scale);
}

static Value *build(Graph *g, int i)
{
    Conv2dOptions o = {.channels = torch_convs[i].out,
                       .padding = PADDING_EXPLICIT,
                       .bias = true,
                       .groups = torch_convs[i].depthwise ? 0 : torch_convs[i].groups};
    o.multiplier = torch_convs[i].depthwise ? torch_convs[i].out / torch_convs[i].in : 0;
    for (int k = 0; k < 4; k++)
        o.pads[k] = torch_convs[i].pads[k];
    for (int k = 0; k < 2; k++) {
        o.kernel[k] = torch_convs[i].kernel[k];
        o.stride[k] = torch_convs[i].stride[k];
        o.dilation[k] = torch_convs[i].dilation[k];
    }
    Value *x = graph_input(g, "x", SHAPE4(1, torch_convs[i].h, torch_convs[i].w, torch_convs[i].in),
                           ELEM_REAL);
    return torch_convs[i].depthwise ? layer_depthwise(g, "conv", x, &o)
                                    : layer_conv2d(g, "conv", x, &o);
}

static void compare(int i, int part, const Real *v, Shape s)
{
    static const char *const names[PARTS] = {"y", "dx", "dw", "db"};
    const double *want = torch_convs[i].results[part];
    double sum = 0, squares = 0, dot = 0;
    for (size_t k = 0; k < shape_count(s); k++) {
        sum += (double)v[k];
        squares += (double)v[k] * (double)v[k];
        dot += (double)v[k] * number((int64_t)k, 50, 1);
    }
    const double have[3] = {sum, sqrt(squares), dot};
    const double room = tolerance * want[1] * sqrt((double)shape_count(s));
    for (int k = 0; k < 3; k++)
        ck_assert_msg(fabs(have[k] - want[k]) <= room, "%s: number %d of %s is %.9g, PyTorch %.9g",
                      torch_convs[i].name, k, names[part], have[k], want[k]);
}

START_TEST(convolutions_are_torchs)
{
    Graph g;
    Compute compute;
    Bound b;
    Rng rng = rng_at(1, RNG_TEST, 0, 0);
    graph_init(&g);
    const Value *y = build(&g, _i);
    ck_assert_msg(y != NULL, "%s", g.error.text);
    ck_assert_int_eq(compute_open(&compute, 2, NULL, NULL), HONE_OK);
    bound_init(&b, y->producer, &compute, torch_convs[_i].batch, false, true, (Real)NAN, &rng);
    fill(b.in[0].data, b.in[0].shape, 1, 2);
    fill(b.in[1].data, b.in[1].shape, 2, 1);
    fill(b.in[2].data, b.in[2].shape, 3, 0.5);
    fill(b.out.grad, b.out.shape, 4, 1);
    b.run.node->op->forward(&b.run);
    b.run.node->op->backward(&b.run);
    compare(_i, 0, b.out.data, b.out.shape);
    for (int k = 0; k < 3; k++)
        compare(_i, k + 1, b.in[k].grad, b.in[k].shape);
    bound_release(&b);
    compute_close(&compute);
    graph_release(&g);
}
END_TEST

Suite *suite_gradtorchconv(void)
{
    Suite *s = suite_create("gradtorchconv");
    TCase *t = tcase_create("torch");
    tcase_add_loop_test(t, convolutions_are_torchs, 0, CASES);
    suite_add_tcase(s, t);
    return s;
}
