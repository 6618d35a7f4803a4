/* Tests of learning-rate schedules. SPDX-License-Identifier: Apache-2.0 */
#include "core/option_value.h"
#include "optim/schedule.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>

START_TEST(test_schedule_options)
{
    Arena arena = {0};
    Error e = {0};
    ScheduleOptions s;
    ck_assert_msg(option_table_check(&schedule_options, &e) == HONE_OK, "%s", e.text);
    ck_assert_int_eq(option_defaults(&schedule_options, "constant", &s, &arena, &e), HONE_OK);
    ck_assert(s.kind == SCHEDULE_CONSTANT && s.warmup_epochs == 0);
    ck_assert_int_eq(option_defaults(&schedule_options, "cosine", &s, &arena, &e), HONE_OK);
    ck_assert(s.kind == SCHEDULE_COSINE && s.final == 0);
    ck_assert_int_eq(option_defaults(&schedule_options, "linear", &s, &arena, &e), HONE_OK);
    ck_assert(s.kind == SCHEDULE_LINEAR && s.final == 0);
    arena_release(&arena);
}
END_TEST

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
        {SCHEDULE_LINEAR, 0, 0, 0, 2},
        {SCHEDULE_LINEAR, 0, 0, 125, 1.5},
        {SCHEDULE_LINEAR, 0, 0, 499, 0.004},
        {SCHEDULE_LINEAR, 0, 0, 500, 0},
        {SCHEDULE_LINEAR, 1, 0.5, 100, 2},
        {SCHEDULE_LINEAR, 1, 0.5, 300, 1.5},
        {SCHEDULE_LINEAR, 1, 0.5, 700, 1},
        {SCHEDULE_STEP, 0, 0, 0, 2},
        {SCHEDULE_STEP, 0, 0, 199, 2},
        {SCHEDULE_STEP, 0, 0, 200, 1},
        {SCHEDULE_STEP, 0, 0, 354, 1},
        {SCHEDULE_STEP, 0, 0, 355, 0.5},
        {SCHEDULE_STEP, 0, 0, 600, 0.5},
        {SCHEDULE_STEP, 3, 0, 249, 2 * 250.0 / 300}, /* milestones wait for the warm-up's end */
        {SCHEDULE_STEP, 3, 0, 300, 1},
    };
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        const Point *p = &points[i];
        ScheduleOptions o = {.kind = p->kind,
                             .warmup_epochs = p->warmup,
                             .final = p->final,
                             .milestones = {.count = 2, .v = {2, 3.55}},
                             .gamma = 0.5};
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
    o = (ScheduleOptions){.kind = SCHEDULE_STEP, .milestones = {.count = 2, .v = {1, 2.5}}};
    e = (Error){0};
    ck_assert_int_eq(schedule_check(&o, 2, &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, "milestones: 2.5 is after the run of 2 epochs");
    o.milestones.v[0] = 2.5;
    e = (Error){0};
    ck_assert_int_eq(schedule_options.check(&o, &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, "milestones: 2.5 comes after 2.5");
}
END_TEST

Suite *suite_schedule(void)
{
    Suite *s = suite_create("schedule");
    TCase *c = tcase_create("schedule");
    tcase_add_test(c, test_schedule_options);
    tcase_add_test(c, test_schedule);
    tcase_add_test(c, test_schedule_falls);
    tcase_add_test(c, test_schedule_check);
    suite_add_tcase(s, c);
    return s;
}
