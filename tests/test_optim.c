/* Tests of optimizers and learning-rate schedules. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/option_value.h"
#include "core/rng.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "tests/allocations.h"
#include "tests/sgd_fixture.h"
#include "tests/suites.h"

/* Of one operation's rounding, in this build's Real. */
#define EPSILON (sizeof(Real) == sizeof(float) ? 6e-8 : 2e-16)

static const Init normal = {.mean = 0, .deviation = 1};

/* ---- options -------------------------------------------------------------------------------- */

START_TEST(test_tables)
{
    const OptionTable *const tables[] = {&optimizer_options, &schedule_options};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        Error e = {0};
        ck_assert_msg(option_table_check(tables[i], &e) == HONE_OK, "%s", e.text);
    }
}
END_TEST

START_TEST(test_defaults)
{
    Arena arena = {0};
    Error e = {0};
    OptimizerOptions o;
    ScheduleOptions s;
    ck_assert_int_eq(option_defaults(&optimizer_options, NULL, &o, &arena, &e), HONE_OK);
    ck_assert(o.lr == 0.1 && o.momentum == 0.9 && !o.nesterov && o.weight_decay == 0);
    ck_assert_int_eq(option_defaults(&schedule_options, "constant", &s, &arena, &e), HONE_OK);
    ck_assert(s.kind == SCHEDULE_CONSTANT && s.warmup_epochs == 0);
    ck_assert_int_eq(option_defaults(&schedule_options, "cosine", &s, &arena, &e), HONE_OK);
    ck_assert(s.kind == SCHEDULE_COSINE && s.final == 0);
    arena_release(&arena);
}
END_TEST

START_TEST(test_nesterov_needs_momentum)
{
    Graph g;
    Error e = {0};
    Optimizer *o = NULL;
    graph_init(&g);
    OptimizerOptions options = {.lr = 0.1, .nesterov = true};
    ck_assert_int_eq(optimizer_new(&o, &options, &g, &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, "optimizer: nesterov needs a momentum above 0");
    ck_assert_ptr_null(o);
    e = (Error){0};
    options = (OptimizerOptions){.kind = 99};
    ck_assert_int_eq(optimizer_new(&o, &options, &g, &e), HONE_ERR_CONFIG);
    optimizer_free(o);
    graph_release(&g);
}
END_TEST

/* ---- SGD against PyTorch -------------------------------------------------------------------- */

static void close_to(double got, double want, const char *name, int i)
{
    /* Ten steps of a handful of operations on numbers of order 1. */
    ck_assert_msg(fabs(got - want) <= 100 * EPSILON * fmax(1, fabs(want)),
                  "%s[%d]: %.17g, not %.17g", name, i, got, want);
}

/* The element of the flat block for number i of the fixture. */
static size_t place(const Graph *g, int i)
{
    return i < SGD_WEIGHTS ? g->params[0]->offset + (size_t)i
                           : g->params[2]->offset + (size_t)(i - SGD_WEIGHTS);
}

START_TEST(test_sgd_as_pytorch)
{
    const struct SgdCase *c = &sgd_cases[_i];
    Graph g;
    Params p;
    Error e = {0};
    Optimizer *o;
    graph_init(&g);
    graph_param(&g, "a.weight", SHAPE2(3, SGD_WEIGHTS / 3), PARAM_WEIGHT, normal);
    graph_param(&g, "a.mean", SHAPE1(7), PARAM_STATE, normal);
    graph_param(&g, "a.bias", SHAPE1(SGD_BIASES), PARAM_BIAS, normal);
    ck_assert_int_eq(params_new(&p, &g, 1, &e), HONE_OK);
    OptimizerOptions options = {
        .momentum = c->momentum, .nesterov = c->nesterov, .weight_decay = c->weight_decay};
    ck_assert_int_eq(optimizer_new(&o, &options, &g, &e), HONE_OK);
    for (int i = 0; i < SGD_COUNT; i++)
        p.value[place(&g, i)] = (Real)((5 * i + 3) % 13 - 6) / 8;
    for (int t = 0; t < SGD_STEPS; t++) {
        for (int i = 0; i < SGD_COUNT; i++)
            p.grad[place(&g, i)] = (Real)((7 * t + 3 * i * i + 5) % 17 - 8) / 16;
        optimizer_step(o, &p, NULL, (SGD_STEPS - t) / 64.0, NULL);
    }
    ck_assert_int_eq(optimizer_state_count(o), 1);
    ck_assert_str_eq(optimizer_state_name(o, 0), "velocity");
    const Real *velocity = optimizer_state(o, 0);
    for (int i = 0; i < SGD_COUNT; i++) {
        close_to(p.value[place(&g, i)], c->weight[i], c->name, i);
        if (c->momentum > 0)
            close_to(velocity[place(&g, i)], c->velocity[i], c->name, i);
    }
    optimizer_free(o);
    params_free(&p);
    graph_release(&g);
}
END_TEST

/* ---- the flat block ------------------------------------------------------------------------- */

typedef struct Bench {
    Graph g;
    Params p;
    Optimizer *o;
    Rng rng;
} Bench;

/* Parameters of all roles, some smaller and some larger than a block of work. */
static void bench_init(Bench *b)
{
    static const struct {
        const char *name;
        int count;
        ParamRole role;
    } made[] = {
        {"a.weight", 40000, PARAM_WEIGHT}, {"a.gamma", 17, PARAM_GAMMA},
        {"a.beta", 17, PARAM_BETA},        {"b.weight", 5, PARAM_WEIGHT},
        {"c.weight", 100, PARAM_WEIGHT},   {"c.bias", 30001, PARAM_BIAS},
    };
    Error e = {0};
    graph_init(&b->g);
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
        graph_param(&b->g, made[i].name, SHAPE1(made[i].count), made[i].role, normal);
    ck_assert_int_eq(graph_failed(&b->g, &e), HONE_OK);
    ck_assert_int_eq(params_new(&b->p, &b->g, 5, &e), HONE_OK);
    OptimizerOptions options = {.momentum = 0.9, .nesterov = true, .weight_decay = 0.01};
    ck_assert_int_eq(optimizer_new(&b->o, &options, &b->g, &e), HONE_OK);
    b->rng = rng_at(3, RNG_TEST, 0, 0);
}

static void bench_release(Bench *b)
{
    optimizer_free(b->o);
    params_free(&b->p);
    graph_release(&b->g);
}

/* New gradients for every parameter; the gaps stay zero. */
static void bench_gradients(Bench *b)
{
    for (int i = 0; i < b->g.param_count; i++)
        for (size_t j = 0; j < b->g.params[i]->count; j++)
            b->p.grad[b->g.params[i]->offset + j] = (Real)rng_normal(&b->rng);
}

static uint8_t *bench_mask(const Bench *b)
{
    uint8_t *mask = calloc(b->g.trained_count, 1);
    ck_assert_ptr_nonnull(mask);
    for (size_t i = 0; i < b->g.trained_count; i++)
        mask[i] = i % 3 != 1;
    return mask;
}

START_TEST(test_threads_same_bits)
{
    Bench one, more;
    Error e = {0};
    Threads *pool;
    bench_init(&one);
    bench_init(&more);
    uint8_t *mask = bench_mask(&one);
    ck_assert_int_eq(threads_new(&pool, _i, &e), HONE_OK);
    for (int step = 0; step < 5; step++) {
        bench_gradients(&one);
        bench_gradients(&more);
        optimizer_step(one.o, &one.p, step < 3 ? NULL : mask, 0.05, NULL);
        optimizer_step(more.o, &more.p, step < 3 ? NULL : mask, 0.05, pool);
    }
    const size_t bytes = one.g.trained_count * sizeof(Real);
    ck_assert_int_eq(memcmp(one.p.value, more.p.value, bytes), 0);
    ck_assert_int_eq(memcmp(optimizer_state(one.o, 0), optimizer_state(more.o, 0), bytes), 0);
    threads_free(pool);
    free(mask);
    bench_release(&more);
    bench_release(&one);
}
END_TEST

/* Without gradients only weights shrink, and by exactly lr wd (1 + momentum) in Nesterov's step. */
START_TEST(test_decay_of_weights_only)
{
    Bench b;
    bench_init(&b);
    Real *before = malloc(b.g.trained_count * sizeof(Real));
    ck_assert_ptr_nonnull(before);
    memcpy(before, b.p.value, b.g.trained_count * sizeof(Real));
    optimizer_step(b.o, &b.p, NULL, 0.5, NULL);
    for (int i = 0; i < b.g.param_count; i++) {
        const Param *param = b.g.params[i];
        for (size_t j = param->offset; j < param->offset + param->count; j++) {
            double factor = param->role == PARAM_WEIGHT ? 1 - 0.5 * 0.01 * 1.9 : 1;
            ck_assert(fabs(b.p.value[j] - before[j] * factor) <= 4 * EPSILON * fabs(before[j]));
            if (param->role != PARAM_WEIGHT)
                ck_assert(b.p.value[j] == before[j]);
        }
    }
    free(before);
    bench_release(&b);
}
END_TEST

static void check_gaps(const Bench *b)
{
    for (int i = 0; i < b->g.param_count; i++) {
        size_t end = i + 1 < b->g.param_count ? b->g.params[i + 1]->offset : b->g.trained_count;
        for (size_t j = b->g.params[i]->offset + b->g.params[i]->count; j < end; j++)
            ck_assert(b->p.value[j] == 0 && optimizer_state(b->o, 0)[j] == 0);
    }
}

/* Kept weights move as without a mask; pruned ones, NaNs included, become +0 all round. */
START_TEST(test_mask)
{
    Bench loose, held;
    bench_init(&loose);
    bench_init(&held);
    uint8_t *mask = bench_mask(&held);
    for (int step = 0; step < 3; step++) {
        bench_gradients(&loose);
        bench_gradients(&held);
        if (step == 1) {
            held.p.grad[1] = (Real)NAN;
            held.p.value[4] = (Real)-INFINITY;
        }
        optimizer_step(loose.o, &loose.p, NULL, 0.05, NULL);
        optimizer_step(held.o, &held.p, mask, 0.05, NULL);
    }
    const Real *v = optimizer_state(held.o, 0), *v_free = optimizer_state(loose.o, 0);
    for (size_t i = 0; i < held.g.trained_count; i++) {
        if (mask[i]) {
            ck_assert(held.p.value[i] == loose.p.value[i] && v[i] == v_free[i]);
        } else {
            ck_assert(held.p.value[i] == 0 && held.p.grad[i] == 0 && v[i] == 0);
            ck_assert(!signbit(held.p.value[i]) && !signbit(held.p.grad[i]) && !signbit(v[i]));
        }
    }
    check_gaps(&loose);
    check_gaps(&held);
    free(mask);
    bench_release(&held);
    bench_release(&loose);
}
END_TEST

START_TEST(test_out_of_memory)
{
    Graph g;
    bool done = !allocations_available();
    graph_init(&g);
    graph_param(&g, "a.weight", SHAPE1(7), PARAM_WEIGHT, normal);
    for (int n = 1; !done; n++) {
        Error e = {0};
        Optimizer *o;
        const long alive = allocations_alive();
        allocations_fail_at(n);
        int status = optimizer_new(&o, &(OptimizerOptions){.momentum = 0.5}, &g, &e);
        done = !allocations_failed();
        allocations_fail_at(0);
        ck_assert_int_eq(status, done ? HONE_OK : HONE_ERR_MEMORY);
        ck_assert(done == (o != NULL));
        optimizer_free(o);
        ck_assert_int_eq(allocations_alive(), alive);
    }
    graph_release(&g);
}
END_TEST

START_TEST(test_empty_graph)
{
    Graph g;
    Params p;
    Error e = {0};
    Optimizer *o;
    graph_init(&g);
    ck_assert_int_eq(params_new(&p, &g, 1, &e), HONE_OK);
    ck_assert_int_eq(optimizer_new(&o, &(OptimizerOptions){0}, &g, &e), HONE_OK);
    optimizer_step(o, &p, NULL, 0.1, NULL);
    optimizer_free(o);
    params_free(&p);
    graph_release(&g);
}
END_TEST

/* ---- schedules ------------------------------------------------------------------------------ */

typedef struct Point {
    ScheduleKind kind;
    double warmup, final;
    int64_t step;
    double lr; /* of a peak of 2 in 5 epochs of 100 steps */
} Point;

START_TEST(test_schedule)
{
    static const Point points[] = {
        {SCHEDULE_COSINE, 0, 0, 0, 2},
        {SCHEDULE_COSINE, 0, 0, 250, 1},
        {SCHEDULE_COSINE, 0, 0, 499, 1.973914386288e-05},
        {SCHEDULE_COSINE, 0, 0, 500, 0},
        {SCHEDULE_COSINE, 0, 0, 900, 0},
        {SCHEDULE_COSINE, 0, 0.1, 250, 1.1},
        {SCHEDULE_COSINE, 0, 0.1, 500, 0.2},
        {SCHEDULE_COSINE, 0, 1, 333, 2},
        {SCHEDULE_COSINE, 1, 0, 0, 0.02},
        {SCHEDULE_COSINE, 1, 0, 49, 1},
        {SCHEDULE_COSINE, 1, 0, 99, 2},
        {SCHEDULE_COSINE, 1, 0, 100, 2},
        {SCHEDULE_COSINE, 1, 0, 300, 1},
        {SCHEDULE_COSINE, 1, 0, 500, 0},
        {SCHEDULE_COSINE, 0.5, 0, 24, 1},
        {SCHEDULE_COSINE, 0.5, 0, 50, 2},
        {SCHEDULE_COSINE, 0.001, 0, 0, 2}, /* rounds to no warm-up */
        {SCHEDULE_COSINE, 5, 0.3, 499, 2}, /* warm-up fills the run */
        {SCHEDULE_CONSTANT, 0, 0, 0, 2},
        {SCHEDULE_CONSTANT, 0, 0, 499, 2},
        {SCHEDULE_CONSTANT, 2, 0, 0, 0.01},
        {SCHEDULE_CONSTANT, 2, 0, 199, 2},
        {SCHEDULE_CONSTANT, 2, 0, 200, 2},
    };
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        const Point *p = &points[i];
        ScheduleOptions o = {.kind = p->kind, .warmup_epochs = p->warmup, .final = p->final};
        double lr = schedule_lr(&o, 2, p->step, 100, 5);
        ck_assert_msg(fabs(lr - p->lr) <= 1e-12 + 1e-9 * p->lr, "point %zu: %.12g, not %.12g", i,
                      lr, p->lr);
    }
}
END_TEST

START_TEST(test_schedule_falls)
{
    const ScheduleOptions o = {.kind = SCHEDULE_COSINE, .warmup_epochs = 0.3, .final = 0.05};
    double before = 0;
    for (int64_t step = 0; step < 7 * 31; step++) {
        double lr = schedule_lr(&o, 1, step, 31, 7);
        ck_assert(lr > 0 && lr <= 1);
        if (step < 9) /* 0.3 * 31 steps */
            ck_assert_double_eq_tol(lr - before, 1.0 / 9, 1e-12);
        else if (step > 9)
            ck_assert(lr < before);
        before = lr;
    }
    ck_assert(before > 0.05 && before < 0.0502);
}
END_TEST

START_TEST(test_schedule_check)
{
    Error e = {0};
    ScheduleOptions o = {.warmup_epochs = 3};
    ck_assert_int_eq(schedule_check(&o, 3, &e), HONE_OK);
    ck_assert_int_eq(schedule_check(&o, 2, &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, "warmup_epochs 3 is longer than the run of 2");
}
END_TEST

Suite *suite_optim(void)
{
    Suite *s = suite_create("optim");
    TCase *c = tcase_create("optim");
    tcase_add_test(c, test_tables);
    tcase_add_test(c, test_defaults);
    tcase_add_test(c, test_nesterov_needs_momentum);
    tcase_add_loop_test(c, test_sgd_as_pytorch, 0, sizeof sgd_cases / sizeof sgd_cases[0]);
    tcase_add_loop_test(c, test_threads_same_bits, 1, 4);
    tcase_add_test(c, test_decay_of_weights_only);
    tcase_add_test(c, test_mask);
    tcase_add_test(c, test_out_of_memory);
    tcase_add_test(c, test_empty_graph);
    tcase_add_test(c, test_schedule);
    tcase_add_test(c, test_schedule_falls);
    tcase_add_test(c, test_schedule_check);
    suite_add_tcase(s, c);
    return s;
}
