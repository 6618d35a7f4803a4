/* Tests of optimizers. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/option_value.h"
#include "core/rng.h"
#include "optim/clip.h"
#include "optim/optimizer.h"
#include "tests/allocations.h"
#include "tests/optim_fixture.h"
#include "tests/suites.h"

/* Of one operation's rounding, in this build's Real. */
#define EPSILON (sizeof(Real) == sizeof(float) ? 6e-8 : 2e-16)

static const Init normal = {.mean = 0, .deviation = 1};

/* ---- options -------------------------------------------------------------------------------- */

START_TEST(test_tables)
{
    Error e = {0};
    ck_assert_msg(option_table_check(&optimizer_options, &e) == HONE_OK, "%s", e.text);
}
END_TEST

START_TEST(test_defaults)
{
    Arena arena = {0};
    Error e = {0};
    OptimizerOptions o;
    ck_assert_int_eq(option_defaults(&optimizer_options, NULL, &o, &arena, &e), HONE_OK);
    ck_assert(o.lr == 0.1 && o.momentum == 0.9 && !o.nesterov && o.weight_decay == 0);
    ck_assert_int_eq(option_defaults(&optimizer_options, "adamw", &o, &arena, &e), HONE_OK);
    ck_assert(o.kind == 1 && o.lr == 0.001 && o.beta1 == 0.9 && o.beta2 == 0.999);
    ck_assert(o.epsilon == 1e-8 && o.weight_decay == 0.01 && o.ema == 0);
    ck_assert_int_eq(option_defaults(&optimizer_options, "rmsprop", &o, &arena, &e), HONE_OK);
    ck_assert(o.kind == 2 && o.lr == 0.01 && o.alpha == 0.99 && o.epsilon == 1e-8);
    ck_assert(!o.centered && o.momentum == 0 && o.weight_decay == 0);
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

/* ---- against PyTorch ------------------------------------------------------------------------ */

static void close_to(double got, double want, const char *name, int i)
{
    /* Ten steps of a handful of operations on numbers of order 1. */
    ck_assert_msg(fabs(got - want) <= 200 * EPSILON * fmax(1, fabs(want)),
                  "%s[%d]: %.17g, not %.17g", name, i, got, want);
}

/* Two parameters of the fixture's sizes with a state between them. */
static void fixture_init(Graph *g, Params *p)
{
    Error e = {0};
    graph_init(g);
    graph_param(g, "a.weight", SHAPE2(3, OPTIM_WEIGHTS / 3), PARAM_WEIGHT, normal);
    graph_param(g, "a.mean", SHAPE1(7), PARAM_STATE, normal);
    graph_param(g, "a.bias", SHAPE1(OPTIM_BIASES), PARAM_BIAS, normal);
    ck_assert_int_eq(params_new(p, g, 1, &e), HONE_OK);
}

/* The element of the flat block for number i of the fixture. */
static size_t place(const Graph *g, int i)
{
    return i < OPTIM_WEIGHTS ? g->params[0]->offset + (size_t)i
                             : g->params[2]->offset + (size_t)(i - OPTIM_WEIGHTS);
}

static void fixture_gradient(const Graph *g, Params *p, int t, Real factor)
{
    for (int i = 0; i < OPTIM_COUNT; i++)
        p->grad[place(g, i)] = (Real)((7 * t + 3 * i * i + 5) % 17 - 8) / 16 * factor;
}

START_TEST(test_as_pytorch)
{
    const struct OptimCase *c = &optim_cases[_i];
    Graph g;
    Params p;
    Error e = {0};
    Optimizer *o;
    fixture_init(&g, &p);
    ck_assert_int_eq(optimizer_new(&o, &c->options, &g, &e), HONE_OK);
    for (int i = 0; i < OPTIM_COUNT; i++)
        p.value[place(&g, i)] = (Real)((5 * i + 3) % 13 - 6) / 8;
    for (int t = 0; t < OPTIM_STEPS; t++) {
        fixture_gradient(&g, &p, t, 1);
        optimizer_step(o, &p, NULL, t + 1, (OPTIM_STEPS - t) / 64.0, NULL);
    }
    for (int i = 0; i < OPTIM_COUNT; i++)
        close_to(p.value[place(&g, i)], c->weight[i], c->name, i);
    ck_assert_int_ge(optimizer_state_count(o), c->states);
    for (int k = 0; k < c->states; k++)
        for (int i = 0; i < OPTIM_COUNT; i++)
            close_to(optimizer_state(o, k)[place(&g, i)], c->state[k][i],
                     optimizer_state_name(o, k), i);
    optimizer_free(o);
    params_free(&p);
    graph_release(&g);
}
END_TEST

START_TEST(test_clip_as_pytorch)
{
    Graph g;
    Params p;
    fixture_init(&g, &p);
    for (int t = 0; t < OPTIM_STEPS; t++) {
        fixture_gradient(&g, &p, t, (Real)(t + 1) / 8);
        close_to(gradient_clip(&p, NULL, OPTIM_CLIP, NULL), optim_clipped[t][0], "norm", t);
        for (int i = 0; i < OPTIM_COUNT; i++)
            close_to(p.grad[place(&g, i)], optim_clipped[t][1 + i], "gradient", i);
    }
    params_free(&p);
    graph_release(&g);
}
END_TEST

/* The names of the states are what checkpoints keep. */
START_TEST(test_states)
{
    static const struct {
        OptimizerOptions options;
        const char *names;
    } cases[] = {
        {{.kind = 0, .ema = 0.5}, "velocity average "},
        {{.kind = 1, .beta1 = 0.5, .beta2 = 0.5, .epsilon = 1}, "mean square "},
        {{.kind = 2, .epsilon = 1}, "square "},
        {{.kind = 2, .epsilon = 1, .momentum = 0.5, .ema = 0.5}, "square velocity average "},
        {{.kind = 2, .epsilon = 1, .centered = true}, "square mean "},
        {{.kind = 2, .epsilon = 1, .centered = true, .momentum = 0.5, .ema = 0.5},
         "square mean velocity average "},
    };
    Graph g;
    graph_init(&g);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Optimizer *o;
        Error e = {0};
        char names[100] = "";
        ck_assert_int_eq(optimizer_new(&o, &cases[i].options, &g, &e), HONE_OK);
        for (int k = 0; k < optimizer_state_count(o); k++)
            snprintf(names + strlen(names), sizeof names - strlen(names), "%s ",
                     optimizer_state_name(o, k));
        ck_assert_str_eq(names, cases[i].names);
        ck_assert((optimizer_average(o) != NULL) == (cases[i].options.ema > 0));
        optimizer_free(o);
    }
    graph_release(&g);
}
END_TEST

/* The average's decay rises: 0, 2/11, 3/12, ... up to the option. */
START_TEST(test_average)
{
    Graph g;
    Params p;
    Error e = {0};
    Optimizer *o;
    uint8_t mask[64];
    double average[OPTIM_COUNT] = {0};
    fixture_init(&g, &p);
    ck_assert_uint_le(g.trained_count, sizeof mask);
    memset(mask, 1, sizeof mask);
    ck_assert_int_eq(optimizer_new(&o, &(OptimizerOptions){.ema = 0.3}, &g, &e), HONE_OK);
    for (int t = 1; t <= OPTIM_STEPS; t++) {
        const double rising = t / (9.0 + t), d = t == 1 ? 0 : rising < 0.3 ? rising : 0.3;
        fixture_gradient(&g, &p, t, 1);
        mask[place(&g, 4)] = t < 8;
        optimizer_step(o, &p, mask, t, 0.1, NULL);
        for (int i = 0; i < OPTIM_COUNT; i++) {
            average[i] = d * average[i] + (1 - d) * (double)p.value[place(&g, i)];
            if (i == 4 && t >= 8)
                average[i] = 0;
            close_to(optimizer_average(o)[place(&g, i)], average[i], "average", i);
        }
    }
    ck_assert(optimizer_average(o)[place(&g, 4)] == 0);
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

/* Each rule with all it has. */
static const OptimizerOptions benches[] = {
    {.kind = 0, .momentum = 0.9, .nesterov = true, .weight_decay = 0.01},
    {.kind = 1, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8, .weight_decay = 0.01},
    {.kind = 2,
     .alpha = 0.9,
     .epsilon = 1e-4,
     .momentum = 0.9,
     .centered = true,
     .weight_decay = 0.01,
     .ema = 0.9},
};
enum { BENCHES = sizeof benches / sizeof benches[0] };

/* Parameters of all roles, some smaller and some larger than a block of work. */
static void bench_init(Bench *b, int rule)
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
    ck_assert_int_eq(optimizer_new(&b->o, &benches[rule], &b->g, &e), HONE_OK);
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

static void same_bits(const Bench *a, const Bench *b)
{
    const size_t bytes = a->g.trained_count * sizeof(Real);
    ck_assert_int_eq(memcmp(a->p.value, b->p.value, bytes), 0);
    for (int k = 0; k < optimizer_state_count(a->o); k++)
        ck_assert_int_eq(memcmp(optimizer_state(a->o, k), optimizer_state(b->o, k), bytes), 0);
}

START_TEST(test_threads_same_bits)
{
    Bench one, more;
    Error e = {0};
    Threads *pool;
    bench_init(&one, _i % BENCHES);
    bench_init(&more, _i % BENCHES);
    uint8_t *mask = bench_mask(&one);
    ck_assert_int_eq(threads_new(&pool, 1 + _i / BENCHES, &e), HONE_OK);
    for (int step = 0; step < 5; step++) {
        const uint8_t *m = step < 3 ? NULL : mask;
        bench_gradients(&one);
        bench_gradients(&more);
        double norm = gradient_clip(&one.p, m, 10, NULL);
        ck_assert(norm > 10 && gradient_clip(&more.p, m, 10, pool) == norm);
        optimizer_step(one.o, &one.p, m, step + 1, 0.05, NULL);
        optimizer_step(more.o, &more.p, m, step + 1, 0.05, pool);
    }
    same_bits(&one, &more);
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
    bench_init(&b, 0);
    Real *before = malloc(b.g.trained_count * sizeof(Real));
    ck_assert_ptr_nonnull(before);
    memcpy(before, b.p.value, b.g.trained_count * sizeof(Real));
    optimizer_step(b.o, &b.p, NULL, 1, 0.5, NULL);
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

static void check_zero(const Bench *b, size_t i)
{
    ck_assert(b->p.value[i] == 0 && !signbit(b->p.value[i]));
    for (int k = 0; k < optimizer_state_count(b->o); k++)
        ck_assert(optimizer_state(b->o, k)[i] == 0 && !signbit(optimizer_state(b->o, k)[i]));
}

static void check_gaps(const Bench *b)
{
    for (int i = 0; i < b->g.param_count; i++) {
        size_t end = i + 1 < b->g.param_count ? b->g.params[i + 1]->offset : b->g.trained_count;
        for (size_t j = b->g.params[i]->offset + b->g.params[i]->count; j < end; j++)
            check_zero(b, j);
    }
}

static void check_equal(const Bench *a, const Bench *b, size_t i)
{
    ck_assert(a->p.value[i] == b->p.value[i]);
    for (int k = 0; k < optimizer_state_count(a->o); k++)
        ck_assert(optimizer_state(a->o, k)[i] == optimizer_state(b->o, k)[i]);
}

/* Kept weights move as without a mask; pruned ones, NaNs included, become +0 all round. */
START_TEST(test_mask)
{
    Bench loose, held;
    bench_init(&loose, _i);
    bench_init(&held, _i);
    uint8_t *mask = bench_mask(&held);
    for (int step = 0; step < 3; step++) {
        bench_gradients(&loose);
        bench_gradients(&held);
        if (step == 1) {
            held.p.grad[1] = (Real)NAN;
            held.p.value[4] = (Real)-INFINITY;
        }
        optimizer_step(loose.o, &loose.p, NULL, step + 1, 0.05, NULL);
        optimizer_step(held.o, &held.p, mask, step + 1, 0.05, NULL);
    }
    for (size_t i = 0; i < held.g.trained_count; i++) {
        if (mask[i]) {
            check_equal(&held, &loose, i);
        } else {
            check_zero(&held, i);
            ck_assert(held.p.grad[i] == 0 && !signbit(held.p.grad[i]));
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
        int status = optimizer_new(&o, &(OptimizerOptions){.momentum = 0.5, .ema = 0.5}, &g, &e);
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
    optimizer_step(o, &p, NULL, 1, 0.1, NULL);
    optimizer_free(o);
    params_free(&p);
    graph_release(&g);
}
END_TEST

Suite *suite_optim(void)
{
    Suite *s = suite_create("optim");
    TCase *c = tcase_create("optim");
    tcase_add_test(c, test_tables);
    tcase_add_test(c, test_defaults);
    tcase_add_test(c, test_nesterov_needs_momentum);
    tcase_add_loop_test(c, test_as_pytorch, 0, sizeof optim_cases / sizeof optim_cases[0]);
    tcase_add_test(c, test_clip_as_pytorch);
    tcase_add_test(c, test_states);
    tcase_add_test(c, test_average);
    tcase_add_loop_test(c, test_threads_same_bits, 0, 3 * BENCHES);
    tcase_add_test(c, test_decay_of_weights_only);
    tcase_add_loop_test(c, test_mask, 0, BENCHES);
    tcase_add_test(c, test_out_of_memory);
    tcase_add_test(c, test_empty_graph);
    suite_add_tcase(s, c);
    return s;
}
