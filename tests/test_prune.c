/* Tests of magnitude pruning: selection, schedule, layers. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/option_value.h"
#include "core/rng.h"
#include "prune/prune.h"
#include "prune/select.h"
#include "tests/allocations.h"
#include "tests/suites.h"

static const Init normal = {.mean = 0, .deviation = 1};

/* ---- selection ------------------------------------------------------------------------------ */

/* How many of the kept are ranked before i: larger, or equal and earlier. */
static size_t rank(const Real *w, const uint8_t *mask, size_t n, size_t i)
{
    size_t before = 0;
    for (size_t j = 0; j < n; j++) {
        double a = fabs((double)w[j]), b = fabs((double)w[i]);
        before += mask[j] && (a > b || (a == b && j < i));
    }
    return before;
}

/* Values of several kinds: all different, a few levels (many ties), all equal, tiny to huge. */
static void fill(Real *w, size_t n, int kind, Rng *r)
{
    for (size_t i = 0; i < n; i++) {
        double x = rng_normal(r);
        if (kind == 1)
            x = round(x * 2) / 2;
        if (kind == 2)
            x = x < 0 ? -0.25 : 0.25;
        if (kind == 3)
            x = ldexp(x, (int)rng_below(r, 250) - 125);
        w[i] = (Real)x;
    }
}

START_TEST(test_select_brute_force)
{
    enum { MOST = 300 };
    Real w[MOST];
    uint8_t mask[MOST], was[MOST];
    SelectScratch scratch;
    Rng r = rng_at(11, RNG_TEST, (uint64_t)_i, 0);
    for (int round_ = 0; round_ < 60; round_++) {
        const size_t n = 1 + rng_below(&r, MOST), k = rng_below(&r, (uint32_t)n + 2);
        size_t kept = 0, before = 0;
        fill(w, n, _i, &r);
        for (size_t i = 0; i < n; i++)
            before += was[i] = mask[i] = rng_below(&r, 4) != 0;
        select_largest(w, mask, n, k, &scratch);
        for (size_t i = 0; i < n; i++) {
            ck_assert_msg(mask[i] == (was[i] && rank(w, was, n, i) < k), "n %zu, k %zu, i %zu", n,
                          k, i);
            kept += mask[i];
        }
        ck_assert_uint_eq(kept, before < k ? before : k);
    }
}
END_TEST

START_TEST(test_select_ties)
{
    const Real w[] = {0.5f, -1, 0, 1, -0.5f, -0.0f, 0.5f, 1};
    const uint8_t want[][8] = {
        {0, 0, 0, 0, 0, 0, 0, 0}, {0, 1, 0, 0, 0, 0, 0, 0}, {0, 1, 0, 1, 0, 0, 0, 0},
        {0, 1, 0, 1, 0, 0, 0, 1}, {1, 1, 0, 1, 0, 0, 0, 1}, {1, 1, 0, 1, 1, 0, 0, 1},
        {1, 1, 0, 1, 1, 0, 1, 1}, {1, 1, 1, 1, 1, 0, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1},
    };
    SelectScratch scratch;
    for (size_t k = 0; k <= 8; k++) {
        uint8_t mask[8] = {1, 1, 1, 1, 1, 1, 1, 1};
        select_largest(w, mask, 8, k, &scratch);
        ck_assert_msg(memcmp(mask, want[k], 8) == 0, "k %zu", k);
    }
}
END_TEST

START_TEST(test_select_not_finite)
{
    const Real w[] = {1, (Real)-INFINITY, (Real)NAN, -2};
    uint8_t mask[] = {1, 1, 1, 1};
    SelectScratch scratch;
    select_largest(w, mask, 4, 3, &scratch);
    ck_assert_int_eq(memcmp(mask, (uint8_t[]){0, 1, 1, 1}, 4), 0);
    select_largest(w, mask, 4, 1, &scratch);
    ck_assert_int_eq(memcmp(mask, (uint8_t[]){0, 0, 1, 0}, 4), 0);
}
END_TEST

/* ---- a graph to prune ----------------------------------------------------------------------- */

typedef struct Bench {
    Graph g;
    Params p;
    PruneOptions options;
    Pruner *pruner;
} Bench;

static void bench_init(Bench *b)
{
    static const struct {
        const char *name;
        int count;
        ParamRole role;
    } made[] = {
        {"stem.weight", 27, PARAM_WEIGHT},
        {"stem.bn.gamma", 3, PARAM_GAMMA},
        {"stem.bn.mean", 3, PARAM_STATE},
        {"block1.expand.weight", 1000, PARAM_WEIGHT},
        {"block1.depthwise.weight", 9, PARAM_WEIGHT},
        {"fc.weight", 15, PARAM_WEIGHT},
        {"fc.bias", 5, PARAM_BIAS},
    };
    Error e = {0};
    *b =
        (Bench){.options = {.schedule = {.end_epoch = 2, .final_sparsity = 0.9, .every_steps = 5}}};
    graph_init(&b->g);
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
        graph_param(&b->g, made[i].name, SHAPE1(made[i].count), made[i].role, normal);
    ck_assert_int_eq(graph_failed(&b->g, &e), HONE_OK);
    ck_assert_int_eq(params_new(&b->p, &b->g, 5, &e), HONE_OK);
}

static void bench_prune(Bench *b, int64_t steps_per_epoch, int64_t total)
{
    Error e = {0};
    int status = pruner_new(&b->pruner, &b->options, &b->g, steps_per_epoch, total, &e);
    ck_assert_msg(status == HONE_OK, "%s", e.text);
}

static void bench_release(Bench *b)
{
    pruner_free(b->pruner);
    params_free(&b->p);
    graph_release(&b->g);
}

static void bench_refused(Bench *b, int64_t steps_per_epoch, int64_t total, const char *text)
{
    Error e = {0};
    Pruner *p;
    ck_assert_int_eq(pruner_new(&p, &b->options, &b->g, steps_per_epoch, total, &e),
                     HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, text);
    ck_assert_ptr_null(p);
}

static PruneLayer layer_called(const Pruner *p, const char *name)
{
    for (int i = 0; i < pruner_layer_count(p); i++)
        if (strcmp(pruner_layer(p, i).name, name) == 0)
            return pruner_layer(p, i);
    return (PruneLayer){0};
}

/* ---- schedule ------------------------------------------------------------------------------- */

START_TEST(test_targets)
{
    Bench b;
    bench_init(&b);
    b.options.schedule = (PruneScheduleOptions){.begin_epoch = 1,
                                                .end_epoch = 3.2,
                                                .initial_sparsity = 0.1,
                                                .final_sparsity = 0.6,
                                                .every_steps = 5};
    bench_prune(&b, 10, 40);
    ck_assert_int_eq(pruner_begin(b.pruner), 10);
    ck_assert_int_eq(pruner_end(b.pruner), 32);
    double target = 0;
    for (int64_t step = 0; step <= 40; step++) {
        /* Due at 10, 15, 20, 25, 30 and, no multiple of 5 from the start, 32. */
        bool due = (step >= 10 && step <= 30 && step % 5 == 0) || step == 32;
        ck_assert_msg(pruner_is_due(b.pruner, step) == due, "step %lld", (long long)step);
        if (due)
            target = 0.6 - 0.5 * pow(1 - (double)(step - 10) / 22, 3);
        ck_assert_double_eq_tol(pruner_target(b.pruner, step), target, 1e-12);
    }
    ck_assert(pruner_target(b.pruner, 10) == 0.1 && pruner_target(b.pruner, 32) == 0.6);
    bench_release(&b);
}
END_TEST

/* begin and end at one boundary, here the end of training: one pruning, to the final sparsity. */
START_TEST(test_one_shot_at_the_end)
{
    Bench b;
    bench_init(&b);
    b.options.schedule.begin_epoch = b.options.schedule.end_epoch = 4;
    b.options.schedule.final_sparsity = 0.5;
    bench_prune(&b, 10, 40);
    for (int64_t step = 0; step < 40; step++)
        ck_assert(!pruner_update(b.pruner, &b.p, step));
    ck_assert(pruner_sparsity(b.pruner) == 0);
    ck_assert(pruner_update(b.pruner, &b.p, 40));
    ck_assert_uint_eq(layer_called(b.pruner, "block1.expand").kept, 500);
    bench_release(&b);
}
END_TEST

START_TEST(test_outside_the_run)
{
    Bench b;
    bench_init(&b);
    b.options.schedule.begin_epoch = 4.1;
    b.options.schedule.end_epoch = 5;
    bench_refused(&b, 10, 40,
                  "prune.schedule: begin_epoch 4.1 is step 41, after the run's last, 40: nothing "
                  "would be pruned");
    b.options.schedule.begin_epoch = 3; /* the run ends half-way: cut off */
    bench_prune(&b, 10, 40);
    ck_assert_int_eq(pruner_end(b.pruner), 50);
    ck_assert_double_eq_tol(pruner_target(b.pruner, 40), 0.9 - 0.9 * 0.125, 1e-12);
    bench_release(&b);
}
END_TEST

/* ---- pruning -------------------------------------------------------------------------------- */

static void check_masks(const Bench *b)
{
    const uint8_t *mask = pruner_masks(b->pruner);
    size_t pruned = 0, in_layers = 0;
    for (size_t i = 0; i < b->g.trained_count; i++) {
        ck_assert(mask[i] <= 1);
        pruned += !mask[i];
        if (!mask[i])
            ck_assert(b->p.value[i] == 0 && !signbit(b->p.value[i]));
    }
    for (int i = 0; i < pruner_layer_count(b->pruner); i++) {
        PruneLayer l = pruner_layer(b->pruner, i);
        in_layers += l.count - l.kept;
    }
    ck_assert_uint_eq(pruned, in_layers); /* nothing outside weights, gaps neither */
}

START_TEST(test_run)
{
    Bench b;
    Rng r = rng_at(9, RNG_TEST, 0, 0);
    Error e = {0};
    bench_init(&b);
    bench_prune(&b, 12, 30); /* boundaries 0, 5, 10, 15, 20 and 24 */
    uint8_t *before = malloc(b.g.trained_count);
    ck_assert_ptr_nonnull(before);
    int updates = 0;
    for (int64_t step = 0; step <= 30; step++) {
        memcpy(before, pruner_masks(b.pruner), b.g.trained_count);
        if (pruner_update(b.pruner, &b.p, step)) {
            updates++;
            check_masks(&b);
            double want = round(1000 - 1000 * pruner_target(b.pruner, step));
            ck_assert_uint_eq(layer_called(b.pruner, "block1.expand").kept, (size_t)want);
        }
        const uint8_t *mask = pruner_masks(b.pruner);
        for (size_t i = 0; i < b.g.trained_count; i++) {
            ck_assert(mask[i] <= before[i]); /* pruned once, pruned for good */
            b.p.value[i] = mask[i] ? b.p.value[i] + (Real)rng_normal(&r) : 0;
        }
    }
    ck_assert_int_eq(updates, 6);
    /* round(n - 0.9 n), halves up, at least 1. */
    ck_assert_uint_eq(layer_called(b.pruner, "stem").kept, 3);
    ck_assert_uint_eq(layer_called(b.pruner, "block1.expand").kept, 100);
    ck_assert_uint_eq(layer_called(b.pruner, "block1.depthwise").kept, 1);
    ck_assert_uint_eq(layer_called(b.pruner, "fc").kept, 2);
    ck_assert_double_eq_tol(pruner_sparsity(b.pruner), 1 - 106 / 1051.0, 1e-12);
    ck_assert_int_eq(pruner_check(b.pruner, &e), HONE_OK);
    free(before);
    bench_release(&b);
}
END_TEST

START_TEST(test_keeps_at_least_one)
{
    Bench b;
    bench_init(&b);
    b.options.schedule.final_sparsity = 0.9999;
    bench_prune(&b, 10, 20);
    ck_assert(pruner_update(b.pruner, &b.p, 20));
    for (int i = 0; i < pruner_layer_count(b.pruner); i++)
        ck_assert_uint_eq(pruner_layer(b.pruner, i).kept, 1);
    bench_release(&b);
}
END_TEST

/* A resumed pruner with the saved masks goes on as the one that was not interrupted. */
START_TEST(test_resume)
{
    Bench whole, resumed;
    Error e = {0};
    bench_init(&whole);
    bench_init(&resumed);
    bench_prune(&whole, 10, 20);
    bench_prune(&resumed, 10, 20);
    ck_assert(pruner_update(whole.pruner, &whole.p, 10));
    memcpy(pruner_masks(resumed.pruner), pruner_masks(whole.pruner), whole.g.trained_count);
    memcpy(resumed.p.value, whole.p.value, whole.g.trained_count * sizeof(Real));
    ck_assert_int_eq(pruner_check(resumed.pruner, &e), HONE_OK);
    ck_assert(pruner_update(whole.pruner, &whole.p, 20));
    ck_assert(pruner_update(resumed.pruner, &resumed.p, 20));
    ck_assert_int_eq(
        memcmp(pruner_masks(resumed.pruner), pruner_masks(whole.pruner), whole.g.trained_count), 0);
    bench_release(&resumed);
    bench_release(&whole);
}
END_TEST

START_TEST(test_check)
{
    Bench b;
    Error e = {0};
    bench_init(&b);
    bench_prune(&b, 10, 20);
    uint8_t *mask = pruner_masks(b.pruner);
    mask[5] = 2;
    ck_assert_int_eq(pruner_check(b.pruner, &e), HONE_ERR_DATA);
    ck_assert_str_eq(e.text, "pruning mask: element 5 is 2, not 0 or 1");
    e = (Error){0};
    mask[5] = 0;
    mask[graph_find_param(&b.g, "fc.bias")->offset] = 0;
    ck_assert_int_eq(pruner_check(b.pruner, &e), HONE_ERR_DATA);
    ck_assert_str_eq(e.text, "pruning mask: zeros outside the layers to be pruned: 1");
    e = (Error){0};
    memset(mask + graph_find_param(&b.g, "fc.weight")->offset, 0, 15);
    ck_assert_int_eq(pruner_check(b.pruner, &e), HONE_ERR_DATA);
    ck_assert_str_eq(e.text, "pruning mask: nothing is left of layer 'fc'");
    bench_release(&b);
}
END_TEST

/* ---- exclusions ----------------------------------------------------------------------------- */

START_TEST(test_exclude)
{
    Bench b;
    bench_init(&b);
    b.options.exclude = (OptionTexts){2, (const char *const[]){"stem", "*.depthwise"}};
    bench_prune(&b, 10, 20);
    ck_assert_int_eq(pruner_layer_count(b.pruner), 2);
    ck_assert_str_eq(pruner_layer(b.pruner, 0).name, "block1.expand");
    ck_assert_str_eq(pruner_layer(b.pruner, 1).name, "fc");
    ck_assert(pruner_update(b.pruner, &b.p, 20));
    check_masks(&b);
    Error e = {0};
    pruner_masks(b.pruner)[graph_find_param(&b.g, "stem.weight")->offset] = 0;
    ck_assert_int_eq(pruner_check(b.pruner, &e), HONE_ERR_DATA);
    bench_release(&b);
}
END_TEST

START_TEST(test_exclude_errors)
{
    Bench b;
    bench_init(&b);
    b.options.exclude = (OptionTexts){1, (const char *const[]){"steem"}};
    bench_refused(&b, 10, 20,
                  "prune.exclude: 'steem' matches no layer with weights, did you mean 'stem'?");
    b.options.exclude.v = (const char *const[]){"block1.bias"};
    bench_refused(&b, 10, 20, "prune.exclude: 'block1.bias' matches no layer with weights");
    b.options.exclude.v = (const char *const[]){"*"};
    bench_refused(&b, 10, 20, "prune.exclude: no layer with weights is left");
    bench_release(&b);
}
END_TEST

START_TEST(test_out_of_memory)
{
    Bench b;
    bool done = !allocations_available();
    bench_init(&b);
    b.options.exclude = (OptionTexts){1, (const char *const[]){"stem"}};
    for (int n = 1; !done; n++) {
        Error e = {0};
        Pruner *p;
        const long alive = allocations_alive();
        allocations_fail_at(n);
        int status = pruner_new(&p, &b.options, &b.g, 10, 20, &e);
        done = !allocations_failed();
        allocations_fail_at(0);
        ck_assert_int_eq(status, done ? HONE_OK : HONE_ERR_MEMORY);
        ck_assert(done == (p != NULL));
        pruner_free(p);
        ck_assert_int_eq(allocations_alive(), alive);
    }
    bench_release(&b);
}
END_TEST

/* ---- options -------------------------------------------------------------------------------- */

START_TEST(test_table)
{
    Arena arena = {0};
    Error e = {0};
    PruneOptions o;
    ck_assert_msg(option_table_check(&prune_options, &e) == HONE_OK, "%s", e.text);
    ck_assert_int_eq(option_defaults(&prune_options, NULL, &o, &arena, &e), HONE_OK);
    ck_assert(o.exclude.count == 0 && o.schedule.initial_sparsity == 0);
    ck_assert_int_eq(o.schedule.every_steps, 100);
    arena_release(&arena);
}
END_TEST

START_TEST(test_order_of_epochs)
{
    const Option *schedule = option_find(&prune_options, -1, "schedule", 8);
    PruneScheduleOptions o = {.begin_epoch = 3, .end_epoch = 2.5, .final_sparsity = 0.5};
    Error e = {0};
    ck_assert_int_eq(schedule->table->check(&o, &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, "end_epoch 2.5 is before begin_epoch 3");
    e = (Error){0};
    o = (PruneScheduleOptions){.end_epoch = 1, .initial_sparsity = 0.6, .final_sparsity = 0.5};
    ck_assert_int_eq(schedule->table->check(&o, &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, "final_sparsity 0.5 is below initial_sparsity 0.6");
}
END_TEST

Suite *suite_prune(void)
{
    Suite *s = suite_create("prune");
    TCase *c = tcase_create("prune");
    tcase_add_loop_test(c, test_select_brute_force, 0, 4);
    tcase_add_test(c, test_select_ties);
    tcase_add_test(c, test_select_not_finite);
    tcase_add_test(c, test_targets);
    tcase_add_test(c, test_one_shot_at_the_end);
    tcase_add_test(c, test_outside_the_run);
    tcase_add_test(c, test_run);
    tcase_add_test(c, test_keeps_at_least_one);
    tcase_add_test(c, test_resume);
    tcase_add_test(c, test_check);
    tcase_add_test(c, test_exclude);
    tcase_add_test(c, test_exclude_errors);
    tcase_add_test(c, test_out_of_memory);
    tcase_add_test(c, test_table);
    tcase_add_test(c, test_order_of_epochs);
    suite_add_tcase(s, c);
    return s;
}
