/* Tests of stepping a compilation: inputs that lie elsewhere, work too small for threads, walks from
 * node to node.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"
#include "layers/layers.h"
#include "tests/net.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 3, CHANNELS = 8 };

/* An input of 4 x 4 x CHANNELS and its ReLU, which is kept. */
typedef struct ReluNet {
    Net net;
    Value *x, *y;
} ReluNet;

static void relu_net_init(ReluNet *t, int batch, int threads)
{
    net_init(&t->net);
    t->x = graph_input(&t->net.graph, "x", SHAPE4(1, 4, 4, CHANNELS), ELEM_REAL);
    t->y = layer_relu(&t->net.graph, "relu", t->x);
    net_compile(&t->net,
                &(NetOptions){.batch = batch, .threads = threads, .plan = true, .keep = t->y});
}

/* A lent input is read where it lies, in every step, until another is lent. */
START_TEST(lent_inputs_are_read)
{
    enum { BATCH = 2, COUNT = BATCH * 16 * CHANNELS };
    ReluNet t;
    relu_net_init(&t, BATCH, 1);
    Real numbers[2][COUNT + 16];
    for (int i = 0; i < COUNT; i++) {
        numbers[0][i] = (Real)(i % 7 - 3);
        numbers[1][i] = (Real)(i % 5 - 1);
    }
    for (int step = 0; step < 4; step++) {
        Real *lent = numbers[step % 2];
        exec_lend(t.net.exec, t.x, lent);
        if (step == 3)
            lent[5] = 42;
        exec_forward(t.net.exec);
        const Real *y = net_data(&t.net, t.y);
        ck_assert_ptr_ne(y, lent);
        for (int i = 0; i < COUNT; i++)
            ck_assert(y[i] == (lent[i] > 0 ? lent[i] : 0));
    }
    net_release(&t.net);
}
END_TEST

static atomic_int elsewhere, items;

static void note(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)r, (void)chunk;
    atomic_fetch_add(&items, end - begin);
    atomic_fetch_add(&elsewhere, worker != 0);
}

/* A small node's chunks run in the caller; a large node's are all run, whoever does it. */
START_TEST(small_work_stays_in_the_caller)
{
    for (int large = 0; large < 2; large++) {
        ReluNet t;
        relu_net_init(&t, large ? 512 : 4, THREADS);
        const Run *r = exec_run(t.net.exec, 0);
        for (int i = 0; i < 200; i++) {
            atomic_store(&items, 0);
            atomic_store(&elsewhere, 0);
            run_chunks(r, 100, note);
            ck_assert_int_eq(atomic_load(&items), 100);
            ck_assert(large || atomic_load(&elsewhere) == 0);
        }
        net_release(&t.net);
    }
}
END_TEST

/* ReLU, mean, dense, and a loss of labels of which one is absent. */
typedef struct LabelNet {
    Net net;
    Value *x, *labels, *loss;
} LabelNet;

enum { LABEL_BATCH = 3, UNITS = 5 };

static void label_net_init(LabelNet *t)
{
    net_init(&t->net);
    Graph *g = &t->net.graph;
    t->x = graph_input(g, "x", SHAPE4(1, 4, 4, CHANNELS), ELEM_REAL);
    t->labels = graph_input(g, "labels", SHAPE1(1), ELEM_INT32);
    Value *y = layer_mean(g, "mean", layer_relu(g, "relu", t->x));
    t->loss = layer_softmax_xent(g, "loss", layer_dense(g, "dense", y, UNITS, true), t->labels, 0);
    net_compile(&t->net, &(NetOptions){.mode = {.training = true}, .batch = LABEL_BATCH});
    net_random(&t->net, t->x, 0, 1);
    const int32_t labels[LABEL_BATCH] = {2, -1, 0}; /* the bits of -1 are those of a NaN */
    memcpy(net_tensor(&t->net, t->labels)->data, labels, sizeof labels);
}

/* The node is named that makes the first bad number, or reads it from an input or a parameter. */
START_TEST(bad_numbers_are_found_where_they_arise)
{
    static const struct {
        const char *param; /* NULL: x */
        Real value;
        const char *node;
    } cases[] = {{NULL, 0, NULL},
                 {NULL, (Real)NAN, "relu"},
                 {NULL, (Real)INFINITY, "relu"},
                 {"dense.bias", -(Real)INFINITY, "dense"},
                 {"dense.weight", (Real)NAN, "dense"}};
    LabelNet t;
    label_net_init(&t);
    Real *at = cases[_i].param ? net_param(&t.net, cases[_i].param) : net_data(&t.net, t.x);
    at[UNITS - 1] = cases[_i].value;
    const Node *n = exec_find_nonfinite(t.net.exec);
    if (cases[_i].node) {
        ck_assert_ptr_nonnull(n);
        ck_assert_str_eq(n->name, cases[_i].node);
    } else {
        ck_assert_ptr_null(n);
    }
    net_release(&t.net);
}
END_TEST

/* Finite factors whose product is infinite: the inputs are good, the output is not. */
START_TEST(an_overflow_is_found_where_it_arises)
{
    LabelNet t;
    label_net_init(&t);
    Real *x = net_data(&t.net, t.x), *w = net_param(&t.net, "dense.weight");
    const Real huge = (Real)(sizeof(Real) == sizeof(float) ? 1e30 : 1e300);
    for (int i = 0; i < LABEL_BATCH * 16 * CHANNELS; i++)
        x[i] = huge;
    for (int i = 0; i < UNITS * CHANNELS; i++)
        w[i] = huge;
    const Node *n = exec_find_nonfinite(t.net.exec);
    ck_assert_ptr_nonnull(n);
    ck_assert_str_eq(n->name, "dense");
    net_release(&t.net);
}
END_TEST

static void step(Net *t)
{
    exec_forward(t->exec);
    exec_backward(t->exec);
}

/* The nodes' times, each of them some, together at most what passed. */
START_TEST(nodes_are_timed_while_asked)
{
    LabelNet t;
    int64_t sum = 0;
    label_net_init(&t);
    const int runs = exec_run_count(t.net.exec);
    const NodeCost *costs = exec_costs(t.net.exec);
    NodeCost before[8];
    ck_assert_int_eq(runs, 4);
    step(&t.net);
    for (int i = 0; i < runs; i++)
        ck_assert(costs[i].forward_ns == 0 && costs[i].backward_ns == 0);
    exec_profile(t.net.exec, true);
    const int64_t start = clock_ns();
    for (int i = 0; i < 1000; i++) /* the clock may tick in microseconds */
        step(&t.net);
    const int64_t passed = clock_ns() - start;
    for (int i = 0; i < runs; i++) {
        ck_assert_ptr_eq(costs[i].node, exec_run(t.net.exec, i)->node);
        ck_assert_int_gt(costs[i].forward_ns, 0);
        /* nothing that learns lies before the dense layer */
        ck_assert_int_eq(costs[i].backward_ns > 0, i >= 2);
        sum += costs[i].forward_ns + costs[i].backward_ns;
    }
    ck_assert_int_le(sum, passed);
    exec_profile(t.net.exec, false);
    memcpy(before, costs, (size_t)runs * sizeof *costs);
    step(&t.net);
    ck_assert_mem_eq(before, costs, (size_t)runs * sizeof *costs);
    exec_profile(t.net.exec, true);
    for (int i = 0; i < runs; i++)
        ck_assert(costs[i].forward_ns == 0 && costs[i].backward_ns == 0);
    net_release(&t.net);
}
END_TEST

typedef struct Visits {
    const Exec *exec;
    int count;
} Visits;

/* What is visited has just been computed: its outputs are new, those after it are not. */
static void visit(void *context, const Run *r)
{
    Visits *v = context;
    ck_assert_ptr_eq(r, exec_run(v->exec, v->count++));
    ck_assert(!isnan((double)((const Real *)r->out[0]->data)[0]));
    if (v->count < exec_run_count(v->exec)) {
        const Run *next = exec_run(v->exec, v->count);
        ck_assert(isnan((double)((const Real *)next->out[0]->data)[0]));
    }
}

START_TEST(visits_follow_each_node)
{
    LabelNet t;
    label_net_init(&t);
    Visits v = {t.net.exec, 0};
    for (int i = 0; i < exec_run_count(t.net.exec); i++)
        ((Real *)exec_run(t.net.exec, i)->out[0]->data)[0] = (Real)NAN;
    exec_forward_visit(t.net.exec, visit, &v);
    ck_assert_int_eq(v.count, 4);
    net_release(&t.net);
}
END_TEST

/* Every number of a long array is looked at, whichever block of it a thread has. */
START_TEST(no_bad_number_is_overlooked)
{
    enum { NUMBERS = 200001, PLACES = 5 };
    static const size_t places[PLACES] = {0, 65535, 65536, 140000, NUMBERS - 1};
    Error e = {0};
    Compute c;
    ck_assert_msg(compute_open(&c, THREADS, NULL, &e) == HONE_OK, "%s", e.text);
    Real *v = calloc(NUMBERS, sizeof *v);
    ck_assert_ptr_nonnull(v);
    ck_assert(compute_finite(&c, v, NUMBERS));
    for (int i = 0; i < PLACES; i++) {
        v[places[i]] = i % 2 ? (Real)NAN : -(Real)INFINITY;
        ck_assert_msg(!compute_finite(&c, v, NUMBERS), "number %zu", places[i]);
        ck_assert(compute_finite(&c, v, places[i]));
        v[places[i]] = 0;
    }
    free(v);
    compute_close(&c);
}
END_TEST

Suite *suite_exec(void)
{
    Suite *s = suite_create("exec");
    TCase *t = tcase_create("exec");
    tcase_add_test(t, lent_inputs_are_read);
    tcase_add_test(t, small_work_stays_in_the_caller);
    tcase_add_loop_test(t, bad_numbers_are_found_where_they_arise, 0, 5);
    tcase_add_test(t, an_overflow_is_found_where_it_arises);
    tcase_add_test(t, nodes_are_timed_while_asked);
    tcase_add_test(t, visits_follow_each_node);
    tcase_add_test(t, no_bad_number_is_overlooked);
    suite_add_tcase(s, t);
    return s;
}
