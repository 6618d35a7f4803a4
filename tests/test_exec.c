/* Tests of stepping a compilation: inputs that lie elsewhere, and work too small for threads.
 * SPDX-License-Identifier: Apache-2.0 */
#include "layers/layers.h"
#include "tests/net.h"
#include "tests/suites.h"

#include <check.h>
#include <stdatomic.h>

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

Suite *suite_exec(void)
{
    Suite *s = suite_create("exec");
    TCase *t = tcase_create("exec");
    tcase_add_test(t, lent_inputs_are_read);
    tcase_add_test(t, small_work_stays_in_the_caller);
    suite_add_tcase(s, t);
    return s;
}
