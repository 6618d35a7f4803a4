/* Tests of distillation: the loss against PyTorch, its weights, teachers in whole runs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"
#include "distill/distill.h"
#include "tests/net.h"
#include "tests/run_fixture.h"
#include "tests/soft_loss_fixture.h"
#include "tests/suites.h"
#include "trainer/checkpoint.h"
#include "trainer/plan.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EPSILON (sizeof(Real) == sizeof(float) ? 6e-8 : 2e-16)

/* ---- the loss ------------------------------------------------------------------------------- */

static void fill(Real *to, const double *from)
{
    for (int i = 0; i < SOFT_COUNT; i++)
        to[i] = (Real)from[i];
}

/* Logits as a parameter, so that they get a gradient; _i / 3: loss of weight 1, -0.5, 0. */
START_TEST(test_loss_as_pytorch)
{
    static const double weights[] = {1, -0.5, 0};
    const struct SoftCase *c = &soft_cases[_i % 3];
    const double weight = weights[_i / 3];
    Net t;
    net_init(&t);
    Value *student =
        graph_param(&t.graph, "s", SHAPE2(SOFT_ROWS, SOFT_CLASSES), PARAM_BIAS, (Init){0});
    Value *teacher =
        graph_param(&t.graph, "t", SHAPE2(SOFT_ROWS, SOFT_CLASSES), PARAM_STATE, (Init){0});
    Value *loss = distill_soft_loss(&t.graph, "loss", student, teacher, c->temperature);
    net_compile(&t, &(NetOptions){.mode = {.training = true}});
    fill(net_param(&t, "s"), soft_student);
    fill(net_param(&t, "t"), soft_teacher);
    exec_weigh(t.exec, loss, weight);
    exec_forward(t.exec);
    exec_backward(t.exec);
    ck_assert_double_eq_tol((double)*net_data(&t, loss), c->loss, 4 * EPSILON * c->loss);
    for (int i = 0; i < SOFT_COUNT; i++)
        ck_assert_double_eq_tol((double)t.params.grad[i], weight * c->gradient[i], 4 * EPSILON);
    net_release(&t);
}
END_TEST

/* A loss that does not count adds nothing, not even what is not finite. */
START_TEST(test_weight_zero)
{
    Net t;
    net_init(&t);
    Value *student =
        graph_param(&t.graph, "s", SHAPE2(SOFT_ROWS, SOFT_CLASSES), PARAM_BIAS, (Init){0});
    Value *teacher =
        graph_param(&t.graph, "t", SHAPE2(SOFT_ROWS, SOFT_CLASSES), PARAM_STATE, (Init){NAN, 0});
    Value *loss = distill_soft_loss(&t.graph, "loss", student, teacher, 4);
    net_compile(&t, &(NetOptions){.mode = {.training = true}});
    exec_weigh(t.exec, loss, 0);
    exec_forward(t.exec);
    exec_backward(t.exec);
    for (int i = 0; i < SOFT_COUNT; i++)
        ck_assert(t.params.grad[i] == 0);
    net_release(&t);
}
END_TEST

START_TEST(test_loss_refuses)
{
    Graph g;
    Error e = {0};
    graph_init(&g);
    Value *student = graph_input(&g, "s", SHAPE2(1, 7), ELEM_REAL);
    Value *teacher = graph_input(&g, "t", SHAPE2(1, 8), ELEM_REAL);
    ck_assert_ptr_null(distill_soft_loss(&g, "kd", student, teacher, 4));
    ck_assert_int_eq(graph_failed(&g, &e), HONE_ERR_SHAPE);
    ck_assert_str_eq(e.text, "soft_loss 'kd': logits [1, 7] and the teacher's [1, 8] are not real "
                             "[N,K] alike");
    graph_release(&g);
}
END_TEST

START_TEST(test_weights)
{
    static const struct {
        int64_t step; /* of 10 to an epoch */
        double hard, soft;
    } points[] = {
        {0, 1, 0},      {19, 1, 0},     {20, 0.82, 0.18}, {22, 0.46, 0.54},
        {24, 0.1, 0.9}, {39, 0.1, 0.9}, {40, 1, 0},       {90, 1, 0},
    };
    const DistillOptions o = {.weight_hard = 0.1,
                              .weight_soft = 0.9,
                              .begin_epoch = 2,
                              .end_epoch = 4,
                              .ramp_epochs = 0.4};
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        double hard, soft;
        distill_weights(&o, points[i].step, 10, &hard, &soft);
        ck_assert_double_eq_tol(hard, points[i].hard, 1e-12);
        ck_assert_double_eq_tol(soft, points[i].soft, 1e-12);
    }
    DistillOptions whole = o;
    whole.begin_epoch = whole.ramp_epochs = 0;
    whole.end_epoch = -1;
    for (int64_t step = 0; step < 100; step += 33) {
        double hard, soft;
        distill_weights(&whole, step, 10, &hard, &soft);
        ck_assert(hard == 0.1 && soft == 0.9);
    }
}
END_TEST

/* ---- runs ----------------------------------------------------------------------------------- */

static char folder[64], teach[150], other[100];

/* A teacher: the fixture's network in float, of that seed. */
static void train_teacher(const char *out, const char *seed)
{
    const char *sets[] = {"qat=null", "prune=null", seed, "train.epochs=4", NULL};
    RunFixture r = {.out = out, .threads = 1, .sets = sets};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    run_end(&r);
}

static void prepare(void)
{
    char out[100];
    folder_make(folder);
    snprintf(out, sizeof out, "%s/teacher", folder);
    snprintf(other, sizeof other, "%s/student", folder);
    snprintf(teach, sizeof teach, "distill={teacher: {checkpoint: %s/last.h5}}", out);
    train_teacher(out, "seed=7");
}

static void clean(void)
{
    folder_remove(folder);
}

static int count_words(const char *out, const char *word)
{
    size_t count;
    int found = 0;
    unsigned char *log = file_bytes(out, "metrics.jsonl", &count);
    log[count - 1] = '\0';
    for (const char *at = (char *)log; (at = strstr(at, word)) != NULL; at++)
        found++;
    free(log);
    return found;
}

/* Through pruning and quantization, with the average of the weights. */
START_TEST(test_run)
{
    const char *sets[] = {teach, "train.optimizer.ema=0.9", "eval.recalibration_batches=2", NULL};
    RunFixture r = {.out = other, .threads = 2, .sets = sets};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    ck_assert(r.summary.bit_exact);
    ck_assert(r.summary.teacher_figures.accuracy >= 0 && r.summary.teacher_figures.accuracy <= 1);
    run_end(&r);
    ck_assert_int_eq(count_words(other, "\"hard_loss\": "), 3);
    ck_assert_int_eq(count_words(other, "\"soft_loss\": "), 3);
}
END_TEST

/* A student that hears nothing but the teacher comes to answer as it does. */
START_TEST(test_follows)
{
    const char *sets[] = {teach,
                          "distill.weight_hard=0",
                          "distill.weight_soft=1",
                          "distill.temperature=2",
                          "train.epochs=60",
                          "qat=null",
                          "prune=null",
                          "augment={flip: false, crop: 0}",
                          "eval.every_epochs=1000",
                          NULL};
    RunFixture r = {.out = other, .threads = 1, .sets = sets};
    size_t count;
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    run_end(&r);
    unsigned char *log = file_bytes(other, "metrics.jsonl", &count);
    log[count - 1] = '\0';
    const char *word = "\"soft_loss\": ", *first = strstr((char *)log, word), *last = first;
    for (const char *at = first; at; at = strstr(at + 1, word))
        last = at;
    ck_assert_ptr_nonnull(first);
    ck_assert_double_lt(atof(last + strlen(word)), 0.2 * atof(first + strlen(word)));
    free(log);
}
END_TEST

/* Outside of its epochs a teacher changes nothing, to the last bit. */
START_TEST(test_silent)
{
    char plain[100];
    size_t a_count, b_count;
    const char *sets[] = {teach, "distill.begin_epoch=6", NULL};
    snprintf(plain, sizeof plain, "%s/plain", folder);
    RunFixture r = {.out = other, .threads = 1, .sets = sets};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    run_end(&r);
    r = (RunFixture){.out = plain, .threads = 1};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    run_end(&r);
    unsigned char *a = file_bytes(other, "model.hone", &a_count);
    unsigned char *b = file_bytes(plain, "model.hone", &b_count);
    ck_assert_uint_eq(a_count, b_count);
    ck_assert_mem_eq(a, b, a_count);
    free(a);
    free(b);
    ck_assert_int_eq(count_words(other, "\"soft_loss\": "), 0);
}
END_TEST

static void check_refused(const char *const *sets, const char *sentence)
{
    RunFixture r = {.out = other, .threads = 1, .sets = sets};
    ck_assert_int_ne(run_start(&r), HONE_OK);
    ck_assert_msg(strstr(r.error.text, sentence) != NULL, "%s", r.error.text);
    run_end(&r);
}

START_TEST(test_refused)
{
    const char *missing[] = {"distill={teacher: {checkpoint: no/where.h5}}", NULL};
    const char *classes[] = {teach, "dataset.classes=3", "model.classes=3",
                             "model.layers.10.units=3", NULL};
    const char *image[] = {teach, "dataset.shape=[6, 8, 3]", "model.input=[6, 8, 3]", NULL};
    char name[200];
    check_refused(missing,
                  "--set distill={teacher: {checkpoint: no/where.h5}}: "
                  "distill.teacher.checkpoint: 'no/where.h5' does not exist; a teacher is a run of "
                  "its own, as ./train configs/teacher_resnet20.yaml, which leaves "
                  "runs/teacher_resnet20/best.h5");
    snprintf(name, sizeof name,
             "distill.teacher.checkpoint: %s/teacher/last.h5 takes images of 8x8x3 and gives 4 "
             "outputs, here they are ",
             folder);
    check_refused(classes, name);
    check_refused(classes, "here they are 8x8x3 and 3");
    check_refused(image, name);
    check_refused(image, "here they are 6x8x3 and 4");
    char text[100], set[150], sentence[400];
    const char *no_run[] = {set, NULL};
    snprintf(text, sizeof text, "%s/text.h5", folder);
    snprintf(set, sizeof set, "distill.teacher.checkpoint=%s", text);
    ck_assert_int_eq(file_write_atomic(text, "no model", 8, &(Error){0}), HONE_OK);
    snprintf(sentence, sizeof sentence,
             "--set %s: distill.teacher.checkpoint: '%s' is not an HDF5 file", set, text);
    check_refused(no_run, sentence);
}
END_TEST

static const struct {
    const char *set, *sentence;
    const char *more; /* another override, or NULL */
} refusals[] = {
    {"distill={}",
     "missing required key 'distill.teacher.checkpoint' (file of a finished run, as "
     "runs/NAME/best.h5)",
     NULL},
    {"distill={teacher: {checkpoint: a}, temperature: 0}",
     "distill.temperature: 0 is outside (0, 1000]", NULL},
    {"distill={teacher: {checkpoint: a}, begin_epoch: 2, end_epoch: 2}",
     "distill: end_epoch 2 is not after begin_epoch 2", NULL},
    {"distill={teacher: {checkpoint: a}, begin_epoch: 7}",
     "distill.begin_epoch: 7 is after the end of training (6 epochs)", NULL},
    {"distill={teacher: {checkpoint: a}, end_epoch: 6.5}",
     "distill.end_epoch: 6.5 is after the end of training (6 epochs)", NULL},
    {"distill={teacher: {checkpoint: a}}",
     "distill: a teacher tells classes apart, and train.loss.target is not labels",
     "train.loss={kind: mse, target: input}"},
};
enum { REFUSALS = sizeof refusals / sizeof refusals[0] };

START_TEST(test_options)
{
    const char *sets[] = {refusals[_i].set, refusals[_i].more};
    const size_t count = sets[1] ? 2 : 1;
    Config c;
    Error e = {0};
    ck_assert_int_eq(config_parse(&c, run_yaml, "run.yaml", sets, count, &e), HONE_ERR_CONFIG);
    ck_assert_msg(strstr(e.text, refusals[_i].sentence) != NULL, "%s", e.text);
    ck_assert_int_eq(option_table_check(&distill_options, &e), HONE_OK);
}
END_TEST

/* A run goes on with the teacher that it began with, or not at all. */
START_TEST(test_other_teacher)
{
    char command[300], second[100];
    const char *sets[] = {teach, NULL};
    RunFixture r = {.out = other, .threads = 1, .sets = sets, .stop_at = 3};
    ck_assert_int_eq(run_start(&r), HONE_ERR_INTERRUPTED);
    run_end(&r);
    snprintf(second, sizeof second, "%s/second", folder);
    train_teacher(second, "seed=8");
    snprintf(command, sizeof command, "cp %s/last.h5 %s/teacher/", second, folder);
    ck_assert_int_eq(system(command), 0);
    r = (RunFixture){.out = other, .threads = 1, .sets = sets, .resume = true};
    ck_assert_int_eq(run_start(&r), HONE_ERR_CONFIG);
    ck_assert_msg(strstr(r.error.text, "/teacher/last.h5 is not the one that taught the first 3 "
                                       "steps of ") != NULL,
                  "%s", r.error.text);
    run_end(&r);
}
END_TEST

/* What is finished needs its teacher no more; what is not does, and says so. */
START_TEST(test_teacher_gone)
{
    char path[150], out[100];
    const char *sets[] = {teach, NULL};
    RunFixture r = {.out = other, .threads = 1, .sets = sets};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    run_end(&r);
    snprintf(out, sizeof out, "%s/half", folder);
    r = (RunFixture){.out = out, .threads = 1, .sets = sets, .stop_at = 3};
    ck_assert_int_eq(run_start(&r), HONE_ERR_INTERRUPTED);
    run_end(&r);
    snprintf(path, sizeof path, "%s/teacher/last.h5", folder);
    ck_assert_int_eq(remove(path), 0);
    r = (RunFixture){.out = other, .threads = 1, .sets = sets, .resume = true};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    ck_assert_int_eq(r.steps, 0);
    ck_assert_str_eq(r.summary.folder, other);
    run_end(&r);
    r = (RunFixture){.out = out, .threads = 1, .sets = sets, .resume = true};
    ck_assert_int_eq(run_start(&r), HONE_ERR_CONFIG);
    ck_assert_msg(strstr(r.error.text, "/teacher/last.h5' does not exist") != NULL, "%s",
                  r.error.text);
    ck_assert_int_eq(r.steps, 0);
    run_end(&r);
}
END_TEST

START_TEST(test_plan)
{
    const char *sets[] = {teach, "distill.begin_epoch=1", NULL};
    RunFixture r = {.sets = sets};
    Text text = {0};
    char line[300];
    run_open(&r);
    ck_assert_int_eq(plan_print(&r.session, NULL, &text, &r.error), HONE_OK);
    snprintf(line, sizeof line,
             "teacher %s/teacher/last.h5: temperature 4, 0.1 of the labels' loss and 0.9 of its "
             "own, epochs 1 to 6\n",
             folder);
    ck_assert_msg(strstr(text_string(&text), line) != NULL, "%s", text_string(&text));
    text_release(&text);
    run_end(&r);
}
END_TEST

Suite *suite_distill(void)
{
    Suite *s = suite_create("distill");
    TCase *t = tcase_create("loss");
    tcase_add_loop_test(t, test_loss_as_pytorch, 0, 9);
    tcase_add_test(t, test_weight_zero);
    tcase_add_test(t, test_loss_refuses);
    tcase_add_test(t, test_weights);
    tcase_add_loop_test(t, test_options, 0, REFUSALS);
    suite_add_tcase(s, t);
    t = tcase_create("runs");
    tcase_add_checked_fixture(t, prepare, clean);
    tcase_add_test(t, test_run);
    tcase_add_test(t, test_follows);
    tcase_add_test(t, test_silent);
    tcase_add_test(t, test_refused);
    tcase_add_test(t, test_other_teacher);
    tcase_add_test(t, test_teacher_gone);
    tcase_add_test(t, test_plan);
    suite_add_tcase(s, t);
    return s;
}
