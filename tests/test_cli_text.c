/* Tests of what the command line prints with: numbers, tables, JSON, the line in place, and the
 * tables of the verbs. SPDX-License-Identifier: Apache-2.0 */
#include "cli/bar.h"
#include "cli/help.h"
#include "cli/table.h"
#include "report/json.h"
#include "report/show.h"
#include "tests/suites.h"

#include <check.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

START_TEST(show_numbers)
{
    ck_assert_str_eq(show_whole(0).text, "0");
    ck_assert_str_eq(show_whole(999).text, "999");
    ck_assert_str_eq(show_whole(1000).text, "1,000");
    ck_assert_str_eq(show_whole(-1234567).text, "-1,234,567");
    ck_assert_str_eq(show_whole(-123).text, "-123");
    ck_assert_str_eq(show_whole(INT64_MIN).text, "-9,223,372,036,854,775,808");
    ck_assert_str_eq(show_count(999).text, "999");
    ck_assert_str_eq(show_count(1000).text, "1.00 k");
    ck_assert_str_eq(show_count(9999).text, "10.0 k");
    ck_assert_str_eq(show_count(99999).text, "100 k");
    ck_assert_str_eq(show_count(999999).text, "1.00 M");
    ck_assert_str_eq(show_count(3912384).text, "3.91 M");
    ck_assert_str_eq(show_bytes(832).text, "832 B");
    ck_assert_str_eq(show_bytes(91234).text, "91.2 kB");
    ck_assert_str_eq(show_bytes(2500000000000).text, "2500 GB");
    ck_assert_str_eq(show_percent(0.71254).text, "71.25 %");
    ck_assert_str_eq(show_percent(-1).text, "-");
    ck_assert_str_eq(show_shape(SHAPE4(1, 16, 8, 3)).text, "16x8x3");
    ck_assert_str_eq(show_shape(SHAPE2(1, 10)).text, "10");
}
END_TEST

START_TEST(show_times)
{
    ck_assert_str_eq(show_seconds(0.04).text, "0.0 s");
    ck_assert_str_eq(show_seconds(9.94).text, "9.9 s");
    ck_assert_str_eq(show_seconds(9.96).text, "10 s");
    ck_assert_str_eq(show_seconds(59.4).text, "59 s");
    ck_assert_str_eq(show_seconds(59.6).text, "1 min 00 s");
    ck_assert_str_eq(show_seconds(3599.7).text, "1 h 00 min");
    ck_assert_str_eq(show_seconds(7500).text, "2 h 05 min");
    ck_assert_str_eq(show_clock(42).text, "0:42");
    ck_assert_str_eq(show_clock(727).text, "12:07");
    ck_assert_str_eq(show_clock(7511).text, "2:05:11");
}
END_TEST

START_TEST(tables)
{
    Text out = {0};
    Table t;
    table_init(&t, "lrl", (const char *const[]){"name", "n", "empty"});
    table_cell(&t, "caf\u00e9");
    table_cell(&t, "%d", 12345);
    table_cell(&t, "%s", "");
    table_rule(&t);
    table_cell(&t, "all");
    table_cell(&t, "%d", 7);
    table_cell(&t, "%s", "");
    table_print(&t, &out);
    ck_assert_str_eq(text_string(&out), "  name      n\n"
                                        "  caf\u00e9  12345\n"
                                        "  ----  -----\n"
                                        "  all       7\n");
    table_release(&t);
    text_release(&out);
}
END_TEST

START_TEST(json_layout)
{
    Text out = {0};
    Json j = {.out = &out};
    json_open(&j, NULL, '{');
    json_text(&j, "a\n", "\"b\"");
    json_text(&j, "none", NULL);
    json_real(&j, "nan", NAN);
    json_real(&j, "r", 0.1);
    json_open(&j, "list", '[');
    json_open(&j, NULL, '{');
    json_whole(&j, "x", -1);
    json_bool(&j, "y", true);
    json_close(&j);
    json_whole(&j, NULL, 2);
    json_close(&j);
    json_open(&j, "nothing", '[');
    json_close(&j);
    json_close(&j);
    ck_assert_str_eq(text_string(&out), "{\n"
                                        "  \"a\\n\": \"\\\"b\\\"\",\n"
                                        "  \"none\": null,\n"
                                        "  \"nan\": null,\n"
                                        "  \"r\": 0.1,\n"
                                        "  \"list\": [\n"
                                        "    {\"x\": -1, \"y\": true},\n"
                                        "    2\n"
                                        "  ],\n"
                                        "  \"nothing\": []\n"
                                        "}\n");
    text_release(&out);
}
END_TEST

/* Objects and lists in two layouts: what is opened on one line stays on it. */
START_TEST(json_layouts)
{
    Text out = {0};
    Json line = {.out = &out, .layout = JSON_LINE}, tree = {.out = &out, .layout = JSON_TREE};
    json_open(&line, NULL, '{');
    json_whole(&line, "a", 1);
    json_open(&line, "b", '[');
    json_source(&line, NULL, "[1, 2]");
    json_close(&line);
    json_close(&line);
    json_open(&tree, NULL, '{');
    json_open(&tree, "o", '{');
    json_open(&tree, "list", '[');
    json_open(&tree, NULL, '{');
    json_whole(&tree, "x", 1);
    json_close(&tree);
    json_whole(&tree, NULL, 2);
    json_close(&tree);
    json_close(&tree);
    json_open(&tree, "p", '{');
    tree.layout = JSON_LINE;
    json_whole(&tree, "y", 3);
    json_whole(&tree, "z", 4);
    json_close(&tree);
    tree.layout = JSON_TREE;
    json_close(&tree);
    ck_assert_str_eq(text_string(&out), "{\"a\": 1, \"b\": [[1, 2]]}\n"
                                        "{\n"
                                        "  \"o\": {\n"
                                        "    \"list\": [{\n"
                                        "        \"x\": 1\n"
                                        "      }, 2]\n"
                                        "  },\n"
                                        "  \"p\": {\"y\": 3, \"z\": 4}\n"
                                        "}\n");
    text_release(&out);
}
END_TEST

static const Terminal terminals[] = {{true, false, false}, {true, true, true}};

/* Never wider than the terminal, and the same width throughout a run. */
START_TEST(bar_width)
{
    StepReport r = {.total = 1500,
                    .epochs = 12,
                    .epoch_steps = 125,
                    .phase = "qat",
                    .loss = 2,
                    .mean_loss = 1.5,
                    .accuracy = 0.1,
                    .lr = 0.1,
                    .images_per_s = 812,
                    .seconds_left = 99};
    for (int width = 20; width <= 160; width++) {
        int first = -1;
        for (r.step = 1; r.step <= r.total; r.step += 83) {
            Text out = {0};
            r.epoch = r.step / 125;
            r.accuracy = (double)r.step / 1500;
            r.images_per_s = 8.3 * (double)r.step;
            r.lr = 0.1 * cos((double)r.step / 1000);
            bar_step(&r, &terminals[_i], width, &out);
            int w = terminal_text_width(text_string(&out));
            ck_assert_int_le(w, width);
            ck_assert_msg(first < 0 || first == w, "%d then %d of %d columns", first, w, width);
            first = w;
            text_release(&out);
        }
    }
}
END_TEST

START_TEST(bar_text)
{
    StepReport r = {.step = 750,
                    .total = 1500,
                    .epoch = 5,
                    .epochs = 12,
                    .mean_loss = 1.23456,
                    .accuracy = 0.567,
                    .lr = 0.0983,
                    .images_per_s = 8140.4,
                    .seconds_left = 83};
    Text out = {0};
    bar_step(&r, &terminals[0], 110, &out);
    ck_assert_str_eq(text_string(&out),
                     "epoch  6/12  ======-------  step  750/1500  loss 1.2346  acc  56.7 %  "
                     "lr 0.098      8,140 images/s   1:23 left");
    out.length = 0;
    bar_step(&r, &terminals[0], 40, &out);
    ck_assert_str_eq(text_string(&out), "epoch  6/12  =======--------   1:23 left");
    out.length = 0;
    bar_progress("proof", 700, 2000, &terminals[0], 45, &out);
    ck_assert_str_eq(text_string(&out), "proof  ========----------------  700 of 2,000");
    text_release(&out);
}
END_TEST

/* Every verb's table: what help and messages rely on. */
START_TEST(verb_tables)
{
    const Verb *v;
    for (size_t i = 0; (v = verb_at(i)); i++) {
        bool maybe = false;
        ck_assert(islower((unsigned char)v->summary[0]));
        ck_assert_ptr_nonnull(strstr(v->example, v->name));
        for (const Flag *f = v->flags; f->type != FLAG_TYPE_END; f++) {
            bool operand = f->type == FLAG_TYPE_OPERAND || f->type == FLAG_TYPE_MAYBE ||
                           f->type == FLAG_TYPE_OPERANDS;
            ck_assert_msg(operand == (f->name[0] != '-'), "%s %s", v->name, f->name);
            ck_assert_int_eq(f->argument != NULL, !operand && f->type != FLAG_TYPE_SWITCH);
            ck_assert(!(maybe && f->type == FLAG_TYPE_OPERAND));
            ck_assert(f->type != FLAG_TYPE_COUNT || (f->min >= 0 && f->min <= f->max));
            ck_assert(f->offset < v->size);
            ck_assert_int_ne(f->help[strlen(f->help) - 1], '.');
            maybe |= f->type == FLAG_TYPE_MAYBE;
        }
    }
}
END_TEST

START_TEST(parse_values)
{
    char *words[] = {"a.h5",  "--split", "train",  "--limit=12",
                     "--set", "x=1",     "--json", "--set=y=2"};
    Arena arena = {0};
    Error e = {0};
    const void *arguments;
    ck_assert_int_eq(verb_parse(&verb_eval, 8, words, &arena, &arguments, &e), HONE_OK);
    for (const Flag *f = verb_eval.flags; f->type != FLAG_TYPE_END; f++) {
        const void *field = (const char *)arguments + f->offset;
        if (strcmp(f->name, "FILE") == 0)
            ck_assert_str_eq(*(const char *const *)field, "a.h5");
        if (strcmp(f->name, "--config") == 0)
            ck_assert_ptr_null(*(const char *const *)field);
        if (strcmp(f->name, "--split") == 0)
            ck_assert_int_eq(*(const int *)field, 0);
        if (strcmp(f->name, "--arithmetic") == 0)
            ck_assert_int_eq(*(const int *)field, FLAG_UNSET);
        if (strcmp(f->name, "--limit") == 0)
            ck_assert_int_eq(*(const int64_t *)field, 12);
        if (strcmp(f->name, "--threads") == 0)
            ck_assert_int_eq(*(const int64_t *)field, FLAG_UNSET);
        if (strcmp(f->name, "--json") == 0)
            ck_assert(*(const bool *)field);
        if (f->type == FLAG_TYPE_SETS) {
            const FlagTexts *sets = field;
            ck_assert_uint_eq(sets->count, 2);
            ck_assert_str_eq(sets->v[0], "x=1");
            ck_assert_str_eq(sets->v[1], "y=2");
        }
    }
    arena_release(&arena);
}
END_TEST

Suite *suite_cli_text(void)
{
    Suite *s = suite_create("cli_text");
    TCase *t = tcase_create("text");
    tcase_add_test(t, show_numbers);
    tcase_add_test(t, show_times);
    tcase_add_test(t, tables);
    tcase_add_test(t, json_layout);
    tcase_add_test(t, json_layouts);
    tcase_add_loop_test(t, bar_width, 0, 2);
    tcase_add_test(t, bar_text);
    tcase_add_test(t, verb_tables);
    tcase_add_test(t, parse_values);
    suite_add_tcase(s, t);
    return s;
}
