/* Tests of evaluation, export, proof and checkpoints, on a model that is calibrated and not trained.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/run_fixture.h"
#include "tests/suites.h"
#include "trainer/calibrate.h"
#include "trainer/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- evaluation ----------------------------------------------------------------------------- */

START_TEST(test_evaluation_of_rows)
{
    Evaluation v;
    Scorer s;
    Error e = {0};
    ck_assert_int_eq(scorer_open(&s, NULL, 3, 2, &e), HONE_OK);
    scorer_add(&s, (const double[]){1, 3, 3}, NULL, 1); /* of equals the lower index */
    scorer_add(&s, (const double[]){1, 3, 3}, NULL, 2);
    scorer_finish(&s, &v);
    ck_assert_int_eq(v.correct, 1);
    ck_assert_double_eq_tol(v.loss, log(exp(-2.0) + 2), 1e-12);
    ck_assert_double_eq(v.figures.accuracy, 0.5);
    ck_assert(v.figures.mse < 0 && v.figures.auc < 0);
    scorer_close(&s);
    ck_assert_int_eq(scorer_open(&s, NULL, 2, 1, &e), HONE_OK);
    scorer_add(&s, (const double[]){1e4, -1e4}, NULL, 1); /* no overflow */
    scorer_finish(&s, &v);
    ck_assert_double_eq_tol(v.loss, 2e4, 1e-6);
    scorer_close(&s);
}
END_TEST

/* A calibrated session: everything can be evaluated. */
static void open_calibrated(RunFixture *r)
{
    run_open(r);
    ck_assert_msg(calibrate(&r->session, 0, 3, &r->error) == HONE_OK, "%s", r->error.text);
}

/* The last batch, with 45 images, is a partial one for 2, 7 and 20. */
START_TEST(test_batches_do_not_matter)
{
    const int batches[] = {1, 2, 7, 20, 45, 64};
    const Mode modes[] = {{0}, {.quantize = true}, {.integer = true}};
    RunFixture r = {.threads = 2};
    open_calibrated(&r);
    for (int m = 0; m < 3; m++) {
        Evaluation first = {0};
        for (int i = 0; i < 6; i++) {
            Evaluation v;
            EvaluateOptions how = {.mode = modes[m], .split = DATASET_TEST, .batch = batches[i]};
            int status = modes[m].integer ? evaluate_integer(&v, &r.session, &how, &r.error)
                                          : evaluate_model(&v, &r.session, &how, &r.error);
            ck_assert_msg(status == HONE_OK, "%s", r.error.text);
            ck_assert_int_eq(v.n, RUN_TEST_IMAGES);
            first = i == 0 ? v : first;
            ck_assert_int_eq(v.correct, first.correct);
            if (modes[m].integer)
                ck_assert(v.loss == first.loss);
            ck_assert_double_eq_tol(v.loss, first.loss, 1e-5);
        }
    }
    run_end(&r);
}
END_TEST

START_TEST(test_limit)
{
    RunFixture r = {.threads = 1};
    run_open(&r);
    Evaluation v;
    EvaluateOptions how = {.split = DATASET_TRAIN, .limit = 33};
    ck_assert_int_eq(evaluate_model(&v, &r.session, &how, &r.error), HONE_OK);
    ck_assert_int_eq(v.n, 33);
    run_end(&r);
}
END_TEST

/* The artifact in the runtime gives what integer evaluation gives, to the last bit of the loss. */
START_TEST(test_artifact_equals_integer)
{
    RunFixture r = {.threads = 3};
    Finish f;
    char folder[64];
    size_t count;
    folder_make(folder);
    open_calibrated(&r);
    ck_assert_msg(finish_run(&f, &r.session, folder, NULL, &r.error) == HONE_OK, "%s",
                  r.error.text);
    unsigned char *bytes = file_bytes(folder, "model.hone", &count);
    Evaluation artifact, integer;
    EvaluateOptions how = {.split = DATASET_TEST, .batch = 7};
    ck_assert_int_eq(evaluate_artifact(&artifact, &r.session.compute, r.session.dataset, bytes,
                                       count, &how, &r.error),
                     HONE_OK);
    ck_assert_int_eq(evaluate_integer(&integer, &r.session, &how, &r.error), HONE_OK);
    ck_assert_int_eq(artifact.n, integer.n);
    ck_assert_int_eq(artifact.correct, integer.correct);
    ck_assert(artifact.loss == integer.loss);
    ck_assert(f.artifacts[0].proof.artifact.loss == integer.loss);
    ck_assert(f.artifacts[0].proof.trained.loss == integer.loss);
    ck_assert_int_le(f.artifacts[0].proof.agree.max_difference, 1);
    ck_assert_int_gt(f.artifacts[0].proof.agree.compared, 0);
    ck_assert_int_eq((int64_t)count, f.artifacts[0].bytes);
    bytes[count / 2] ^= 1;
    ck_assert_int_eq(evaluate_artifact(&artifact, &r.session.compute, r.session.dataset, bytes,
                                       count, &how, &r.error),
                     HONE_ERR_DATA);
    free(bytes);
    run_end(&r);
    folder_remove(folder);
}
END_TEST

/* An artifact of other weights is found out, and so is one of another data set. */
START_TEST(test_verify_finds_differences)
{
    RunFixture r = {.threads = 1};
    Finish f;
    FinishProof proof;
    char folder[64];
    size_t count;
    folder_make(folder);
    open_calibrated(&r);
    ck_assert_int_eq(finish_run(&f, &r.session, folder, NULL, &r.error), HONE_OK);
    unsigned char *bytes = file_bytes(folder, "model.hone", &count);
    ck_assert_int_eq(finish_verify(&proof, &r.session, bytes, count, 9, NULL, &r.error), HONE_OK);
    ck_assert_int_eq(proof.prove.mismatches, 0);
    ck_assert_int_eq(proof.prove.images, 9);
    Real *w = params_at(&r.session.params, graph_find_param(&r.session.graph, "wide.weight"));
    for (int i = 0; i < 16; i++)
        w[i] = -w[i];
    ck_assert_int_eq(finish_verify(&proof, &r.session, bytes, count, 0, NULL, &r.error), HONE_OK);
    ck_assert_int_gt(proof.prove.mismatches, 0);
    ck_assert_str_eq(proof.prove.first_layer, "wide");
    free(bytes);
    run_end(&r);
    folder_remove(folder);
}
END_TEST

START_TEST(test_export_needs_ranges)
{
    RunFixture r = {.threads = 1};
    Finish f;
    char folder[64];
    folder_make(folder);
    run_open(&r);
    ck_assert_int_eq(finish_run(&f, &r.session, folder, NULL, &r.error), HONE_ERR_CONFIG);
    ck_assert_msg(strstr(r.error.text, "calibrate") != NULL, "%s", r.error.text);
    run_end(&r);
    folder_remove(folder);
}
END_TEST

/* ---- checkpoints ---------------------------------------------------------------------------- */

static void save_session(RunFixture *r, const char *path)
{
    Progress p;
    progress_init(&p);
    p.step = 77;
    run_open(r);
    ck_assert_msg(checkpoint_save(path, &r->session, NULL, NULL, &p, &r->error) == HONE_OK, "%s",
                  r->error.text);
}

START_TEST(test_checkpoint)
{
    char folder[64], path[100];
    folder_make(folder);
    snprintf(path, sizeof path, "%s/a.h5", folder);
    RunFixture a = {.threads = 1}, b = {.threads = 1, .sets = (const char *[]){"seed=5", NULL}};
    save_session(&a, path);
    run_open(&b);
    size_t bytes = a.session.graph.trained_count * sizeof(Real);
    ck_assert_mem_ne(a.session.params.value, b.session.params.value, bytes);
    Checkpoint c;
    ck_assert_msg(checkpoint_open(&c, path, NULL, 0, &b.error) == HONE_OK, "%s", b.error.text);
    ck_assert_int_eq(c.progress.step, 77);
    ck_assert_int_eq(config_same(&a.config, &c.config, &b.error), HONE_OK);
    ck_assert_int_eq(checkpoint_restore(&c, &b.session, NULL, NULL, &b.error), HONE_OK);
    ck_assert_mem_eq(a.session.params.value, b.session.params.value, bytes);
    checkpoint_close(&c);
    run_end(&a);
    run_end(&b);
    folder_remove(folder);
}
END_TEST

START_TEST(test_numbers_that_are_none)
{
    static const struct {
        const char *name, *folder;
        double value;
        const char *text;
    } cases[] = {{"stem.weight", "params", NAN, "nan"},
                 {"batchnorm1.variance", "states", INFINITY, "inf"}};
    char folder[64], path[100], sentence[200];
    Checkpoint c;
    folder_make(folder);
    snprintf(path, sizeof path, "%s/a.h5", folder);
    RunFixture a = {.threads = 1}, b = {.threads = 1};
    Progress none;
    progress_init(&none);
    run_open(&a);
    const Param *p = graph_find_param(&a.session.graph, cases[_i].name);
    ck_assert_ptr_nonnull(p);
    params_at(&a.session.params, p)[2] = (Real)cases[_i].value;
    ck_assert_int_eq(checkpoint_save(path, &a.session, NULL, NULL, &none, &a.error), HONE_OK);
    run_open(&b);
    ck_assert_int_eq(checkpoint_open(&c, path, NULL, 0, &b.error), HONE_OK);
    ck_assert_int_eq(checkpoint_restore(&c, &b.session, NULL, NULL, &b.error), HONE_ERR_DATA);
    snprintf(sentence, sizeof sentence, "%s: number 2 of '/%s/%s' is %s", path, cases[_i].folder,
             cases[_i].name, cases[_i].text);
    ck_assert_str_eq(b.error.text, sentence);
    checkpoint_close(&c);
    run_end(&a);
    run_end(&b);
    folder_remove(folder);
}
END_TEST

static const struct {
    const char *set;      /* makes another model than run_yaml's ... */
    const char *words[2]; /* ... and what the refusal must name */
} others[] = {
    {"model.layers.0.filters=16", {"stem.weight", "[8,3,3,3], the model wants [16,3,3,3]"}},
    {"model.layers.0.name=first", {"params/stem.weight", "the model has no such tensor"}},
    {"model.layers.10.bias=false", {"params/classifier.bias", "[4]"}},
};

START_TEST(test_other_architecture)
{
    char folder[64], path[100];
    folder_make(folder);
    snprintf(path, sizeof path, "%s/a.h5", folder);
    const char *sets[] = {others[_i].set, _i == 0 ? "model.layers.6.filters=16" : NULL, NULL};
    RunFixture a = {.threads = 1}, b = {.threads = 1, .sets = sets};
    save_session(&a, path);
    run_open(&b);
    size_t bytes = b.session.graph.trained_count * sizeof(Real);
    Real *before = malloc(bytes);
    ck_assert_ptr_nonnull(before);
    memcpy(before, b.session.params.value, bytes);
    Checkpoint c;
    ck_assert_int_eq(checkpoint_open(&c, path, NULL, 0, &b.error), HONE_OK);
    ck_assert_int_ne(checkpoint_restore(&c, &b.session, NULL, NULL, &b.error), HONE_OK);
    for (int k = 0; k < 2; k++)
        ck_assert_msg(strstr(b.error.text, others[_i].words[k]) != NULL, "%s", b.error.text);
    ck_assert_mem_eq(before, b.session.params.value, bytes);
    free(before);
    checkpoint_close(&c);
    run_end(&a);
    run_end(&b);
    folder_remove(folder);
}
END_TEST

Suite *suite_evaluate(void)
{
    Suite *s = suite_create("evaluate");
    TCase *t = tcase_create("evaluate");
    tcase_add_test(t, test_evaluation_of_rows);
    tcase_add_test(t, test_batches_do_not_matter);
    tcase_add_test(t, test_limit);
    tcase_add_test(t, test_artifact_equals_integer);
    tcase_add_test(t, test_verify_finds_differences);
    tcase_add_test(t, test_export_needs_ranges);
    tcase_add_test(t, test_checkpoint);
    tcase_add_loop_test(t, test_numbers_that_are_none, 0, 2);
    tcase_add_loop_test(t, test_other_architecture, 0, sizeof others / sizeof others[0]);
    suite_add_tcase(s, t);
    return s;
}
