/* Tests of lowering at its limits and of graphs that it refuses, each with its sentence, and of programs
 * without constants. The integers are made up: lowering copies them. SPDX-License-Identifier: Apache-2.0 */
#include "export/describe.h"
#include "export/lower.h"
#include "export/write_hone.h"
#include "layers/layers.h"
#include "runtime/runtime.h"
#include "tests/expect.h"
#include "tests/suites.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static Graph g;
static Value *x;
static Error e;

static void setup(void)
{
    e = (Error){0};
    graph_init(&g);
}

static void teardown(void)
{
    graph_release(&g);
}

static void begin(Shape shape)
{
    graph_release(&g);
    graph_init(&g);
    x = graph_input(&g, "x", shape, ELEM_REAL);
}

/* Lowers what y depends on; every grid is (0.5, 0). */
static int lower(Lowered *l, const Value *y)
{
    ck_assert_msg(graph_failed(&g, &e) == HONE_OK, "%s", e.text);
    const Grid half = {0.5f, 0};
    IntegerPlan plan = {.count = g.node_count, .profile = HONE_RT_S24};
    plan.layers = calloc((size_t)g.node_count + 1, sizeof *plan.layers);
    ck_assert_ptr_nonnull(plan.layers);
    for (int i = 0; i < g.node_count; i++)
        plan.layers[i] = (IntegerLayer){.in = {half, half}, .out = half};
    LowerSource source = {.graph = &g, .plan = &plan, .input = x, .output = y};
    e = (Error){0};
    int status = lower_program(l, &source, &e);
    free(plan.layers);
    return status;
}

static void refused(const Value *y, int code, const char *sentence)
{
    Lowered l;
    ck_assert_int_eq(lower(&l, y), code);
    ck_assert_str_eq(e.text, sentence);
    ck_assert_ptr_null(l.ops);
}

START_TEST(graphs_are_refused)
{
    begin(SHAPE4(1, 2, 2, 3));
    Value *other = graph_input(&g, "other", SHAPE4(1, 2, 2, 3), ELEM_REAL);
    refused(layer_add(&g, "sum", other, x), HONE_ERR_CONFIG,
            "'other' is an input of the network beside 'x'");
    refused(layer_sigmoid(&g, "s", layer_batchnorm(&g, "norm", x, NULL)), HONE_ERR_CONFIG,
            "layer 'norm': batchnorm cannot be exported");
    refused(layer_reshape(&g, "cube", x, ((Shape){3, {1, 4, 3}})), HONE_ERR_SHAPE,
            "layer 'cube': values of rank 3 cannot be exported");
}
END_TEST

START_TEST(sizes_are_refused)
{
    const Shape most = SHAPE4(1, 4096, 4096, 1);
    Lowered l;
    begin(SHAPE2(1, HONE_RT_MAX_DIM + 1));
    refused(layer_sigmoid(&g, "s", x), HONE_ERR_SHAPE,
            "layer 'x': extent 16777217 > 16777216 cannot be exported");
    begin(SHAPE4(1, 4096, 4097, 1));
    refused(layer_sigmoid(&g, "s", x), HONE_ERR_SHAPE,
            "layer 'x': 16781312 values > 16777216 cannot be exported");
    begin(SHAPE4(1, 4096, 2048, 1));
    refused(layer_upsample(&g, "up", x, (const int[]){2, 2}), HONE_ERR_SHAPE,
            "layer 'up': 33554432 values > 16777216 cannot be exported");
    begin(most);
    OK(lower(&l, layer_sigmoid(&g, "s", x)));
    lower_release(&l);
}
END_TEST

/* A chain of functions, which with the input are as many tensors as there may be, and one more. */
START_TEST(counts_are_refused)
{
    char name[16];
    Lowered l;
    begin(SHAPE2(1, 1));
    Value *y = x;
    for (int i = 1; i < HONE_RT_MAX_COUNT; i++) {
        snprintf(name, sizeof name, "s%d", i);
        y = layer_sigmoid(&g, name, y);
    }
    OK(lower(&l, y));
    ck_assert_uint_eq(l.program.tensor_count, HONE_RT_MAX_COUNT);
    lower_release(&l);
    refused(layer_sigmoid(&g, "last", y), HONE_ERR_SHAPE,
            "layer 'last': an artifact holds at most 4096 tensors");
}
END_TEST

/* Values of 16 MiB that live at once: 64 of them are the most, the last in the input's place. */
START_TEST(activations_must_fit)
{
    for (int count = 64; count <= 65; count++) {
        char name[16];
        Value *y[65];
        Lowered l;
        begin(SHAPE4(1, 4096, 4096, 1));
        for (int i = 0; i < count; i++) {
            snprintf(name, sizeof name, "s%d", i);
            y[i] = layer_sigmoid(&g, name, x);
        }
        for (int i = 1; i < count; i++) {
            snprintf(name, sizeof name, "a%d", i);
            y[0] = layer_add(&g, name, y[0], y[i]);
        }
        if (count == 64) {
            OK(lower(&l, y[0]));
            ck_assert_uint_eq(l.program.activation_bytes, 1u << 30);
            lower_release(&l);
        } else {
            refused(y[0], HONE_ERR_SHAPE,
                    "activations take 1090519040 bytes; at most 1073741824 fit");
        }
    }
}
END_TEST

/* A gate dies in the product that it is smaller than: the product cannot have its place. */
START_TEST(a_smaller_operand_keeps_its_place)
{
    Lowered l;
    begin(SHAPE4(1, 4, 4, 2));
    Value *wide = layer_sigmoid(&g, "wide", x);
    Value *gate = layer_average_pool(&g, "gate", wide, &(PoolOptions){.kernel = {4, 4}});
    OK(lower(&l, layer_add(&g, "sum", layer_mul(&g, "product", wide, gate), wide)));
    const HoneRtTensor *t = l.program.tensors;
    const uint32_t wide_at = t[1].offset, gate_at = t[2].offset, product_at = t[3].offset;
    ck_assert_str_eq(hone_rt_string(&l.program, t[3].name), "product");
    ck_assert(product_at + 32 <= wide_at || wide_at + 32 <= product_at);
    ck_assert(product_at + 32 <= gate_at || gate_at + 2 <= product_at);
    ck_assert_uint_eq(t[4].offset, product_at); /* the sum may */
    lower_release(&l);
}
END_TEST

/* ---- written and described ---- */

static Description describe(const Value *y)
{
    Lowered l;
    Description d;
    unsigned char *bytes;
    size_t count;
    OK(lower(&l, y));
    OK(write_hone_bytes(&l.program, NULL, 0, &bytes, &count, &e));
    OK(describe_artifact(&d, bytes, count, &e));
    lower_release(&l);
    free(bytes); /* names are gone, numbers stay */
    return d;
}

START_TEST(no_constants)
{
    begin(SHAPE4(1, 4, 4, 2));
    Description d = describe(layer_max_pool(&g, "pool", x, &(PoolOptions){.kernel = {2, 2}}));
    ck_assert_int_eq(d.layer_count, 1);
    ck_assert_str_eq(d.layers[0].kind, "max_pool");
    ck_assert_int_eq(d.constants_bytes, 0);
    ck_assert(d.weights == 0 && d.macs == 0 && d.params == 0 && d.sparsity == 0);
    ck_assert(d.output.h == 2 && d.output.w == 2 && d.output.c == 2);
    describe_release(&d);
}
END_TEST

START_TEST(as_many_inputs_as_there_may_be)
{
    Value *parts[HONE_RT_MAX_INPUTS];
    begin(SHAPE4(1, 4, 4, 2));
    for (int i = 0; i < HONE_RT_MAX_INPUTS; i++)
        parts[i] = x;
    Description d = describe(layer_concat(&g, "all", HONE_RT_MAX_INPUTS, parts));
    ck_assert_int_eq(d.layers[0].inputs, HONE_RT_MAX_INPUTS);
    ck_assert_int_eq(d.layers[0].in[HONE_RT_MAX_INPUTS - 1].c, 2);
    ck_assert_int_eq(d.output.c, 2 * HONE_RT_MAX_INPUTS);
    describe_release(&d);
}
END_TEST

Suite *suite_lower(void)
{
    Suite *s = suite_create("lower");
    TCase *t = tcase_create("lower");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, graphs_are_refused);
    tcase_add_test(t, sizes_are_refused);
    tcase_add_test(t, counts_are_refused);
    tcase_add_test(t, activations_must_fit);
    tcase_add_test(t, a_smaller_operand_keeps_its_place);
    tcase_add_test(t, no_constants);
    tcase_add_test(t, as_many_inputs_as_there_may_be);
    suite_add_tcase(s, t);
    return s;
}
