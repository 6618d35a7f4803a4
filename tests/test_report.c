/* Tests of what a run leaves to read: histograms, event files, charts, the page and what fills it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/event_file.h"
#include "report/page.h"
#include "tests/run_fixture.h"
#include "tests/suites.h"
#include "trainer/history.h"
#include "trainer/predictions.h"
#include "trainer/survey.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- histograms ----------------------------------------------------------------------------- */

START_TEST(test_histogram)
{
    const Real x[] = {-1, -1, 0, (Real)0.999, 1, 5, (Real)NAN};
    Histogram h;
    histogram_begin(&h, -1, 1);
    histogram_add(&h, x, 7);
    ck_assert_int_eq(h.count, 6);
    ck_assert_int_eq(h.bins[0], 2);
    ck_assert_int_eq(h.bins[HISTOGRAM_BINS / 2], 1);
    ck_assert_int_eq(h.bins[HISTOGRAM_BINS - 1], 3); /* the end, and what lies beyond */
    ck_assert_double_eq_tol(h.sum, -2 + 0.999 + 1 + 5, 1e-6);
    ck_assert_double_eq_tol(h.squares, 2 + 0.999 * 0.999 + 1 + 25, 1e-5);
    ck_assert_double_eq(histogram_edge(&h, HISTOGRAM_BINS), 1);
    histogram_begin(&h, 3, 3);
    histogram_add_many(&h, 3, 9);
    ck_assert_int_eq(h.bins[0], 9);
}
END_TEST

/* ---- event files ---------------------------------------------------------------------------- */

/* The one event file of a folder. */
static void event_name(const char *folder, char name[256])
{
    DIR *d = opendir(folder);
    int found = 0;
    ck_assert_ptr_nonnull(d);
    for (struct dirent *entry = readdir(d); entry; entry = readdir(d))
        if (strstr(entry->d_name, "tfevents")) {
            snprintf(name, 256, "%s", entry->d_name);
            found++;
        }
    closedir(d);
    ck_assert_int_eq(found, 1);
}

/* Records follow each other to the last byte. */
START_TEST(test_event_chain)
{
    char folder[64], name[256];
    EventFile f;
    Error e = {0};
    Histogram h;
    size_t count, at = 0;
    int records = 0;
    folder_make(folder);
    ck_assert_msg(event_file_open(&f, folder, 7, &e) == HONE_OK, "%s", e.text);
    histogram_begin(&h, 0, 1);
    histogram_add_many(&h, 0.5, 3);
    event_scalar(&f, 300, "loss", 0.25);
    event_histogram(&f, 300, "weights", &h);
    ck_assert_msg(event_file_flush(&f, &e) == HONE_OK, "%s", e.text);
    event_scalar(&f, 301, "lost", 1); /* never flushed */
    event_file_close(&f);
    event_file_close(&f);
    event_name(folder, name);
    unsigned char *bytes = file_bytes(folder, name, &count);
    for (; at + 16 <= count; records++) {
        uint64_t length = 0;
        memcpy(&length, bytes + at, sizeof length);
        ck_assert_uint_le(length, count - at - 16);
        at += length + 16;
    }
    ck_assert_uint_eq(at, count);
    ck_assert_int_eq(records, 4);
    free(bytes);
    folder_remove(folder);
}
END_TEST

START_TEST(test_event_errors)
{
    EventFile f;
    Error e = {0};
    ck_assert_int_eq(event_file_open(&f, "/dev/null", 0, &e), HONE_ERR_IO);
    ck_assert_msg(strstr(e.text, "cannot create /dev/null/events.out.tfevents."), "%s", e.text);
}
END_TEST

/* TensorBoard's own reader, of a file that a second session continues: what the first said from
 * step 20 on is gone. Checksums are checked by the reader. */
START_TEST(test_event_oracle)
{
    char folder[64], command[256];
    const char *given = getenv("HONE_ORACLE_PYTHON"), *python = given && *given ? given : "python3";
    snprintf(command, sizeof command, "%s -c 'import tensorboard' 2>/dev/null", python);
    if (system(command) != 0) {
        puts("test_event_oracle: skipped, no tensorboard (tools/deps oracle)");
        return;
    }
    EventFile f;
    Error e = {0};
    Histogram h;
    folder_make(folder);
    histogram_begin(&h, -2, 2);
    for (int i = 0; i < 100; i++)
        histogram_add_many(&h, i * 0.04 - 2, 1);
    for (int session = 0; session < 2; session++) {
        ck_assert_msg(event_file_open(&f, folder, session * 20, &e) == HONE_OK, "%s", e.text);
        for (int step = session * 20; step < 30; step += 10)
            event_scalar(&f, step, "loss/train", step + session);
        event_histogram(&f, 25 + session, "weights/a", &h);
        ck_assert_msg(event_file_flush(&f, &e) == HONE_OK, "%s", e.text);
        event_file_close(&f);
    }
    snprintf(command, sizeof command, "%s tests/oracle/read_events.py %s", python, folder);
    ck_assert_int_eq(system(command), 0);
    folder_remove(folder);
}
END_TEST

/* ---- HTML ----------------------------------------------------------------------------------- */

START_TEST(test_escape)
{
    Text t = {0};
    html_add(&t, "<a href=\"x\">&</a>");
    html_add(&t, NULL);
    ck_assert_str_eq(text_string(&t), "&lt;a href=&quot;x&quot;&gt;&amp;&lt;/a&gt;");
    text_release(&t);
}
END_TEST

/* 2 x 1 pixels, red and gray: 54 bytes of header, one row of 6 bytes and 2 of padding. */
START_TEST(test_picture)
{
    const uint8_t pixels[] = {255, 0, 0, 128, 128, 128};
    Text t = {0};
    html_add_picture(&t, &(HtmlPicture){pixels, 1, 2, 3}, "a<b");
    ck_assert_str_eq(text_string(&t),
                     "<img alt=\"\" title=\"a&lt;b\" src=\"data:image/bmp;base64,"
                     "Qk0+AAAAAAAAADYAAAAoAAAAAgAAAP////8BABgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                     "AAD/gICAAAA=\">");
    text_release(&t);
}
END_TEST

START_TEST(test_chart)
{
    const double x[] = {0, 1, 2}, y[] = {0.5, NAN, 0.75}, none[] = {NAN, NAN, NAN};
    const ChartMark marks[] = {{1, "qat"}, {9, "never"}};
    Text t = {0};
    chart_add(&t, &(Chart){.title = "empty", .series = {{"a", x, none, 3}}, .series_count = 1});
    ck_assert_str_eq(text_string(&t), "");
    chart_add(&t, &(Chart){.title = "T&T",
                           .x_title = "step",
                           .series = {{"a", x, y, 3}},
                           .series_count = 1,
                           .marks = marks,
                           .mark_count = 2,
                           .percent = true});
    ck_assert_ptr_nonnull(strstr(text_string(&t), "T&amp;T"));
    ck_assert_ptr_nonnull(strstr(text_string(&t), "qat"));
    ck_assert_ptr_null(strstr(text_string(&t), "never"));
    ck_assert_ptr_nonnull(strstr(text_string(&t), "75 %"));
    ck_assert_ptr_null(strstr(text_string(&t), "nan"));
    text_release(&t);
}
END_TEST

/* Ticks that differ in the fifth digit, a name in the way of another, a point alone. */
START_TEST(test_chart_details)
{
    const double x[] = {0, 100}, y[] = {2.3020, 2.3030}, small[] = {1e-7, 2e-7};
    const ChartMark marks[] = {{0, "float"}, {1, "prune"}, {90, "qat"}};
    Text t = {0};
    chart_add(&t, &(Chart){.title = "T",
                           .x_title = "step",
                           .series = {{"a", x, y, 2}, {"b", x + 1, y, 1}},
                           .series_count = 2,
                           .marks = marks,
                           .mark_count = 3});
    ck_assert_ptr_nonnull(strstr(text_string(&t), ">2.3020<"));
    ck_assert_ptr_nonnull(strstr(text_string(&t), ">2.3022<"));
    ck_assert_ptr_nonnull(strstr(text_string(&t), ">float<"));
    ck_assert_ptr_null(strstr(text_string(&t), ">prune<"));
    ck_assert_ptr_nonnull(strstr(text_string(&t), ">qat<"));
    ck_assert_ptr_null(strstr(text_string(&t), "<circle class=s0"));
    ck_assert_ptr_nonnull(strstr(text_string(&t), "<circle class=s1"));
    text_release(&t);
    chart_add(&t, &(Chart){.title = "T", .series = {{"a", x, small, 2}}, .series_count = 1});
    ck_assert_ptr_nonnull(strstr(text_string(&t), ">1.2e-07<"));
    text_release(&t);
}
END_TEST

/* ---- history -------------------------------------------------------------------------------- */

START_TEST(test_history)
{
    char folder[64], path[96];
    History h;
    Error e = {0};
    folder_make(folder);
    snprintf(path, sizeof path, "%s/metrics.jsonl", folder);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs("{\"kind\": \"phase\", \"step\": 0, \"phase\": \"float\"}\n"
          "{\"kind\": \"step\", \"step\": 10, \"loss\": 2.5, \"lr\": 1e-1}\n"
          "\n"
          "some user's note\n"
          "{\"kind\": \"step\", \"loss\": 1}\n"
          "{\"kind\": \"step\", \"step\": 20, \"loss\": null}\n"
          "{\"kind\": \"epoch\", \"step\": 20, \"test_accuracy\": 0.5}\n"
          "{\"kind\": \"step\", \"step\": 30, \"lo",
          f);
    fclose(f);
    ck_assert_msg(history_read(&h, path, &e) == HONE_OK, "%s", e.text);
    ck_assert_uint_eq(h.phase_count, 1);
    ck_assert_str_eq(h.phases[0].name, "float");
    ck_assert_uint_eq(h.steps.count, 2);
    ck_assert_double_eq(h.steps.column[STEP_LOSS][0], 2.5);
    ck_assert_double_eq(h.steps.column[STEP_LR][0], 0.1);
    ck_assert(isnan(h.steps.column[STEP_LOSS][1]));
    ck_assert_uint_eq(h.epochs.count, 1);
    ck_assert_double_eq(h.epochs.column[EPOCH_TEST_ACCURACY][0], 0.5);
    ck_assert(isnan(h.epochs.column[EPOCH_TEST_LOSS][0]));
    history_free(&h);
    ck_assert_int_eq(history_read(&h, "/dev/null/metrics.jsonl", &e), HONE_ERR_IO);
    folder_remove(folder);
}
END_TEST

/* ---- of a run ------------------------------------------------------------------------------- */

static double mean_weight_noise(const char *bits)
{
    RunFixture r = {.sets = (const char *const[]){bits, NULL}};
    Survey v;
    double sum = 0;
    int layers = 0;
    run_open(&r);
    ck_assert_msg(survey_new(&v, &r.session, true, &r.error) == HONE_OK, "%s", r.error.text);
    for (int i = 0; i < v.count; i++)
        if (v.layers[i].weights.histogram.count > 0) {
            sum += v.layers[i].weights.sqnr;
            layers++;
        }
    survey_free(&v);
    run_end(&r);
    return sum / layers;
}

/* A bit less doubles the step: 20 log10 2 = 6.02 dB. */
START_TEST(test_survey_noise)
{
    const double fine = mean_weight_noise("qat.weights.bits=8");
    const double coarse = mean_weight_noise("qat.weights.bits=6");
    ck_assert_double_gt(fine, 35);
    ck_assert_double_eq_tol(fine - coarse, 2 * 6.02, 1.5);
}
END_TEST

START_TEST(test_predictions)
{
    RunFixture r = {0};
    Predictions p;
    Evaluation v;
    EvaluateOptions how = {.split = DATASET_TEST};
    int64_t all = 0, right = 0;
    run_open(&r);
    ck_assert_int_eq(evaluate_model(&v, &r.session, &how, &r.error), HONE_OK);
    ck_assert_int_eq(predictions_new(&p, &r.session, false, 5, NULL, &r.error), HONE_OK);
    for (int i = 0; i < p.classes; i++)
        for (int k = 0; k < p.classes; k++) {
            all += p.confusion[i * p.classes + k];
            right += i == k ? p.confusion[i * p.classes + k] : 0;
        }
    ck_assert_int_eq(all, v.n);
    ck_assert_int_eq(right, v.correct);
    ck_assert_int_eq(p.first_count, 5);
    ck_assert_int_eq(p.wrong_count, 5);
    for (int i = 1; i < 5; i++)
        ck_assert_double_ge(p.wrong[i - 1].confidence, p.wrong[i].confidence);
    predictions_free(&p);
    run_end(&r);
}
END_TEST

START_TEST(test_run_leaves_a_page)
{
    char folder[64], name[256];
    size_t count;
    folder_make(folder);
    RunFixture r = {.out = folder};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    run_end(&r);
    unsigned char *page = file_bytes(folder, "report.html", &count);
    static const char *const parts[] = {
        "<h1>",   "Course of the training", "Confusion", "Samples",
        "Layers", "Configuration",          "polyline",  "data:image/bmp"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        ck_assert_msg(strstr((const char *)page, parts[i]) != NULL, "%s", parts[i]);
    ck_assert_ptr_null(strstr((const char *)page, "http"));
    free(page);
    event_name(folder, name);
    folder_remove(folder);
}
END_TEST

START_TEST(test_run_without)
{
    char folder[64];
    size_t count;
    folder_make(folder);
    RunFixture r = {.out = folder,
                    .sets =
                        (const char *const[]){"report={tensorboard: false, page: false}", NULL}};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    run_end(&r);
    DIR *d = opendir(folder);
    for (struct dirent *entry = readdir(d); entry; entry = readdir(d))
        ck_assert(!strstr(entry->d_name, "tfevents") && !strstr(entry->d_name, ".html"));
    closedir(d);
    free(file_bytes(folder, "summary.json", &count));
    folder_remove(folder);
}
END_TEST

Suite *suite_report(void)
{
    Suite *s = suite_create("report");
    TCase *t = tcase_create("report");
    tcase_add_test(t, test_histogram);
    tcase_add_test(t, test_event_chain);
    tcase_add_test(t, test_event_errors);
    tcase_add_test(t, test_event_oracle);
    tcase_add_test(t, test_escape);
    tcase_add_test(t, test_picture);
    tcase_add_test(t, test_chart);
    tcase_add_test(t, test_chart_details);
    tcase_add_test(t, test_history);
    tcase_add_test(t, test_survey_noise);
    tcase_add_test(t, test_predictions);
    tcase_add_test(t, test_run_leaves_a_page);
    tcase_add_test(t, test_run_without);
    suite_add_tcase(s, t);
    return s;
}
