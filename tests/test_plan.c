/* Memory planning: what is alive together lies apart, and arenas are as small as they can be where
 * that is known. SPDX-License-Identifier: Apache-2.0 */
#include "core/plan.h"
#include "core/rng.h"
#include "tests/suites.h"

#include <check.h>
#include <stdbool.h>

enum { SEED = 20261127, BUFFERS = 40, TICKS = 30, ALIGN = 64 };

static bool meet(const PlanBuffer *a, const PlanBuffer *b)
{
    return a->begin <= b->end && b->begin <= a->end;
}

static bool overlap(const PlanBuffer *a, const PlanBuffer *b)
{
    return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

static size_t solve(PlanBuffer *b, int count)
{
    size_t total;
    Error e = {0};
    ck_assert_int_eq(plan_solve(b, count, ALIGN, &total, &e), HONE_OK);
    for (int i = 0; i < count; i++) {
        ck_assert_uint_eq(b[i].offset % ALIGN, 0);
        ck_assert_uint_le(b[i].offset + b[i].bytes, total);
        for (int k = 0; k < i; k++)
            ck_assert_msg(!meet(&b[i], &b[k]) || !overlap(&b[i], &b[k]),
                          "buffers %d and %d share memory", i, k);
    }
    return total;
}

START_TEST(what_lives_together_lies_apart)
{
    Rng r = rng_at(SEED, RNG_TEST, (uint64_t)_i, 0);
    PlanBuffer b[BUFFERS];
    for (int i = 0; i < BUFFERS; i++) {
        const int begin = (int)rng_below(&r, TICKS);
        b[i] = (PlanBuffer){.bytes = rng_below(&r, 5) ? rng_below(&r, 5000) : 0,
                            .begin = begin,
                            .end = begin + (int)rng_below(&r, TICKS / 3)};
    }
    solve(b, BUFFERS);
}
END_TEST

/* Largest first would put the fourth above the third. */
START_TEST(the_broadest_tick_comes_first)
{
    PlanBuffer b[] = {{.bytes = 256, .begin = 0, .end = 3},
                      {.bytes = 192, .begin = 4, .end = 4},
                      {.bytes = 256, .begin = 1, .end = 4},
                      {.bytes = 192, .begin = 4, .end = 5}};
    ck_assert_uint_eq(solve(b, 4), 256 + 192 + 192);
}
END_TEST

START_TEST(one_after_the_other_share)
{
    PlanBuffer b[] = {{.bytes = 100, .begin = 0, .end = 1},
                      {.bytes = 60, .begin = 2, .end = 2},
                      {.bytes = 128, .begin = 3, .end = 9}};
    ck_assert_uint_eq(solve(b, 3), 128);
    ck_assert_uint_eq(solve(b, 0), 0);
}
END_TEST

Suite *suite_plan(void)
{
    Suite *s = suite_create("plan");
    TCase *t = tcase_create("plan");
    tcase_add_loop_test(t, what_lives_together_lies_apart, 0, 20);
    tcase_add_test(t, the_broadest_tick_comes_first);
    tcase_add_test(t, one_after_the_other_share);
    suite_add_tcase(s, t);
    return s;
}
