/* Tests of losses, of the figures that evaluation makes of outputs, and of models that reproduce their
 * input. Gradients against differences are in grad_losses.c. SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"
#include "layers/layers.h"
#include "layers/loss.h"
#include "tests/net.h"
#include "tests/run_fixture.h"
#include "tests/suites.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the ops -------------------------------------------------------------------------------- */

enum { ROWS = 4, K = 3 };

static const Real outputs[ROWS * K] = {1, 2, -1, 5, 5, 5, 0, 0, 3, 40, -40, (Real)0.5};

/* By PyTorch 1.13 in float64: mse_loss and binary_cross_entropy_with_logits of `outputs`, first
 * against one-hot rows of labels 2, none, 0, 1, then against `targets`. */
static const int32_t labels[ROWS] = {2, -1, 0, 1};
static const Real targets[ROWS * K] = {(Real)0.5, (Real)0.25, 0, 1,         0, (Real)0.125,
                                       0,         (Real)0.75, 1, (Real)0.5, 1, 0};

static const struct {
    LossKind kind;
    bool labelled;
    double loss, slopes[ROWS * K];
} by_pytorch[] = {
    {LOSS_MSE,
     true,
     366.694444444,
     {0.222222222, 0.444444444, -0.444444444, 0, 0, 0, -0.222222222, 0, 0.666666667, 8.88888889,
      -9.11111111, 0.111111111}},
    {LOSS_BCE,
     true,
     10.0180455648,
     {0.081228731, 0.097866342, -0.081228731, 0, 0, 0, -0.0555555556, 0.0555555556, 0.10584157,
      0.111111111, -0.111111111, 0.0691621479}},
    {LOSS_MSE,
     false,
     276.26171875,
     {0.0833333333, 0.291666667, -0.166666667, 0.666666667, 0.833333333, 0.8125, 0, -0.125,
      0.333333333, 6.58333333, -6.83333333, 0.0833333333}},
    {LOSS_BCE,
     false,
     6.21312967737,
     {0.0192548816, 0.0525664232, 0.0224117851, -0.000557737577, 0.0827755958, 0.0723589291,
      0.0416666667, -0.0208333333, -0.0039521561, 0.0416666667, -0.0833333333, 0.0518716109}},
};

typedef struct LossNet {
    Net net;
    Value *loss;
} LossNet;

static Value *loss_node(Graph *g, LossKind kind, Value *y, Value *target)
{
    return kind == LOSS_MSE ? layer_mse(g, "loss", y, target) : layer_bce(g, "loss", y, target);
}

/* `outputs` against labels (given: int32) or numbers. */
static void run_loss(LossNet *t, LossKind kind, const int32_t *given, const Real *numbers)
{
    net_init(&t->net);
    Graph *g = &t->net.graph;
    Value *y = graph_param(g, "y", SHAPE2(ROWS, K), PARAM_WEIGHT, (Init){0, 0});
    Value *target = given ? graph_input(g, "labels", SHAPE1(ROWS), ELEM_INT32)
                          : graph_input(g, "target", SHAPE4(ROWS, 1, K, 1), ELEM_REAL);
    t->loss = loss_node(g, kind, y, target);
    net_compile(&t->net, &(NetOptions){.mode = {.training = true}});
    memcpy(net_param(&t->net, "y"), outputs, sizeof outputs);
    if (given)
        memcpy(net_tensor(&t->net, target)->data, given, ROWS * sizeof *given);
    else
        memcpy(net_tensor(&t->net, target)->data, numbers, sizeof targets);
    exec_forward(t->net.exec);
    exec_backward(t->net.exec);
}

START_TEST(test_as_pytorch)
{
    LossNet t;
    const bool labelled = by_pytorch[_i].labelled;
    run_loss(&t, by_pytorch[_i].kind, labelled ? labels : NULL, targets);
    const double loss = (double)*net_data(&t.net, t.loss);
    ck_assert_double_eq_tol(loss, by_pytorch[_i].loss, 1e-6 * loss);
    for (int i = 0; i < ROWS * K; i++)
        ck_assert_double_eq_tol((double)t.net.params.grad[i], by_pytorch[_i].slopes[i], 1e-6);
    net_release(&t.net);
}
END_TEST

/* What evaluation says of single samples is what training minimizes. */
START_TEST(test_of_samples)
{
    double sum = 0, rows = 0;
    for (int row = 0; row < ROWS; row++) {
        double y[K], t[K];
        for (int i = 0; i < K; i++) {
            y[i] = (double)outputs[row * K + i];
            t[i] = (double)targets[row * K + i];
        }
        if (by_pytorch[_i].labelled && labels[row] < 0)
            continue;
        sum += loss_of_sample(by_pytorch[_i].kind, y, K, by_pytorch[_i].labelled ? NULL : t,
                              by_pytorch[_i].labelled ? labels[row] : 0);
        rows++;
    }
    ck_assert_double_eq_tol(sum / rows, by_pytorch[_i].loss, 1e-9 * by_pytorch[_i].loss);
}
END_TEST

START_TEST(test_without_rows)
{
    const int32_t none[ROWS] = {-1, -1, -1, -1};
    LossNet t;
    run_loss(&t, LOSS_MSE, none, NULL);
    ck_assert(*net_data(&t.net, t.loss) == 0);
    for (int i = 0; i < ROWS * K; i++)
        ck_assert(t.net.params.grad[i] == 0);
    net_release(&t.net);
}
END_TEST

START_TEST(test_messages)
{
    static const struct {
        Shape y, target;
        Elem elem;
        const char *sentence;
    } bad[] = {
        {{1, {1}}, {1, {1}}, ELEM_INT32, "mse 'loss': outputs [1] are not real [N,K]"},
        {{2, {1, 3}},
         {2, {1, 3}},
         ELEM_INT32,
         "mse 'loss': labels [1, 3] are not int32 [N] of outputs [1, 3]"},
        {{2, {1, 10}},
         {4, {1, 2, 2, 3}},
         ELEM_REAL,
         "mse 'loss': outputs [1, 10] are not as many numbers as the target [1, 2, 2, 3]"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        Graph g;
        Error e = {0};
        graph_init(&g);
        Value *y = graph_input(&g, "y", bad[i].y, ELEM_REAL);
        layer_mse(&g, "loss", y, graph_input(&g, "t", bad[i].target, bad[i].elem));
        ck_assert_int_eq(graph_failed(&g, &e), HONE_ERR_SHAPE);
        ck_assert_str_eq(e.text, bad[i].sentence);
        graph_release(&g);
    }
}
END_TEST

/* ---- the area under the curve --------------------------------------------------------------- */

/* As scikit-learn 1.9.1's roc_auc_score. */
START_TEST(test_auc_as_sklearn)
{
    ScoredImage small[] = {{0.1, 0}, {0.4, 0}, {0.35, 1}, {0.8, 1}};
    ck_assert_double_eq(figures_auc(small, 4), 0.75);
    ScoredImage tied[40], shifted[50];
    for (int i = 0; i < 40; i++)
        tied[i] = (ScoredImage){((i * 37 + 11) % 17) / 8.0, (i * 7 + 3) % 5 == 0};
    ck_assert_double_eq_tol(figures_auc(tied, 40), 0.435546875, 1e-15);
    for (int i = 0; i < 50; i++)
        shifted[i] = (ScoredImage){(i * i * 5 + 2) % 23 + (i % 3 == 1 ? 3 : 0), i % 3 == 1};
    ck_assert_double_eq_tol(figures_auc(shifted, 50), 0.606951871657754, 1e-15);
}
END_TEST

/* By definition: the share of pairs that the anomaly wins. */
START_TEST(test_auc_of_pairs)
{
    enum { MOST = 60 };
    Rng rng = rng_at(7, RNG_BENCH, 0, 0);
    for (int turn = 0; turn < 200; turn++) {
        ScoredImage images[MOST];
        int count = 2 + (int)rng_below(&rng, MOST - 1), levels = 1 + turn % 9;
        double wins = 0, pairs = 0;
        for (int i = 0; i < count; i++)
            images[i] = (ScoredImage){rng_below(&rng, (uint32_t)levels), i < 2 ? i : i % 4 == 0};
        for (int a = 0; a < count; a++)
            for (int b = 0; b < count; b++)
                if (images[a].label == 1 && images[b].label == 0) {
                    pairs++;
                    wins += images[a].score > images[b].score    ? 1
                            : images[a].score == images[b].score ? 0.5
                                                                 : 0;
                }
        ck_assert_double_eq(figures_auc(images, (size_t)count), wins / pairs);
    }
}
END_TEST

START_TEST(test_no_auc)
{
    ScoredImage normal[] = {{1, 0}, {2, 0}}, classes[] = {{1, 0}, {2, 1}, {3, 2}};
    ScoredImage bad[] = {{NAN, 0}, {NAN, 1}};
    ck_assert(figures_auc(normal, 2) == FIGURE_NONE);
    ck_assert(figures_auc(classes, 3) == FIGURE_NONE);
    ck_assert(figures_auc(bad, 2) == FIGURE_NONE);
    ck_assert(figures_auc(NULL, 0) == FIGURE_NONE);
}
END_TEST

START_TEST(test_texts)
{
    Figures f = figures_none(), g = f;
    ck_assert_str_eq(figures_text(&f).text, "-");
    f.accuracy = 0.7125;
    ck_assert_str_eq(figures_name(&f), "accuracy");
    ck_assert_str_eq(figures_text(&f).text, "71.25 %");
    ck_assert(figures_better(&f, &g) && !figures_better(&g, &f));
    Figures a = {.accuracy = -1, .mse = 0.012346, .auc = -1}, b = {-1, 0.02, 0.853};
    ck_assert_str_eq(figures_name(&a), "mean squared error");
    ck_assert_str_eq(figures_text(&a).text, "0.01235");
    ck_assert_str_eq(figures_text(&b).text, "0.02 (AUC 0.8530)");
    ck_assert(figures_better(&a, &b) && !figures_better(&b, &a) && figures_better(&a, &g));
}
END_TEST

/* ---- runs ----------------------------------------------------------------------------------- */

static const char autoencoder_yaml[] =
    "name: tiny_autoencoder\n"
    "dataset: {kind: random, shape: [4, 4, 2], classes: 2, train: 32, test: 45}\n"
    "model: {arch: autoencoder, input: [4, 4, 2]}\n"
    "train:\n"
    "  epochs: 60\n"
    "  batch: 16\n"
    "  loss: {kind: mse, target: input}\n"
    "  optimizer: {kind: sgd, lr: 0.5, momentum: 0.9, weight_decay: 0}\n"
    "qat: {begin_epoch: 40}\n"
    "eval: {batch: 20, every_epochs: 20}\n";

/* It learns 32 images by heart; trainer and artifact agree in all of their numbers. */
START_TEST(test_autoencoder)
{
    char folder[64];
    size_t count;
    Evaluation v;
    folder_make(folder);
    RunFixture r = {.yaml = autoencoder_yaml, .out = folder, .threads = 2};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    const Summary *s = &r.summary;
    ck_assert(!s->classifies && s->bit_exact);
    ck_assert_int_ge(s->compared, RUN_TEST_IMAGES * 32);
    ck_assert(s->float_figures.accuracy < 0 && s->int8_figures.accuracy < 0);
    ck_assert(s->qat_figures.mse == s->int8_figures.mse);
    ck_assert(s->qat_figures.auc == s->int8_figures.auc);
    ck_assert(s->int8_figures.auc >= 0 && s->int8_figures.auc <= 1);
    EvaluateOptions how = {.split = DATASET_TRAIN, .loss = &r.config.options->train.loss};
    ck_assert_int_eq(evaluate_integer(&v, &r.session, &how, &r.error), HONE_OK);
    ck_assert_double_lt(v.figures.mse, 0.25); /* the variance of the images is 1/3 */
    ck_assert(v.loss == v.figures.mse && v.n == 32 && v.correct == 0);
    unsigned char *bytes = file_bytes(folder, "model.hone", &count);
    Evaluation artifact;
    ck_assert_int_eq(evaluate_artifact(&artifact, &r.session.compute, r.session.dataset, bytes,
                                       count, &how, &r.error),
                     HONE_OK);
    ck_assert(artifact.figures.mse == v.figures.mse && artifact.figures.auc == v.figures.auc);
    how.loss = NULL; /* as a classifier of 32 classes */
    ck_assert_int_eq(evaluate_artifact(&artifact, &r.session.compute, r.session.dataset, bytes,
                                       count, &how, &r.error),
                     HONE_ERR_CONFIG);
    ck_assert_str_eq(r.error.text, "the artifact tells 32 classes apart, 'random' has 2");
    free(bytes);
    Text json = {0};
    summary_print(s, &json);
    ck_assert_ptr_nonnull(strstr(text_string(&json), "\"int8_mse\": "));
    ck_assert_ptr_nonnull(strstr(text_string(&json), "\"float_auc\": "));
    ck_assert_ptr_null(strstr(text_string(&json), "accuracy"));
    text_release(&json);
    run_end(&r);
    folder_remove(folder);
}
END_TEST

/* Classes can be learned with any loss. */
START_TEST(test_classes)
{
    const char *const losses[] = {"train.loss={kind: mse}", "train.loss={kind: bce}"};
    char folder[64];
    folder_make(folder);
    const char *sets[] = {losses[_i],
                          "dataset.train=16",
                          "train.epochs=120",
                          "train.optimizer.lr=0.2",
                          "augment={flip: false, crop: 0}",
                          "prune=null",
                          "qat.begin_epoch=60",
                          "qat.freeze_observers_epoch=100",
                          "qat.freeze_batchnorm_epoch=100",
                          "eval.every_epochs=1000",
                          NULL};
    RunFixture r = {.out = folder, .threads = 1, .sets = sets};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    ck_assert_double_ge(r.train_accuracy, 0.99);
    ck_assert(r.summary.classifies && r.summary.bit_exact);
    run_end(&r);
    folder_remove(folder);
}
END_TEST

START_TEST(test_refusals)
{
    static const struct {
        const char *sets[2], *sentence; /* the second set may be missing */
    } bad[] = {
        {{"train.loss={kind: mse, target: labels}"},
         "train.loss: autoencoder has 32 outputs and no classes; it learns with loss: {kind: mse, "
         "target: input}"},
        {{"model.arch=lenet_300_100"},
         "mse 'loss': outputs [1, 10] are not as many numbers as the target [1, 4, 4, 2]"},
        {{"model.input=[4096, 4096, 3]"}, "input has 50331648 numbers, autoencoder takes at most "},
        {{"export.softmax=true"},
         "export.softmax: true, but with train.loss.kind: mse outputs are not logits of a softmax"},
        {{"export.softmax=true", "train.loss={kind: bce}"},
         "export.softmax: true, but with train.loss.kind: bce outputs are not logits of a softmax"},
    };
    Config c;
    Session s;
    Error e = {0};
    int status =
        config_parse(&c, autoencoder_yaml, "ad.yaml", bad[_i].sets, bad[_i].sets[1] ? 2 : 1, &e);
    if (status == HONE_OK) {
        SessionOptions how = {.threads = 1, .without_data = true};
        status = session_open(&s, &c, &how, &e);
        config_release(&c);
    }
    ck_assert_int_ne(status, HONE_OK);
    ck_assert_msg(strstr(e.text, bad[_i].sentence) != NULL, "%s", e.text);
}
END_TEST

Suite *suite_loss(void)
{
    Suite *s = suite_create("loss");
    TCase *t = tcase_create("loss");
    tcase_add_loop_test(t, test_as_pytorch, 0, sizeof by_pytorch / sizeof by_pytorch[0]);
    tcase_add_loop_test(t, test_of_samples, 0, sizeof by_pytorch / sizeof by_pytorch[0]);
    tcase_add_test(t, test_without_rows);
    tcase_add_test(t, test_messages);
    tcase_add_test(t, test_auc_as_sklearn);
    tcase_add_test(t, test_auc_of_pairs);
    tcase_add_test(t, test_no_auc);
    tcase_add_test(t, test_texts);
    tcase_add_test(t, test_autoencoder);
    tcase_add_loop_test(t, test_classes, 0, 2);
    tcase_add_loop_test(t, test_refusals, 0, 5);
    suite_add_tcase(s, t);
    return s;
}
