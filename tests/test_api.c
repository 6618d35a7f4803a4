/* Tests of the library's public header: what works is shown by examples/train.c; here is what is
 * refused, and that a refusal changes nothing. SPDX-License-Identifier: Apache-2.0 */
#include "api/hone.h"
#include "core/error.h"
#include "runtime/runtime.h"
#include "tests/run_fixture.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 6, PIXELS = SIDE * SIDE * 2, CLASSES = 3, BATCH = 8 };

static uint8_t pixels[BATCH * PIXELS];
static int32_t labels[BATCH];

/* Each class has a brightness, under noise. */
static void draw(void)
{
    for (int i = 0; i < BATCH; i++)
        labels[i] = i % CLASSES;
    for (int i = 0; i < BATCH * PIXELS; i++)
        pixels[i] = (uint8_t)(60 * labels[i / PIXELS] + (int)((uint32_t)i * 2654435761u >> 26));
}

static const HoneNetOptions options = {
    .height = SIDE, .width = SIDE, .channels = 2, .classes = CLASSES, .batch = BATCH, .seed = 5};

static HoneTensor plain(HoneNet *net)
{
    HoneTensor x = hone_conv2d(net, "a", hone_image(net), &(HoneConv){.filters = 4, .kernel = 3});
    return hone_relu6(net, "r", hone_batchnorm(net, "n", x));
}

/* Squeeze and excitation, two poolings side by side, dropout. */
static HoneTensor fancy(HoneNet *net)
{
    HoneTensor x = hone_conv2d(net, "a", hone_image(net), &(HoneConv){.filters = 4, .kernel = 3});
    x = hone_hard_swish(net, "h", hone_batchnorm(net, "n", x));
    HoneTensor gate = hone_sigmoid(net, "s", hone_dense(net, "g", hone_mean(net, "m", x), 4));
    x = hone_mul(net, "mul", x, gate);
    HoneTensor most = hone_max_pool(net, "most", x, &(HonePool){.kernel = 3, .stride = 2});
    HoneTensor average = hone_average_pool(net, "average", x, &(HonePool){.kernel = 2});
    return hone_dropout(net, "d", hone_concat(net, "both", most, average), 0.05);
}

typedef HoneTensor Body(HoneNet *net);

static HoneNet *build(Body *body, int threads)
{
    HoneError e = {0};
    HoneNetOptions o = options;
    o.threads = threads;
    HoneNet *net = hone_net_new(&o, &e);
    ck_assert_msg(net != NULL, "%s", e.text);
    HoneTensor x = hone_dense(net, "logits", body(net), CLASSES);
    ck_assert_msg(hone_net_finish(net, x, &e) == 0, "%s", e.text);
    draw();
    return net;
}

static void says(const HoneError *e, int code, const char *sentence)
{
    ck_assert_int_eq(e->code, code);
    ck_assert_str_eq(e->text, sentence);
}

START_TEST(test_refused_options)
{
    static const struct {
        HoneNetOptions options;
        const char *sentence;
    } cases[] = {
        {{0}, "hone_net_new: height 0 is not within 1..4096"},
        {{8, 8, 3, 1, 1, 0, 0}, "hone_net_new: classes 1 is not within 2..32767"},
        {{8, 8, 3, 2, 0, 0, 0}, "hone_net_new: batch 0 is not within 1..65535"},
        {{8, 8, 3, 2, 1, -1, 0}, "hone_net_new: threads -1 is not within 0..256"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        HoneError e = {0};
        ck_assert_ptr_null(hone_net_new(&cases[i].options, &e));
        says(&e, HONE_ERR_CONFIG, cases[i].sentence);
    }
    hone_net_free(NULL);
}
END_TEST

START_TEST(test_refused_networks)
{
    HoneError e = {0};
    HoneNet *net = hone_net_new(&options, &e);
    HoneTensor wide = hone_conv2d(net, "a", hone_image(net), &(HoneConv){.filters = -1});
    ck_assert_ptr_null(wide);
    ck_assert_ptr_null(hone_relu(net, "r", wide));
    ck_assert_int_ne(hone_net_finish(net, wide, &e), 0);
    ck_assert_msg(strstr(e.text, "'a'") != NULL, "%s", e.text);
    hone_net_free(net);

    net = hone_net_new(&options, &e);
    e = (HoneError){0};
    HoneTensor small = hone_max_pool(net, "p", hone_image(net), &(HonePool){.kernel = 2});
    ck_assert_ptr_null(hone_concat(net, "c", small, hone_image(net)));
    ck_assert_ptr_null(hone_mul(net, "mul", NULL, small));
    ck_assert_int_ne(hone_net_finish(net, small, &e), 0);
    ck_assert_msg(strstr(e.text, "'c'") != NULL, "%s", e.text);
    hone_net_free(net);

    net = hone_net_new(&options, &e);
    e = (HoneError){0};
    ck_assert_ptr_null(hone_dropout(net, "d", hone_image(net), 1));
    ck_assert_int_ne(hone_net_finish(net, hone_image(net), &e), 0);
    ck_assert_msg(strstr(e.text, "'d'") != NULL, "%s", e.text);
    hone_net_free(net);

    net = hone_net_new(&options, &e);
    HoneNet *other = hone_net_new(&options, &e);
    for (int i = 0; i < 2; i++) {
        e = (HoneError){0};
        HoneTensor theirs = i ? hone_relu(other, "act", hone_image(other)) : hone_image(other);
        ck_assert_ptr_null(hone_dense(net, "d", theirs, 3));
        ck_assert_int_ne(hone_net_finish(net, hone_image(net), &e), 0);
        says(&e, HONE_ERR_CONFIG,
             i ? "layer 'd' reads 'act' of another network"
               : "layer 'd' reads 'image' of another network");
        hone_net_free(net);
        net = hone_net_new(&options, &e);
    }
    hone_net_free(other);
    e = (HoneError){0};
    ck_assert_int_ne(hone_net_finish(net, hone_dense(net, "d", hone_image(net), 4), &e), 0);
    says(&e, HONE_ERR_SHAPE,
         "hone_net_finish: the logits 'd' are not [3], a number for each class");
    e = (HoneError){0};
    ck_assert_int_ne(hone_train_step(net, pixels, labels, 0.1, NULL, &e), 0);
    says(&e, HONE_ERR_CONFIG, "the network is not finished: call hone_net_finish first");
    hone_net_free(net);
}
END_TEST

/* The step that went wrong changes nothing: the next goes wrong alike. */
START_TEST(test_not_finite)
{
    HoneError e = {0};
    HoneNet *net = build(plain, 1);
    double loss;
    for (int step = 0; step < 5 && !e.code; step++)
        (void)hone_train_step(net, pixels, labels, 1e38, &loss, &e);
    ck_assert_int_eq(e.code, HONE_ERR_NUMERIC);
    ck_assert_ptr_nonnull(strstr(e.text, " not finite; a lower lr may help"));
    ck_assert_int_eq(hone_train_step(net, pixels, labels, 0, &loss, NULL), HONE_ERR_NUMERIC);
    hone_net_free(net);
    static const double rates[] = {-0.1, 1.1e38, INFINITY, NAN};
    static const char *const sentences[] = {"-0.1", "1.1e+38", "inf", "nan"};
    net = build(plain, 1);
    for (int i = 0; i < 4; i++) {
        char sentence[100];
        e = (HoneError){0};
        ck_assert_int_ne(hone_train_step(net, pixels, labels, rates[i], &loss, &e), 0);
        snprintf(sentence, sizeof sentence, "hone_train_step: lr %s is not within 0..1e+38",
                 sentences[i]);
        says(&e, HONE_ERR_CONFIG, sentence);
    }
    hone_net_free(net);
}
END_TEST

START_TEST(test_refused_steps)
{
    HoneError e = {0};
    HoneNet *net = build(plain, 1);
    double loss;
    labels[5] = CLASSES;
    ck_assert_int_ne(hone_train_step(net, pixels, labels, 0.1, &loss, &e), 0);
    says(&e, HONE_ERR_DATA, "label 3 of image 5 is not within 0..2");
    labels[5] = 0;
    e = (HoneError){0};
    ck_assert_int_ne(hone_export(net, "/dev/null/a.hone", pixels, BATCH, &e), 0);
    says(&e, HONE_ERR_CONFIG, "hone_export: call hone_quantize first");
    ck_assert_int_ne(hone_quantize(net, pixels, 0, NULL), 0);
    ck_assert_int_eq(hone_quantize(net, pixels, 3, NULL), 0); /* fewer than a batch will do */
    e = (HoneError){0};
    ck_assert_int_ne(hone_export(net, "/dev/null/a.hone", pixels, BATCH, &e), 0);
    ck_assert_int_eq(e.code, HONE_ERR_IO);
    e = (HoneError){0};
    ck_assert_int_ne(hone_net_finish(net, hone_image(net), &e), 0);
    hone_net_free(net);
}
END_TEST

/* Everything in turn; the artifact's bytes. */
static unsigned char *artifact(Body *body, int threads, const char *folder, size_t *size)
{
    HoneError e = {0};
    HoneNet *net = build(body, threads);
    char path[96];
    double loss = 0, accuracy;
    snprintf(path, sizeof path, "%s/a.hone", folder);
    for (int i = 0; i < 30; i++)
        ck_assert_msg(hone_train_step(net, pixels, labels, 0.05, &loss, &e) == 0, "%s", e.text);
    ck_assert_msg(hone_quantize(net, pixels, BATCH, &e) == 0, "%s", e.text);
    for (int i = 0; i < 30; i++) {
        if (i == 20)
            hone_freeze(net);
        ck_assert_msg(hone_train_step(net, pixels, labels, 0.05, &loss, &e) == 0, "%s", e.text);
    }
    ck_assert_double_lt(loss, 0.1);
    ck_assert_msg(hone_evaluate(net, pixels, labels, BATCH, &accuracy, &e) == 0, "%s", e.text);
    ck_assert_double_eq(accuracy, 1);
    ck_assert_msg(hone_export(net, path, pixels, BATCH, &e) == 0, "%s", e.text);
    hone_net_free(net);
    return file_bytes(folder, "a.hone", size);
}

START_TEST(test_threads)
{
    Body *const bodies[] = {plain, fancy};
    Body *body = bodies[_i];
    char folder[64];
    size_t one, three;
    HoneRtModel model;
    folder_make(folder);
    unsigned char *a = artifact(body, 1, folder, &one), *b = artifact(body, 3, folder, &three);
    ck_assert_uint_eq(one, three);
    ck_assert_mem_eq(a, b, one);
    ck_assert_int_eq(hone_rt_open(&model, a, one, &hone_rt_kernels_ref), HONE_RT_OK);
    free(a);
    free(b);
    folder_remove(folder);
}
END_TEST

Suite *suite_api(void)
{
    Suite *s = suite_create("api");
    TCase *t = tcase_create("api");
    tcase_add_test(t, test_refused_options);
    tcase_add_test(t, test_refused_networks);
    tcase_add_test(t, test_not_finite);
    tcase_add_test(t, test_refused_steps);
    tcase_add_loop_test(t, test_threads, 0, 2);
    suite_add_tcase(s, t);
    return s;
}
