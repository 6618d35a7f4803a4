/* Tests of counted work and measured ceilings: products and bytes of small nets worked out by hand.
 *
 *     x 4x4x2 > conv 3x3 to 3 > ReLU > conv 1x1 to 5 > flatten > loss        2 samples
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/work.h"
#include "layers/layers.h"
#include "qat/fuse.h"
#include "qat/insert.h"
#include "qat/nodes.h"
#include "tests/net.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH = 2,
    PIXELS = 16,
    X = BATCH * PIXELS * 2, /* numbers of the tensors */
    Y = BATCH * PIXELS * 3,
    Z = BATCH * PIXELS * 5,
    A = 3 * 9 * 2, /* weights */
    B = 5 * 3,
    REAL = sizeof(Real),
};

typedef struct WorkNet {
    Net net;
    Value *x;
} WorkNet;

static void work_net_init(WorkNet *t, const Mode *mode, bool plan)
{
    static const QatOptions qat = {.present = true,
                                   .weights = {8, QAT_PER_CHANNEL},
                                   .activations = {8, OBSERVER_EMA, 0.9, true}};
    net_init(&t->net);
    Graph *g = &t->net.graph;
    Error e = {0};
    t->x = graph_input(g, "x", SHAPE4(1, 4, 4, 2), ELEM_REAL);
    Value *y = layer_conv2d(g, "a", t->x, &(Conv2dOptions){.channels = 3, .kernel = {3, 3}});
    y = layer_relu(g, "relu", y);
    y = layer_conv2d(g, "b", y, &(Conv2dOptions){.channels = 5});
    net_loss(g, "loss", layer_flatten(g, "flat", y));
    if (mode->quantize) {
        ck_assert_msg(qat_insert(g, &qat, &e) == HONE_OK, "%s", e.text);
        ck_assert_msg(qat_fuse(g, &e) == HONE_OK, "%s", e.text);
    }
    net_compile(&t->net, &(NetOptions){.mode = *mode, .batch = BATCH, .plan = plan});
}

static Work work_named(const WorkNet *t, const char *node)
{
    for (int i = 0; i < exec_run_count(t->net.exec); i++)
        if (strcmp(exec_run(t->net.exec, i)->node->name, node) == 0)
            return work_of(t->net.exec, i);
    ck_abort_msg("no node '%s' acts", node);
}

static void check_part(WorkPart got, int64_t macs, int64_t bytes, Arithmetic arithmetic)
{
    ck_assert_int_eq(got.macs, macs);
    ck_assert_int_eq(got.bytes, bytes);
    if (macs > 0)
        ck_assert_int_eq(got.arithmetic, arithmetic);
}

/* Of x nobody wants the gradient: one product in the first layer's backward, two in the second's. */
START_TEST(float_layers)
{
    WorkNet t;
    work_net_init(&t, &(Mode){.training = true}, false);
    const Work a = work_named(&t, "a"), relu = work_named(&t, "relu"), b = work_named(&t, "b");
    check_part(a.forward, Y * 9 * 2, (X + A + Y) * REAL, ARITHMETIC_FLOAT);
    check_part(a.backward, Y * 9 * 2, (X + A + Y + A) * REAL, ARITHMETIC_FLOAT);
    check_part(relu.forward, 0, (Y + Y) * REAL + Y / 8, ARITHMETIC_FLOAT);
    check_part(relu.backward, 0, (Y + Y) * REAL + Y / 8, ARITHMETIC_FLOAT);
    check_part(b.forward, Z * 3, (Y + B + Z) * REAL, ARITHMETIC_FLOAT);
    check_part(b.backward, 2 * Z * 3, (Y + B + Z + Y + B) * REAL, ARITHMETIC_FLOAT);
    net_release(&t.net);
}
END_TEST

/* A copy moves its numbers, and nothing where the plan lays both into one piece of memory. */
START_TEST(copies)
{
    for (int plan = 0; plan < 2; plan++) {
        WorkNet t;
        work_net_init(&t, &(Mode){.training = true}, plan);
        const Work flat = work_named(&t, "flat");
        check_part(flat.forward, 0, plan ? 0 : 2 * Z * REAL, ARITHMETIC_FLOAT);
        check_part(flat.backward, 0, plan ? 0 : 2 * Z * REAL, ARITHMETIC_FLOAT);
        net_release(&t.net);
    }
}
END_TEST

/* Evaluation has no backward and saves nothing for one. */
START_TEST(evaluation)
{
    WorkNet t;
    work_net_init(&t, &(Mode){0}, false);
    const Work relu = work_named(&t, "relu"), b = work_named(&t, "b");
    check_part(b.backward, 0, 0, ARITHMETIC_FLOAT);
    check_part(relu.backward, 0, 0, ARITHMETIC_FLOAT);
    check_part(relu.forward, 0, (Y + Y) * REAL, ARITHMETIC_FLOAT);
    net_release(&t.net);
}
END_TEST

/* Codes are bytes, a pixel's bits stand in one, all of them in whole lines of memory; the extent is two
 * numbers. Gradients stay real. */
START_TEST(quantized_layers)
{
    static const struct {
        Backward backward;
        Arithmetic products;
    } cases[] = {{BACKWARD_FLOAT, ARITHMETIC_FLOAT},
                 {BACKWARD_BF16, ARITHMETIC_BF16},
                 {BACKWARD_INT16, ARITHMETIC_INT16}};
    enum { BITS = (BATCH * PIXELS + 63) / 64 * 64, EXTENT = 2 * REAL };
    for (int i = 0; i < 3; i++) {
        WorkNet t;
        const Mode mode = {
            .training = true, .quantize = true, .fuse = true, .backward = cases[i].backward};
        work_net_init(&t, &mode, true);
        const Work a = work_named(&t, "a.fused"), b = work_named(&t, "b.fused");
        check_part(a.forward, Y * 9 * 2, X + A + Y + EXTENT + BITS, ARITHMETIC_INT8);
        check_part(a.backward, Y * 9 * 2, X + A + BITS + (Y + A) * REAL, cases[i].products);
        check_part(b.forward, Z * 3, Y + B + Z + EXTENT + BITS, ARITHMETIC_INT8);
        check_part(b.backward, 2 * Z * 3, Y + B + BITS + (Z + Y + B) * REAL, cases[i].products);
        net_release(&t.net);
    }
}
END_TEST

/* 5 million products are 10 million operations: at 2 GOP/s 5 ms; 8 MB at 4 GB/s 2 ms. */
START_TEST(the_slower_ceiling_limits)
{
    const Ceilings c = {.gops = {[ARITHMETIC_FLOAT] = 2, [ARITHMETIC_INT8] = 20}, .gbytes = 4};
    const WorkPart real = {5000000, 8000000, ARITHMETIC_FLOAT};
    const WorkPart code = {5000000, 8000000, ARITHMETIC_INT8};
    const WorkPart unknown = {5000000, 8000000, ARITHMETIC_BF16};
    const char *limit;
    ck_assert_double_eq_tol(work_least_ms(&real, &c, &limit), 5, 1e-12);
    ck_assert_str_eq(limit, "float");
    ck_assert_double_eq_tol(work_least_ms(&code, &c, &limit), 2, 1e-12);
    ck_assert_str_eq(limit, "memory");
    ck_assert_double_eq_tol(work_least_ms(&unknown, &c, NULL), 2, 1e-12);
}
END_TEST

/* ---- ceilings ---- */

START_TEST(loops_of_levels)
{
    const PeakLoop *loops[16];
    const int count = peaks_loops(loops, 16);
    ck_assert_ptr_null(peaks_loop_of("ref", ARITHMETIC_FLOAT));
    for (int i = 0; i < count; i++) {
        const PeakLoop *own = peaks_loop_of(loops[i]->level, loops[i]->arithmetic);
        ck_assert_ptr_nonnull(own);
        ck_assert_int_eq(own->arithmetic, loops[i]->arithmetic);
        ck_assert_int_ge(own->bits, loops[i]->bits);
        for (int a = 0; a < ARITHMETIC_KINDS; a++) /* each has a loop, its own or another's */
            ck_assert_ptr_nonnull(peaks_loop_of(loops[i]->level, (Arithmetic)a));
    }
}
END_TEST

/* A loop's operations are counted by hand in its table: no processor does more than 256 lanes of four
 * products in each of two units, at 7 GHz. */
START_TEST(ceilings_are_plausible)
{
    Compute compute;
    Ceilings c;
    Error e = {0};
    ck_assert_int_eq(compute_open(&compute, 1, getenv("HONE_CPU"), &e), HONE_OK);
    const char *level = compute.integer->name;
    ck_assert_msg(ceilings_measure(&c, level, 1, &e) == HONE_OK, "%s", e.text);
    ck_assert(c.gbytes > 0.1 && c.gbytes < 1000);
    for (int a = 0; a < ARITHMETIC_KINDS; a++) {
        const bool known = peaks_loop_of(level, (Arithmetic)a) != NULL;
        ck_assert_msg(known ? c.gops[a] > 0.1 && c.gops[a] < 7.0 * 2 * 2 * 256 * 4 : c.gops[a] == 0,
                      "%s: %g", arithmetic_name((Arithmetic)a), c.gops[a]);
    }
    compute_close(&compute);
}
END_TEST

Suite *suite_work(void)
{
    Suite *s = suite_create("work");
    TCase *t = tcase_create("work");
    tcase_add_test(t, float_layers);
    tcase_add_test(t, copies);
    tcase_add_test(t, evaluation);
    tcase_add_test(t, quantized_layers);
    tcase_add_test(t, the_slower_ceiling_limits);
    tcase_add_test(t, loops_of_levels);
    tcase_add_test(t, ceilings_are_plausible);
    suite_add_tcase(s, t);
    return s;
}
