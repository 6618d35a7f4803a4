/* Tests of option tables, values, nearest words and what is generated from tables.
 * SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/option_value.h"
#include "core/text.h"
#include "tests/sample_options.h"
#include "tests/suites.h"
#include "trainer/schema.h"

typedef struct Pair {
    const char *a, *b;
    size_t distance;
} Pair;

START_TEST(test_distance)
{
    static const Pair pairs[] = {
        {"", "", 0},
        {"", "abc", 3},
        {"abc", "", 3},
        {"abc", "abc", 0},
        {"abc", "acb", 1},
        {"ABC", "abc", 0},
        {"kitten", "sitting", 3},
        {"ca", "abc", 3},
        {"epohcs", "epochs", 1},
        {"learing_rate", "learning_rate", 1},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        ck_assert_uint_eq(text_distance(pairs[i].a, pairs[i].b), pairs[i].distance);
        ck_assert_uint_eq(text_distance(pairs[i].b, pairs[i].a), pairs[i].distance);
    }
    char longer[80];
    memset(longer, 'a', 79);
    longer[79] = '\0';
    ck_assert(text_distance(longer, "a") == SIZE_MAX && text_distance(longer, longer) == 0);
}
END_TEST

START_TEST(test_nearest)
{
    TextNearest near = {.word = "momentun"}, far = {.word = "x"};
    static const char *const names[] = {"lr", "momentum", "moment"};
    for (int i = 0; i < 3; i++) {
        text_nearest(&near, names[i]);
        text_nearest(&far, names[i]);
    }
    ck_assert_str_eq(near.best, "momentum");
    ck_assert_ptr_null(far.best);
}
END_TEST

START_TEST(test_reals)
{
    static const double values[] = {0.1,    1.0 / 3, 4e-5, 1e300,         DBL_MIN, DBL_MAX,
                                    5e-324, -12,     1e22, 123456789.125, 0.3,     -0.0};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[32];
        double back = strtod(text_from_real(values[i], text), NULL);
        ck_assert_msg(back == values[i], "%s", text);
    }
    char text[32];
    ck_assert_str_eq(text_from_real(4e-5, text), "4.0e-05");
    ck_assert_str_eq(text_from_real(0.1, text), "0.1");
    ck_assert_str_eq(text_from_real(12, text), "12");
}
END_TEST

START_TEST(test_text)
{
    Text t = {0};
    ck_assert_str_eq(text_string(&t), "");
    text_add_json(&t, "a\"b\\c\n\t\x01\xc3\xa9");
    text_add_json(&t, NULL);
    ck_assert_str_eq(text_string(&t), "\"a\\\"b\\\\c\\n\\u0009\\u0001\xc3\xa9\"null");
    for (int i = 0; i < 1000; i++)
        text_printf(&t, "%d,", i);
    ck_assert(!text_failed(&t) && strlen(text_string(&t)) == t.length);
    text_release(&t);
}
END_TEST

START_TEST(test_sample_is_sound)
{
    Error e = {0};
    ck_assert_msg(option_table_check(&sample_options, &e) == HONE_OK, "%s", e.text);
}
END_TEST

/* One option of a broken table, and what the check says. */
typedef struct Broken {
    Option option;
    const char *sentence;
} Broken;

static const char *const words[] = {"a", "b", NULL};

static const Broken broken[] = {
    {OPTION_INT("Seed", Sample, seed, "", 0, 1, "0", "h"),
     "option table 'broken', key 'Seed': a name is lower case, digits and _"},
    {OPTION_INT("seed", Sample, seed, "", 0, 1, "0", ""),
     "option table 'broken', key 'seed': no help or no unit"},
    {OPTION_INT("seed", Sample, seed, "", 2, 1, "0", "h"),
     "option table 'broken', key 'seed': its smallest value is above its largest"},
    {OPTION_INT("seed", Sample, seed, "", 0, 1, "2", "h"),
     "option table 'broken', key 'seed', fallback: 2 is outside 0..1"},
    {OPTION_REAL("ratio", Sample, ratio, "", 0, 1, ".5", "h"),
     "option table 'broken', key 'ratio': the fallback is no number as JSON writes it"},
    {OPTION_INTS("input", Sample, input, "", 3, 3, 0, 1, "1, 1, 1", "h"),
     "option table 'broken', key 'input': the fallback of a list is not in brackets"},
    {OPTION_INTS("input", Sample, input, "", 3, 3, 0, 1, "[1, 1]", "h"),
     "option table 'broken', key 'input', fallback: 2 elements, 3 are needed"},
    {OPTION_INTS("input", Sample, input, "", 0, 17, 0, 1, "[]", "h"),
     "option table 'broken', key 'input': it allows more elements than OPTION_INTS_MAX"},
    {OPTION_CHOICE("mode", Sample, mode, words, "c", "h"),
     "option table 'broken', key 'mode', fallback: 'c' is not one of a | b"},
    {OPTION_CHOICE("mode", Sample, mode, NULL, "c", "h"),
     "option table 'broken', key 'mode': a choice without choices"},
    {OPTION_SECTION("train", Sample, train, &sample_options, "h"),
     "option table 'broken', key 'train': its struct is not the one that its table describes"},
    {OPTION_LIST("layers", Sample, layers, &sample_options, 1, 9, "[]", "h"),
     "option table 'broken', key 'layers': the fallback of a list of sections is [] or none"},
    {OPTION_LIST("layers", Sample, layers, NULL, 0, 9, "[]", "h"),
     "option table 'broken', key 'layers': a list without a table"},
    {OPTION_INTS("input", Sample, input, "", 3, 2, 0, 1, "[1, 1]", "h"),
     "option table 'broken', key 'input': its least count is above its most"},
    {OPTION_REAL("ratio", Sample, ratio, "", 1, 0, "0.5", "h"),
     "option table 'broken', key 'ratio': its smallest value is above its largest"},
    {{.name = "seed",
      .unit = "",
      .help = "h",
      .type = OPTION_TYPE_INT,
      .offset = sizeof(Sample) + 1},
     "option table 'broken', key 'seed': its field lies outside the table's struct"},
    {{.name = "seed", .unit = "", .help = "h", .type = OPTION_TYPE_INT, .size = sizeof(Sample) + 1},
     "option table 'broken', key 'seed': its field lies outside the table's struct"},
    {{.name = NULL, .unit = "", .help = "h", .type = OPTION_TYPE_INT},
     "option table 'broken', key '(none)': a name is lower case, digits and _"},
    {OPTION_SELECTOR("mode", Sample, mode, "a", "h"),
     "option table 'broken', key '(all)': a selector needs variants, variants need one selector"},
};

START_TEST(test_broken_tables)
{
    Option options[] = {broken[_i].option, OPTION_END};
    OptionTable table = {.name = "broken", .help = "h", .size = sizeof(Sample), .options = options};
    Error e = {0};
    ck_assert_int_ne(option_table_check(&table, &e), HONE_OK);
    ck_assert_str_eq(e.text, broken[_i].sentence);
}
END_TEST

START_TEST(test_broken_nesting)
{
    Option twice[] = {OPTION_BOOL("verbose", Sample, verbose, "true", "h"),
                      OPTION_BOOL("verbose", Sample, verbose, "true", "h"), OPTION_END};
    OptionTable table = {.name = "t", .help = "h", .size = sizeof(Sample), .options = twice};
    Error e = {0}, f = {0};
    ck_assert_int_ne(option_table_check(&table, &e), HONE_OK);
    ck_assert_str_eq(e.text, "option table 't', key 'verbose': named twice");
    Option self[] = {OPTION_LIST("layers", Sample, layers, &table, 0, 9, "[]", "h"), OPTION_END};
    table.options = self;
    ck_assert_int_ne(option_table_check(&table, &f), HONE_OK);
    ck_assert_str_eq(f.text,
                     "option table 't', key '(all)': tables nested too deep, or one inside itself");
}
END_TEST

/* Tables as a whole, and their variants. */
static const OptionVariant silent = {"a", "", (const Option[]){OPTION_END}};
static const OptionVariant nested = {
    "b", "h", (const Option[]){OPTION_SELECTOR("kind", Sample, mode, "a", "h"), OPTION_END}};
static const OptionVariant plain = {"c", "h", (const Option[]){OPTION_END}};
static const OptionVariant again = {
    "d", "h", (const Option[]){OPTION_SELECTOR("mode", Sample, mode, "c", "h"), OPTION_END}};
static const OptionVariant same = {
    "e", "h", (const Option[]){OPTION_BOOL("verbose", Sample, verbose, "true", "h"), OPTION_END}};

START_TEST(test_broken_variants)
{
    static const struct {
        const char *help, *fallback;
        const OptionVariant *variants[3];
        const char *sentence;
    } cases[] = {
        {NULL, "c", {&plain}, "option table 't', key '(all)': a table without help"},
        {"", "c", {&plain}, "option table 't', key '(all)': a table without help"},
        {"h", "a", {&silent}, "option table 't', key 'a': a variant without help"},
        {"h", "b", {&nested}, "option table 't', key 'kind': a selector inside a variant"},
        {"h", "c", {&plain, &again}, "option table 't', key 'mode': a selector inside a variant"},
        {"h", "c", {&plain, &plain}, "option table 't', key 'c': named twice"},
        {"h", "c", {&plain, &same}, "mode e: option table 't', key 'verbose': named twice"},
        {"h",
         "c",
         {NULL},
         "option table 't', key '(all)': a selector needs variants, variants need "
         "one selector"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const Option options[] = {OPTION_SELECTOR("mode", Sample, mode, cases[i].fallback, "h"),
                                  OPTION_BOOL("verbose", Sample, verbose, "true", "h"), OPTION_END};
        const OptionTable table = {.name = "t",
                                   .help = cases[i].help,
                                   .size = sizeof(Sample),
                                   .options = options,
                                   .variants = cases[i].variants};
        Error e = {0};
        ck_assert_int_ne(option_table_check(&table, &e), HONE_OK);
        ck_assert_str_eq(e.text, cases[i].sentence);
    }
}
END_TEST

START_TEST(test_broken_section)
{
    Option options[] = {OPTION_SECTION("distill", Sample, distill, NULL, "h"), OPTION_END};
    const OptionTable part = {
        .name = "part", .help = "h", .size = sizeof(SampleDistill), .options = options + 1};
    const OptionTable table = {
        .name = "t", .help = "h", .size = sizeof(Sample), .options = options};
    const size_t outside[] = {offsetof(Sample, distill) - 1,
                              offsetof(Sample, distill) + sizeof(SampleDistill)};
    options[0].optional = true;
    for (int i = 0; i < 2; i++) {
        Error e = {0};
        options[0].table = &part;
        options[0].present = outside[i];
        ck_assert_int_ne(option_table_check(&table, &e), HONE_OK);
        ck_assert_str_eq(
            e.text, "option table 't', key 'distill': 'present' is not in the section's struct");
    }
    Error e = {0};
    options[0].table = NULL;
    ck_assert_int_ne(option_table_check(&table, &e), HONE_OK);
    ck_assert_str_eq(e.text, "option table 't', key 'distill': its struct is not the one that its "
                             "table describes");
    /* No value can be given to a section. */
    e = (Error){0};
    Sample s;
    ck_assert_int_ne(option_set(&table, options, 0, (OptionWord){.text = "1"}, &s, &e), HONE_OK);
    ck_assert_str_eq(e.text, "'distill' holds no single value");
}
END_TEST

START_TEST(test_defaults)
{
    Arena arena = {0};
    Error e = {0}, f = {0};
    Sample s;
    ck_assert_int_eq(option_defaults(&sample_options, NULL, &s, &arena, &e), HONE_OK);
    ck_assert(s.name == NULL && s.train.epochs == 12 && s.train.optimizer.momentum == 0.9);
    ck_assert(s.input.count == 3 && s.formats.count == 1 && !s.distill.present);
    const Option *train = option_find(&sample_options, -1, "train", 5);
    const OptionTable *optimizer = option_find(train->table, -1, "optimizer", 9)->table;
    SampleOptimizer o;
    ck_assert_int_eq(option_defaults(optimizer, "adamw", &o, &arena, &e), HONE_OK);
    ck_assert(o.kind == SAMPLE_ADAMW && o.beta2 == 0.999 && o.momentum == 0);
    ck_assert_int_ne(option_defaults(optimizer, "adam", &o, &arena, &f), HONE_OK);
    ck_assert_ptr_null(option_find(optimizer, 0, "beta2", 5));
    ck_assert_ptr_nonnull(option_find(optimizer, 1, "beta2", 5));
    arena_release(&arena);
}
END_TEST

START_TEST(test_help)
{
    Text t = {0};
    ck_assert_uint_eq(schema_help(&sample_options, "train.optimizer", &t), 6);
    ck_assert_str_eq(text_string(&t), "train.optimizer\n"
                                      "    update rule; section\n"
                                      "train.optimizer.kind = sgd\n"
                                      "    update rule; choice, sgd | adamw\n"
                                      "train.optimizer.lr = 0.1\n"
                                      "    peak learning rate; number, (0, 10]\n"
                                      "train.optimizer.momentum = 0.9   (kind: sgd)\n"
                                      "    decay of v; number, [0, 1]\n"
                                      "train.optimizer.nesterov = true   (kind: sgd)\n"
                                      "    look ahead; true or false\n"
                                      "train.optimizer.beta2 = 0.999   (kind: adamw)\n"
                                      "    decay of the second moment; number, [0, 1)\n");
    t.length = 0;
    ck_assert_uint_eq(schema_help(&sample_options, "layers.3.kernel", &t), 1);
    ck_assert_str_eq(text_string(&t),
                     "layers.N.kernel = [3, 3]   (op: conv)\n"
                     "    height and width; whole numbers, 1..2 of 1..31 pixels\n");
    ck_assert_uint_eq(schema_help(&sample_options, "trai", &t), 0);
    ck_assert_uint_eq(schema_help(&sample_options, "train.epochs.x", &t), 0);
    ck_assert_uint_gt(schema_help(&sample_options, NULL, &t), 20);
    text_release(&t);
}
END_TEST

START_TEST(test_markdown)
{
    Text t = {0};
    schema_markdown(&sample_options, &t);
    static const char *const lines[] = {
        "\n| `name` | text |  |  | required | names the run |\n",
        "\n| `mode` | choice | float \\| qat \\| ptq |  | qat | arithmetic |\n",
        "\n| `epochs` | whole number | 1..100000 | epochs | 12 | passes over the training set |\n",
        "\n## train.optimizer\n",
        "\nWith `kind: adamw` (Adam with decoupled decay):\n",
        "\nWith `op: relu` (clamp at zero): nothing more.\n",
        "\n## distill\n\nOptional: a teacher's help.\n",
        "\n## layers.N\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        ck_assert_msg(strstr(text_string(&t), lines[i]) != NULL, "%s", lines[i]);
    text_release(&t);
}
END_TEST

/* An outside reader takes it for JSON, and finds what the table says. */
START_TEST(test_json_schema)
{
    static const char script[] =
        "python3 -c '\n"
        "import json, sys\n"
        "s = json.load(sys.stdin)\n"
        "p = s[\"properties\"]\n"
        "assert s[\"required\"] == [\"name\"] and s[\"additionalProperties\"] is False\n"
        "assert p[\"input\"][\"default\"] == [32, 32, 3] and p[\"input\"][\"minItems\"] == 3\n"
        "assert p[\"formats\"][\"default\"] == [\"hone\"] and p[\"tags\"][\"default\"] == []\n"
        "assert p[\"baseline\"] == {\"description\": \"float checkpoint to compare with\",\n"
        "    \"type\": [\"string\", \"null\"], \"default\": None}\n"
        "assert p[\"distill\"][\"required\"] == [\"teacher\"]\n"
        "o = p[\"train\"][\"properties\"][\"optimizer\"]\n"
        "assert o[\"properties\"][\"lr\"][\"exclusiveMinimum\"] == 0\n"
        "assert list(o[\"properties\"]) == [\"kind\", \"lr\", \"momentum\", \"nesterov\", "
        "\"beta2\"]\n"
        "sgd, adamw = o[\"allOf\"]\n"
        "assert \"required\" not in sgd[\"if\"] and adamw[\"if\"][\"required\"] == [\"kind\"]\n"
        "assert list(adamw[\"then\"][\"properties\"]) == [\"kind\", \"lr\", \"beta2\"]\n"
        "assert p[\"layers\"][\"items\"][\"required\"] == [\"op\"]\n"
        "'";
    if (system("python3 -c 'import json'") != 0) {
        puts("option: no python3, JSON Schema not checked");
        return;
    }
    Text t = {0};
    schema_json(&sample_options, &t);
    FILE *python = popen(script, "w");
    ck_assert_ptr_nonnull(python);
    ck_assert_uint_eq(fwrite(text_string(&t), 1, t.length, python), t.length);
    ck_assert_int_eq(pclose(python), 0);
    text_release(&t);
}
END_TEST

Suite *suite_option(void)
{
    Suite *suite = suite_create("option");
    TCase *tc = tcase_create("option");
    tcase_add_test(tc, test_distance);
    tcase_add_test(tc, test_nearest);
    tcase_add_test(tc, test_reals);
    tcase_add_test(tc, test_text);
    tcase_add_test(tc, test_sample_is_sound);
    tcase_add_loop_test(tc, test_broken_tables, 0, (int)(sizeof broken / sizeof *broken));
    tcase_add_test(tc, test_broken_nesting);
    tcase_add_test(tc, test_broken_variants);
    tcase_add_test(tc, test_broken_section);
    tcase_add_test(tc, test_defaults);
    tcase_add_test(tc, test_help);
    tcase_add_test(tc, test_markdown);
    tcase_add_test(tc, test_json_schema);
    suite_add_tcase(suite, tc);
    return suite;
}
