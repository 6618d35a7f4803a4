/* Tests that a run is a function of its configuration: interrupted or not, with any number of
 * threads. SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"
#include "tests/outcome.h"
#include "tests/run_fixture.h"
#include "tests/suites.h"
#include "trainer/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A run that is stopped after each of the steps given (0-terminated) and resumed, every session with
 * another number of threads. */
static Outcome interrupted(const char *folder, const char *const *sets, const int64_t *stops)
{
    for (int k = 0;; k++) {
        RunFixture r = {.sets = sets,
                        .out = folder,
                        .threads = 1 + k % 3,
                        .resume = k > 0,
                        .stop_at = stops[k]};
        int status = run_start(&r);
        if (stops[k]) {
            ck_assert_int_eq(status, HONE_ERR_INTERRUPTED);
            ck_assert(strstr(r.error.text, folder) != NULL);
            run_end(&r);
            continue;
        }
        ck_assert_msg(status == HONE_OK, "%s", r.error.text);
        Outcome o = outcome_take(r.out);
        run_end(&r);
        return o;
    }
}

static Outcome straight(const char *const *sets, int threads)
{
    char folder[64];
    folder_make(folder);
    RunFixture r = {.sets = sets, .out = folder, .threads = threads};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    Outcome o = outcome_take(r.out);
    run_end(&r);
    folder_remove(folder);
    return o;
}

static void compare_interrupted(const char *const *sets, const int64_t *stops)
{
    char folder[64];
    folder_make(folder);
    Outcome whole = straight(sets, 1), parts = interrupted(folder, sets, stops);
    outcome_same(&whole, &parts);
    outcome_release(&whole);
    outcome_release(&parts);
    folder_remove(folder);
}

START_TEST(test_threads)
{
    Outcome one = straight(NULL, 1);
    for (int threads = 2; threads <= 3; threads++) {
        Outcome more = straight(NULL, threads);
        outcome_same(&one, &more);
        outcome_release(&more);
    }
    outcome_release(&one);
}
END_TEST

/* In every phase, inside epochs, at their ends, and at the boundaries of phases. */
START_TEST(test_every_phase)
{
    const int64_t stops[] = {1, 4, 6, 8, 11, 12, 14, 20, 22, 0};
    compare_interrupted(NULL, stops);
}
END_TEST

START_TEST(test_random_steps)
{
    uint64_t seed = (uint64_t)time(NULL);
    Rng rng = rng_at(seed, RNG_TEST, 0, 0);
    int64_t stops[5] = {0}, step = 0;
    for (int k = 0; k < 4; k++) {
        step += 1 + rng_below(&rng, 5);
        stops[k] = step;
    }
    printf("seed %" PRIu64 "\n", seed);
    compare_interrupted(NULL, stops);
}
END_TEST

/* A stop that comes while something is evaluated: at an epoch's end, at the boundaries of
 * quantization, with the average of the weights put on, in the proof. */
static void compare_stopped_in(const char *const *sets, int64_t progress, const Outcome *whole)
{
    char folder[64];
    folder_make(folder);
    RunFixture r = {.sets = sets, .out = folder, .threads = 1, .stop_in = progress};
    ck_assert_int_eq(run_start(&r), HONE_ERR_INTERRUPTED);
    ck_assert_msg(strstr(r.error.text, "stopped after step ") == r.error.text, "%s", r.error.text);
    ck_assert_int_eq(r.progress, progress);
    run_end(&r);
    r = (RunFixture){.sets = sets, .out = folder, .threads = 2, .resume = true};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    run_end(&r);
    Outcome parts = outcome_take(folder);
    outcome_same(whole, &parts);
    outcome_release(&parts);
    folder_remove(folder);
}

START_TEST(test_stopped_in_evaluation)
{
    static const char *const cases[][5] = {
        {"train.optimizer.ema=0.9", "eval.recalibration_batches=2", NULL},
        {"qat.begin_epoch=2.5", "prune.schedule.end_epoch=2.5", NULL},
        {"qat.begin_epoch=6", "prune.schedule.end_epoch=6", "qat.freeze_observers_epoch=6",
         "qat.freeze_batchnorm_epoch=6", NULL},
    };
    char folder[64];
    folder_make(folder);
    RunFixture r = {.sets = cases[_i], .out = folder, .threads = 1};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    run_end(&r);
    Outcome whole = outcome_take(folder);
    ck_assert_int_ge(r.progress, 18);
    for (int64_t k = 1; k <= r.progress; k += 4)
        compare_stopped_in(cases[_i], k, &whole);
    outcome_release(&whole);
    folder_remove(folder);
}
END_TEST

/* Pruning and quantization that begin with, or end at, the end of training. */
START_TEST(test_boundaries_at_the_ends)
{
    const int64_t stops[] = {5, 23, 0};
    const char *at_end[] = {"prune.schedule.end_epoch=6", "qat.begin_epoch=6",
                            "qat.freeze_observers_epoch=6", "qat.freeze_batchnorm_epoch=6", NULL};
    const char *at_start[] = {"prune.schedule.begin_epoch=0", "qat.begin_epoch=0", NULL};
    const char *inside[] = {"prune.schedule.begin_epoch=0.5", "qat.begin_epoch=2.25",
                            "checkpoint.every_steps=3", "eval.every_epochs=4", NULL};
    compare_interrupted(at_end, stops);
    compare_interrupted(at_start, stops);
    compare_interrupted(inside, stops);
}
END_TEST

/* Optimizers with their states, the average of the weights, clipping: before, at and after each
 * boundary. */
START_TEST(test_optimizers)
{
    static const char *const optimizers[] = {
        "train.optimizer={kind: adamw, lr: 0.01, ema: 0.9}",
        "train.optimizer={kind: rmsprop, lr: 0.001, momentum: 0.5, centered: true}",
        "train.optimizer={kind: sgd, lr: 0.05, ema: 0.99}",
    };
    const int64_t stops[] = {3, 5, 12, 17, 20, 0};
    const char *sets[] = {optimizers[_i],
                          "train.clip_norm=0.5",
                          "eval.recalibration_batches=2",
                          "train.schedule={kind: step, milestones: [2, 4.5]}",
                          "checkpoint.every_steps=3",
                          NULL};
    compare_interrupted(sets, stops);
}
END_TEST

/* A process that is killed saves nothing: the run goes on from the last epoch. */
START_TEST(test_crash)
{
    char folder[64];
    folder_make(folder);
    RunFixture crash = {.out = folder, .threads = 1, .poison_at = 10};
    ck_assert_int_eq(run_start(&crash), HONE_ERR_NUMERIC);
    run_end(&crash);
    ck_assert_int_gt(outcome_log_lines(folder), 2);
    RunFixture r = {.out = folder, .threads = 1, .resume = true};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    Outcome whole = straight(NULL, 1), parts = outcome_take(r.out);
    outcome_same(&whole, &parts);
    outcome_release(&whole);
    outcome_release(&parts);
    run_end(&r);
    folder_remove(folder);
}
END_TEST

/* Resuming a finished run changes nothing; without its summary, only the end is done again. */
START_TEST(test_finished)
{
    char folder[64], path[1100];
    size_t before, after;
    folder_make(folder);
    RunFixture first = {.out = folder, .threads = 1};
    ck_assert_msg(run_start(&first) == HONE_OK, "%s", first.error.text);
    Outcome whole = outcome_take(first.out);
    run_end(&first);
    unsigned char *summary = file_bytes(folder, "summary.json", &before);
    RunFixture again = {.out = folder, .threads = 1, .resume = true};
    ck_assert_int_eq(run_start(&again), HONE_OK);
    ck_assert_int_eq(again.summary.steps, 0);
    ck_assert_int_eq(again.steps, 0);
    ck_assert_str_eq(again.summary.folder, folder);
    run_end(&again);
    unsigned char *kept = file_bytes(folder, "summary.json", &after);
    ck_assert_uint_eq(before, after);
    ck_assert_mem_eq(summary, kept, before);
    free(summary);
    free(kept);
    snprintf(path, sizeof path, "%s/summary.json", folder);
    remove(path);
    RunFixture end = {.out = folder, .threads = 1, .resume = true};
    ck_assert_int_eq(run_start(&end), HONE_OK);
    ck_assert_int_eq(end.steps, 0);
    ck_assert_int_eq(end.summary.steps, RUN_STEPS);
    Outcome parts = outcome_take(end.out);
    outcome_same(&whole, &parts);
    outcome_release(&whole);
    outcome_release(&parts);
    run_end(&end);
    folder_remove(folder);
}
END_TEST

/* A checkpoint of another configuration is refused with the line that differs; what does not change
 * numbers may differ. */
START_TEST(test_other_configuration)
{
    char folder[64];
    const char *other[] = {"train.optimizer.lr=0.01", NULL};
    const char *harmless[] = {"threads=2", "checkpoint.every_steps=5", NULL};
    folder_make(folder);
    RunFixture r = {.out = folder, .threads = 1, .stop_at = 5};
    ck_assert_int_eq(run_start(&r), HONE_ERR_INTERRUPTED);
    run_end(&r);
    r = (RunFixture){.out = folder, .threads = 1, .resume = true, .sets = other};
    ck_assert_int_eq(run_start(&r), HONE_ERR_CONFIG);
    ck_assert_msg(strstr(r.error.text, "'lr: 0.01' here, 'lr: 0.05' there") != NULL, "%s",
                  r.error.text);
    run_end(&r);
    r = (RunFixture){.out = folder, .threads = 1, .resume = true, .sets = harmless};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    run_end(&r);
    folder_remove(folder);
}
END_TEST

/* Resuming where nothing was saved starts fresh. */
START_TEST(test_resume_of_nothing)
{
    char folder[64];
    folder_make(folder);
    RunFixture r = {.out = folder, .threads = 1, .resume = true};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    ck_assert_int_eq(r.steps, RUN_STEPS);
    run_end(&r);
    folder_remove(folder);
}
END_TEST

Suite *suite_resume(void)
{
    Suite *s = suite_create("resume");
    TCase *t = tcase_create("resume");
    tcase_add_test(t, test_threads);
    tcase_add_test(t, test_every_phase);
    tcase_add_test(t, test_random_steps);
    tcase_add_test(t, test_boundaries_at_the_ends);
    tcase_add_loop_test(t, test_optimizers, 0, 3);
    tcase_add_loop_test(t, test_stopped_in_evaluation, 0, 3);
    tcase_add_test(t, test_crash);
    tcase_add_test(t, test_finished);
    tcase_add_test(t, test_other_configuration);
    tcase_add_test(t, test_resume_of_nothing);
    suite_add_tcase(s, t);
    return s;
}
