/* The check of gradients is checked: y = x^2 with a right and with wrong gradients.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/gradcheck.h"
#include "tests/suites.h"

#include <check.h>

#define TOLERANCE 1e-6

static int square_infer(Node *n, Error *e)
{
    (void)e;
    n->out[0]->shape = n->in[0]->shape;
    return HONE_OK;
}

static void square_forward(const Run *r)
{
    const Real *x = r->in[0]->data;
    Real *y = r->out[0]->data;
    for (size_t i = 0; i < shape_count(r->in[0]->shape); i++)
        y[i] = x[i] * x[i];
}

static void square_gradient(const Run *r, Real factor, bool adds, size_t count)
{
    const Real *x = r->in[0]->data, *dy = r->out[0]->grad;
    Real *dx = r->in[0]->grad;
    for (size_t i = 0; i < count; i++)
        dx[i] = factor * x[i] * dy[i] + (adds && r->accumulate[0] ? dx[i] : 0);
}

static void square_right(const Run *r)
{
    square_gradient(r, 2, true, shape_count(r->in[0]->shape));
}

static void square_wrong_sign(const Run *r)
{
    square_gradient(r, -2, true, shape_count(r->in[0]->shape));
}

static void square_no_factor(const Run *r)
{
    square_gradient(r, 1, true, shape_count(r->in[0]->shape));
}

static void square_overwrites(const Run *r)
{
    square_gradient(r, 2, false, shape_count(r->in[0]->shape));
}

static void square_slightly_off(const Run *r)
{
    square_gradient(r, (Real)2.00001, true, shape_count(r->in[0]->shape));
}

#define SQUARE(text, wrong)                                                                        \
    {                                                                                              \
        .name = (text), .reads = OP_IN(0), .grads = OP_IN(0), .outputs = 1, .infer = square_infer, \
        .forward = square_forward, .backward = (wrong),                                            \
    }

static const Op squares[] = {
    SQUARE("right", square_right),
    SQUARE("wrong sign", square_wrong_sign),
    SQUARE("no factor", square_no_factor),
    SQUARE("overwrites", square_overwrites),
    SQUARE("slightly off", square_slightly_off),
};

static const Op *square_op; /* of the case that is being built */

static Value *square(Graph *g)
{
    Value *x = gradcheck_source(g, "x", SHAPE2(3, 4), 1, 1);
    Node *n = graph_node(g, square_op, "square", 1, &x, NULL, 0);
    return n ? n->out[0] : NULL;
}

START_TEST(harness_finds_wrong_gradients)
{
    if (sizeof(Real) != sizeof(double))
        return;
    square_op = &squares[_i];
    GradCase c = {.name = square_op->name, .op = square_op, .build = square};
    GradResult worst = gradcheck(&c);
    if (_i == 0)
        ck_assert_msg(worst.error <= TOLERANCE, "%s: error %g", worst.where, worst.error);
    else
        ck_assert_msg(worst.error > TOLERANCE, "'%s' was not found", square_op->name);
}
END_TEST

Suite *suite_gradharness(void)
{
    Suite *s = suite_create("gradharness");
    TCase *t = tcase_create("squares");
    tcase_add_loop_test(t, harness_finds_wrong_gradients, 0,
                        (int)(sizeof squares / sizeof squares[0]));
    suite_add_tcase(s, t);
    return s;
}
