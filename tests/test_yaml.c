/* Tests of the YAML tree, binding, overrides, printing. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/rng.h"
#include "tests/allocations.h"
#include "tests/sample_options.h"
#include "tests/suites.h"
#include "trainer/bind.h"

static int bind_sets(Binding *b, const char *text, const char *const *sets, size_t count, Error *e)
{
    return bind_text(b, &sample_options, text, strlen(text), "a.yaml", sets, count, e);
}

static int bind(Binding *b, const char *text, Error *e)
{
    return bind_sets(b, text, NULL, 0, e);
}

/* Every key away from its fallback. */
static const char full[] =
    "name: first run\n"
    "baseline: runs/a/best.h5\n"
    "seed: -9223372036854775808\n"
    "ratio: -1.5e-300\n"
    "verbose: true\n"
    "mode: ptq\n"
    "input: [96, 64, 1]\n"
    "marks: [0, 0.1, 0.30000000000000004, 1]\n"
    "formats: [hone, c]\n"
    "tags: ['12', no, \"a\\\"b\\\\\\n\\t\\u2028\\u00e9\\u0007\", '', ~x, 'null', plain, \"1:2\"]\n"
    "train:\n"
    "  epochs: 100000\n"
    "  begin: 3\n"
    "  end: 3\n"
    "  optimizer: {kind: adamw, lr: 4.0e-5, beta2: 0}\n"
    "distill: {teacher: \"it's: # here\", temperature: 1}\n"
    "layers:\n"
    "  - {op: conv, name: stem, kernel: [5]}\n"
    "  - op: relu\n"
    "  - op: dense\n"
    "    units: 9223372036854775807\n";

START_TEST(test_every_type)
{
    Binding b;
    Error e = {0};
    ck_assert_msg(bind(&b, full, &e) == HONE_OK, "%s", e.text);
    const Sample *s = b.options;
    ck_assert_str_eq(s->name, "first run");
    ck_assert_str_eq(s->baseline, "runs/a/best.h5");
    ck_assert(s->seed == INT64_MIN && s->verbose && s->mode == 2);
    ck_assert(s->ratio == -1.5e-300);
    ck_assert(s->input.count == 3 && s->input.v[0] == 96 && s->input.v[2] == 1);
    ck_assert(s->marks.count == 4 && s->marks.v[1] == 0.1);
    ck_assert(s->formats.count == 2 && s->tags.count == 8);
    ck_assert_str_eq(s->tags.v[1], "no");
    ck_assert_str_eq(s->tags.v[2], "a\"b\\\n\t\xe2\x80\xa8\xc3\xa9\a");
    bind_release(&b);
}
END_TEST

START_TEST(test_nested_types)
{
    Binding b;
    Error e = {0};
    ck_assert_msg(bind(&b, full, &e) == HONE_OK, "%s", e.text);
    const Sample *s = b.options;
    ck_assert(s->train.epochs == 100000 && s->train.end == 3);
    ck_assert(s->train.optimizer.kind == SAMPLE_ADAMW && s->train.optimizer.momentum == 0);
    ck_assert(s->train.optimizer.lr == 4.0e-5 && !s->train.optimizer.nesterov);
    ck_assert(s->distill.present && s->distill.temperature == 1);
    const SampleLayer *layers = s->layers.items;
    ck_assert(s->layers.count == 3 && layers[0].op == 0 && layers[0].kernel.count == 1);
    ck_assert(layers[1].op == 2 && layers[1].name == NULL);
    ck_assert(layers[2].units == INT64_MAX);
    bind_release(&b);
}
END_TEST

/* Where a list may have one number, the number may stand alone. */
START_TEST(test_one_number)
{
    Binding b;
    Error e = {0};
    ck_assert_msg(bind(&b, "name: x\nmarks: 0.25\nlayers: [{op: conv, kernel: 5}]\n", &e) ==
                      HONE_OK,
                  "%s", e.text);
    const Sample *s = b.options;
    const SampleLayer *layers = s->layers.items;
    ck_assert(s->marks.count == 1 && s->marks.v[0] == 0.25);
    ck_assert(layers[0].kernel.count == 1 && layers[0].kernel.v[0] == 5);
    bind_release(&b);
    ck_assert_int_eq(bind(&b, "name: x\nlayers: [{op: conv, kernel: 55}]\n", &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, "a.yaml:2:29: layers.0.kernel: 55 is outside 1..31 pixels");
}
END_TEST

START_TEST(test_fallbacks)
{
    Binding b;
    Error e = {0};
    ck_assert_msg(bind(&b, "name: x\ntrain:\nlayers: ~\ndistill: null\n", &e) == HONE_OK, "%s",
                  e.text);
    const Sample *s = b.options;
    ck_assert(s->baseline == NULL && s->seed == 1 && s->ratio == 0.5 && s->mode == 1);
    ck_assert(s->input.count == 3 && s->input.v[1] == 32 && s->marks.v[1] == 0.75);
    ck_assert(s->formats.count == 1 && s->tags.count == 0 && s->layers.count == 0);
    ck_assert_str_eq(s->formats.v[0], "hone");
    ck_assert(s->train.epochs == 12 && s->train.optimizer.momentum == 0.9);
    ck_assert(s->train.optimizer.nesterov && !s->distill.present);
    bind_release(&b);
}
END_TEST

/* Printing, reading and printing again gives the same text, and the reading the same values. */
static void round_trip(const char *text)
{
    Binding a, b;
    Error e = {0};
    Text first = {0}, second = {0};
    ck_assert_msg(bind(&a, text, &e) == HONE_OK, "%s", e.text);
    bind_print(a.table, a.options, &first);
    ck_assert_msg(bind(&b, text_string(&first), &e) == HONE_OK, "%s\n%s", e.text,
                  text_string(&first));
    bind_print(b.table, b.options, &second);
    ck_assert(!text_failed(&first) && !text_failed(&second));
    ck_assert_str_eq(text_string(&first), text_string(&second));
    const Sample *s = a.options, *t = b.options;
    ck_assert(s->seed == t->seed && s->ratio == t->ratio && s->mode == t->mode);
    ck_assert(s->tags.count == t->tags.count && s->layers.count == t->layers.count);
    for (size_t i = 0; i < s->tags.count; i++)
        ck_assert_str_eq(s->tags.v[i], t->tags.v[i]);
    ck_assert(memcmp(&s->marks, &t->marks, sizeof s->marks) == 0);
    ck_assert(memcmp(&s->input, &t->input, sizeof s->input) == 0);
    ck_assert(s->distill.present == t->distill.present);
    text_release(&first);
    text_release(&second);
    bind_release(&a);
    bind_release(&b);
}

START_TEST(test_round_trip)
{
    round_trip(full);
    round_trip("name: ''\n");
    round_trip("name: \"\\u0085 \\ufeff \\U0001F600 \\x01 trailing \"\nbaseline: 'null'\n");
    round_trip("name: |\n  two\n  lines\ntags: ['.5', '-1', '0x10', 'True', '=', '<<', '-', '?']\n"
               "marks: []\nratio: -0.0\n");
}
END_TEST

typedef struct Bad {
    const char *text;
    const char *sentence;
} Bad;

static const Bad bad[] = {
    /* keys */
    {"name: x\ntrain:\n  epohcs: 3\n", "a.yaml:3:3: unknown key 'epohcs', did you mean 'epochs'?"},
    {"name: x\ntrain:\n  optimizer: {learning_rate: 3}\n",
     "a.yaml:3:15: unknown key 'learning_rate' in 'train.optimizer' (there are: kind, lr, "
     "momentum, nesterov)"},
    {"name: x\nzzzzzzz: 3\n",
     "a.yaml:2:1: unknown key 'zzzzzzz' (there are: name, baseline, seed, ratio, verbose, mode, "
     "input, marks, formats, tags, train, distill, layers)"},
    {"name: x\ntrain: {optimizer: {kind: adamw, momentum: 0.9}}\n",
     "a.yaml:2:34: 'momentum' belongs to kind 'sgd', not to 'adamw'"},
    {"name: x\nlayers: [{op: relu, kernel: [3]}]\n",
     "a.yaml:2:21: 'kernel' belongs to op 'conv', not to 'relu'"},
    {"seed: 1\n", "a.yaml:1:1: missing required key 'name' (names the run)"},
    {"", "a.yaml:1:1: missing required key 'name' (names the run)"},
    {"name: x\ndistill: {}\n",
     "a.yaml:2:10: missing required key 'distill.teacher' (checkpoint of the teacher)"},
    {"name: x\nlayers:\n  - {op: relu}\n  - name: b\n",
     "a.yaml:4:5: missing required key 'layers.1.op' (kind of layer)"},
    {"name: x\nlayers: [{op: dense}]\n",
     "a.yaml:2:10: missing required key 'layers.0.units' (outputs)"},
    {"name: x\nseed: 1\nname: y\n", "a.yaml:3:1: duplicate key 'name', first given in line 1"},
    /* whole numbers */
    {"name: x\ntrain: {epochs: 0}\n", "a.yaml:2:17: train.epochs: 0 is outside 1..100000 epochs"},
    {"name: x\ntrain: {epochs: 1.5}\n", "a.yaml:2:17: train.epochs: '1.5' is not a whole number"},
    {"name: x\ntrain: {epochs: '12'}\n",
     "a.yaml:2:17: train.epochs: the text '12' is not a whole number"},
    {"name: x\ntrain: {epochs: 012}\n", "a.yaml:2:17: train.epochs: '012' is not a whole number"},
    {"name: x\ntrain: {epochs: many}\n", "a.yaml:2:17: train.epochs: 'many' is not a whole number"},
    {"name: x\ntrain: {epochs: }\n",
     "a.yaml:2:17: train.epochs: no value, a whole number is needed"},
    {"name: x\ntrain: {epochs: [1]}\n",
     "a.yaml:2:17: train.epochs: a list where a whole number is needed"},
    {"name: x\ntrain: {epochs: {a: 1}}\n",
     "a.yaml:2:17: train.epochs: a section where a whole number is needed"},
    {"name: x\nseed: 9223372036854775808\n",
     "a.yaml:2:7: seed: 9223372036854775808 does not fit 64 bits"},
    {"name: x\ntrain: {epochs: 99999999999999999999}\n",
     "a.yaml:2:17: train.epochs: 99999999999999999999 is outside 1..100000 epochs"},
    {"name: x\nlayers: [{op: dense, units: 99999999999999999999}]\n",
     "a.yaml:2:29: layers.0.units: 99999999999999999999 does not fit 64 bits"},
    {"name: x\nlayers: [{op: dense, units: 0}]\n", "a.yaml:2:29: layers.0.units: 0 is not >= 1"},
    /* numbers */
    {"name: x\nratio: .nan\n", "a.yaml:2:8: ratio: '.nan' is not a finite number"},
    {"name: x\nratio: -.inf\n", "a.yaml:2:8: ratio: '-.inf' is not a finite number"},
    {"name: x\nratio: NaN\n", "a.yaml:2:8: ratio: 'NaN' is not a finite number"},
    {"name: x\nratio: 1e999\n", "a.yaml:2:8: ratio: 1e999 does not fit 64 bits"},
    {"name: x\nratio: 0x10\n", "a.yaml:2:8: ratio: '0x10' is not a number"},
    {"name: x\nratio: \"a\\nb\\e[1m\"\n", "a.yaml:2:8: ratio: the text 'a?b?[1m' is not a number"},
    {"name: x\nratio: 1e\n", "a.yaml:2:8: ratio: '1e' is not a number"},
    {"name: x\nratio: .\n", "a.yaml:2:8: ratio: '.' is not a number"},
    {"name: x\ntrain: {optimizer: {lr: 0}}\n",
     "a.yaml:2:25: train.optimizer.lr: 0 is outside (0, 10]"},
    {"name: x\ntrain: {optimizer: {kind: adamw, beta2: 1}}\n",
     "a.yaml:2:41: train.optimizer.beta2: 1 is outside [0, 1)"},
    {"name: x\ndistill: {teacher: t, temperature: 0.5}\n",
     "a.yaml:2:36: distill.temperature: 0.5 is not >= 1"},
    /* words */
    {"name: x\nverbose: yes\n", "a.yaml:2:10: verbose: 'yes' is not true or false"},
    {"name: x\nverbose: [true]\n", "a.yaml:2:10: verbose: a list where true or false is needed"},
    {"name: x\nmode: qta\n",
     "a.yaml:2:7: mode: 'qta' is not one of float | qat | ptq, did you mean 'qat'?"},
    {"name: x\nmode: int9\n", "a.yaml:2:7: mode: 'int9' is not one of float | qat | ptq"},
    {"name: x\nmode:\n", "a.yaml:2:6: mode: no value, one of float | qat | ptq is needed"},
    {"name: x\ntrain: {optimizer: {kind: adam}}\n",
     "a.yaml:2:27: train.optimizer.kind: 'adam' is not one of sgd | adamw, did you mean 'adamw'?"},
    {"name:\n", "a.yaml:1:6: name: no value, a text is needed"},
    {"name: [x]\n", "a.yaml:1:7: name: a list where a text is needed"},
    /* rows and lists */
    {"name: x\ninput: 32\n", "a.yaml:2:8: input: '32' is not a list of whole numbers"},
    {"name: x\ninput: [32, 32]\n", "a.yaml:2:8: input: 2 elements, 3 are needed"},
    {"name: x\ninput: [32, 5000, 3]\n", "a.yaml:2:13: input.1: 5000 is outside 1..4096 pixels"},
    {"name: x\ninput: [32, [3], 3]\n",
     "a.yaml:2:13: input.1: a list where a single value is needed"},
    {"name: x\nmarks: [0, 0, 0, 0, 0]\n", "a.yaml:2:8: marks: 5 elements, 0..4 are allowed"},
    {"name: x\nmarks: [2]\n", "a.yaml:2:9: marks.0: 2 is outside [0, 1]"},
    {"name: x\nformats: tflite\n", "a.yaml:2:10: formats: 'tflite' is not one of hone | c"},
    {"name: x\nformats: [tflite]\n", "a.yaml:2:11: formats.0: 'tflite' is not one of hone | c"},
    {"name: x\nlayers: {op: relu}\n",
     "a.yaml:2:9: layers: a section where a list of sections is needed"},
    {"name: x\nlayers: [relu]\n",
     "a.yaml:2:10: layers.0: 'relu' is not a section of keys and values"},
    {"name: x\ntrain: 3\n", "a.yaml:2:8: train: '3' is not a section of keys and values"},
    {"- a\n- b\n", "a.yaml:1:1: a list where a section of keys and values is needed"},
    {"name: x\ntrain: {begin: 5, end: 3}\n", "a.yaml:2:8: train: end 3 is before begin 5"},
    /* not the YAML we read */
    {"name: x\ntrain:\n\tepochs: 3\n", "a.yaml:3:1: a tab in the indentation, YAML wants spaces"},
    {"name: 'x\nseed: 1\n", "a.yaml:3:1: not valid YAML: while scanning a quoted scalar, found "
                            "unexpected end of stream (begun in line 1)"},
    {"name: x\ninput: [1, 2\nseed: 3\n",
     "a.yaml:3:5: not valid YAML: while parsing a flow sequence, did not find expected ',' or ']' "
     "(begun in line 2)"},
    {"name: x\n---\nname: y\n", "a.yaml:2:1: a second document begins, one is allowed"},
    {"name: &a x\nbaseline: *a\n",
     "a.yaml:1:7: anchors and aliases ('a') are not supported, write the value out"},
    {"name: x\nbaseline: *b\n",
     "a.yaml:2:11: anchors and aliases ('b') are not supported, write the value out"},
    {"name: !!str 3\n", "a.yaml:1:7: tags ('tag:yaml.org,2002:str') are not supported"},
    {"name: \"a\\0b\"\n", "a.yaml:1:7: a NUL character in a text"},
    {"{[a]: 1}\n", "a.yaml:1:2: a key must be a plain word"},
    {"name: x\nseed: \xff\n", "a.yaml:2:7: not valid YAML: invalid leading UTF-8 octet (0xff)"},
};

START_TEST(test_bad_input)
{
    Binding b;
    Error e = {0};
    ck_assert_int_ne(bind(&b, bad[_i].text, &e), HONE_OK);
    ck_assert_int_eq(e.code, HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, bad[_i].sentence);
    ck_assert_ptr_null(b.options);
    ck_assert_int_ne(bind(&b, bad[_i].text, NULL), HONE_OK);
}
END_TEST

static const Bad bad_sets[] = {
    {"train.epochs=0", "--set train.epochs=0: train.epochs: 0 is outside 1..100000 epochs"},
    {"train.epohcs=3", "--set train.epohcs=3: unknown key 'epohcs', did you mean 'epochs'?"},
    {"trian.epochs=3", "--set trian.epochs=3: unknown key 'trian', did you mean 'train'?"},
    {"seed", "--set seed: KEY=VALUE is needed"},
    {"=3", "--set =3: KEY=VALUE is needed"},
    {"a..b=3", "--set a..b=3: 'a..b' is not a dotted key"},
    {"train.=3", "--set train.=3: 'train.' is not a dotted key"},
    {"name.first=3", "--set name.first=3: 'name' is a value, not a section"},
    {"layers.3.op=relu", "--set layers.3.op=relu: 'layers' has 3 elements, none is '3'"},
    {"layers.x=1", "--set layers.x=1: 'layers' has 3 elements, none is 'x'"},
    {"layers.2.unit=1", "--set layers.2.unit=1: unknown key 'unit', did you mean 'units'?"},
    {"input=[1, 2", "--set input=[1, 2: not valid YAML: while parsing a flow sequence, did not "
                    "find expected ',' or ']'"},
    {"train={a: 1, a: 2}", "--set train={a: 1, a: 2}: duplicate key 'a'"},
    {"train={begin: 9, end: 8}", "--set train={begin: 9, end: 8}: train: end 8 is before begin 9"},
    {"name=", "--set name=: name: no value, a text is needed"},
};

START_TEST(test_bad_set)
{
    Binding b;
    Error e = {0};
    const char *sets[] = {bad_sets[_i].text};
    ck_assert_int_ne(bind_sets(&b, full, sets, 1, &e), HONE_OK);
    ck_assert_str_eq(e.text, bad_sets[_i].sentence);
}
END_TEST

START_TEST(test_sets)
{
    Binding b;
    Error e = {0};
    const char *sets[] = {"seed=7",
                          "seed=8",
                          "train.optimizer={kind: sgd, momentum: 0.5}",
                          "layers.0.kernel.0=7",
                          "distill=null",
                          "input=[8, 8, 1]",
                          "baseline=",
                          "tags=[a=b, 'c']",
                          "layers.1={op: dense, units: 3}"};
    ck_assert_msg(bind_sets(&b, full, sets, 9, &e) == HONE_OK, "%s", e.text);
    const Sample *s = b.options;
    const SampleLayer *layers = s->layers.items;
    ck_assert(s->seed == 8 && s->train.optimizer.momentum == 0.5 && s->train.epochs == 100000);
    ck_assert(layers[0].kernel.v[0] == 7 && layers[1].units == 3 && layers[2].units == INT64_MAX);
    ck_assert(!s->distill.present && s->input.v[0] == 8 && s->baseline == NULL);
    ck_assert_str_eq(s->tags.v[0], "a=b");
    bind_release(&b);
    const char *made[] = {"name=x", "train.optimizer.kind=adamw", "distill.teacher=a.h5"};
    ck_assert_msg(bind_sets(&b, "", made, 3, &e) == HONE_OK, "%s", e.text);
    s = b.options;
    ck_assert(s->train.optimizer.kind == SAMPLE_ADAMW && s->distill.present);
    bind_release(&b);
}
END_TEST

START_TEST(test_refuse)
{
    Binding b;
    Error e = {0}, f = {0};
    const char *sets[] = {"layers.0.name=b"};
    ck_assert_int_eq(bind_sets(&b, full, sets, 1, &e), HONE_OK);
    ck_assert_int_eq(bind_refuse(&b, "train.optimizer.lr", &e, "too %s", "high"), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, "a.yaml:15:32: train.optimizer.lr: too high");
    ck_assert_int_eq(bind_refuse(&b, "layers.0.name", &f, "taken"), HONE_ERR_CONFIG);
    ck_assert_str_eq(f.text, "--set layers.0.name=b: layers.0.name: taken");
    bind_release(&b);
}
END_TEST

START_TEST(test_limits)
{
    Binding b;
    Error deep = {0}, wide = {0}, large = {0};
    Text t = {0};
    for (int i = 0; i < 5000; i++)
        text_add(&t, "[");
    ck_assert_int_eq(bind(&b, text_string(&t), &deep), HONE_ERR_CONFIG);
    ck_assert_str_eq(deep.text, "a.yaml:1:33: nested too deep for a configuration");
    t.length = 0;
    for (int i = 0; i < 2500; i++)
        text_printf(&t, "k%d: 1\n", i);
    ck_assert_int_eq(bind(&b, text_string(&t), &wide), HONE_ERR_CONFIG);
    ck_assert_str_eq(wide.text, "a.yaml:2001:1: too many elements in one list or section");
    while (t.length <= YAML_BYTES_MAX)
        text_add(&t, "# a comment that fills the file up to its limit and beyond it\n");
    ck_assert_int_eq(bind(&b, text_string(&t), &large), HONE_ERR_CONFIG);
    ck_assert_str_eq(large.text, "a.yaml: larger than 1048576 bytes");
    text_release(&t);
}
END_TEST

START_TEST(test_files)
{
    char folder[256], path[300], wanted[600];
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/hone-yaml-XXXXXX", tmp ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.yaml", folder);
    Binding b;
    Error absent = {0}, directory = {0}, e = {0};
    ck_assert_int_eq(bind_file(&b, &sample_options, path, NULL, 0, &absent), HONE_ERR_IO);
    snprintf(wanted, sizeof wanted, "cannot open %s: No such file or directory", path);
    ck_assert_str_eq(absent.text, wanted);
    ck_assert_int_eq(bind_file(&b, &sample_options, folder, NULL, 0, &directory), HONE_ERR_IO);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    fputs("\xef\xbb\xbf# windows\r\nname: x\r\nseed: 5\r\n", file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_msg(bind_file(&b, &sample_options, path, NULL, 0, &e) == HONE_OK, "%s", e.text);
    ck_assert_int_eq(((const Sample *)b.options)->seed, 5);
    bind_release(&b);
    ck_assert_int_eq(remove(path), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* Bytes replaced, dropped, doubled, cut: an error or a struct, never a crash; what binds prints
 * and binds again. */
START_TEST(test_mutations)
{
    static const char alphabet[] = "{}[]:,-#&*!|>'\"%@` \n\t~.0129eaz\\\xff\xc3";
    for (uint32_t round = 0; round < 3000; round++) {
        Rng r = rng_at(17, RNG_TEST, round, 0);
        char text[sizeof full];
        memcpy(text, full, sizeof full);
        size_t length = sizeof full - 1;
        for (uint32_t n = 1 + rng_below(&r, 6); n > 0 && length > 2; n--) {
            size_t at = rng_below(&r, (uint32_t)length), kind = rng_below(&r, 8);
            if (kind == 0)
                length = at;
            else if (kind == 1)
                memmove(text + at, text + at + 1, --length - at);
            else if (kind == 2)
                text[at] = text[rng_below(&r, (uint32_t)length)];
            else
                text[at] = alphabet[rng_below(&r, sizeof alphabet - 1)];
        }
        Binding b;
        Error e = {0};
        int rc = bind_text(&b, &sample_options, text, length, "m.yaml", NULL, 0, &e);
        ck_assert_msg(rc == e.code, "round %u: %d, %d", round, rc, e.code);
        ck_assert(rc == HONE_OK || (b.options == NULL && strncmp(e.text, "m.yaml:", 7) == 0));
        if (rc == HONE_OK) {
            Text out = {0};
            bind_print(b.table, b.options, &out);
            round_trip(text_string(&out));
            text_release(&out);
            bind_release(&b);
        }
    }
}
END_TEST

/* Each allocation refused in turn: out of memory, nothing kept. */
START_TEST(test_allocations)
{
    const char *sets[] = {"train.begin=2", "input=[8, 8, 3]"};
    if (!allocations_available())
        return;
    bool done = false;
    for (long n = 1; !done; n++) {
        Binding b = {0};
        Error e = {0};
        Text out = {0};
        long before = allocations_alive();
        allocations_fail_at(n);
        int rc = bind_sets(&b, full, sets, 2, &e);
        if (rc == HONE_OK)
            bind_print(b.table, b.options, &out);
        done = !allocations_failed();
        allocations_fail_at(0);
        ck_assert_msg(done || rc == HONE_ERR_MEMORY || text_failed(&out), "%ld: %s", n, e.text);
        ck_assert_msg(rc == HONE_OK || strncmp(e.text, "out of memory", 13) == 0, "%s", e.text);
        bind_release(&b);
        text_release(&out);
        ck_assert_int_eq(allocations_alive(), before);
        ck_assert(n < 10000);
    }
}
END_TEST

Suite *suite_yaml(void)
{
    Suite *suite = suite_create("yaml");
    TCase *tc = tcase_create("bind");
    tcase_add_test(tc, test_every_type);
    tcase_add_test(tc, test_nested_types);
    tcase_add_test(tc, test_one_number);
    tcase_add_test(tc, test_fallbacks);
    tcase_add_test(tc, test_round_trip);
    tcase_add_loop_test(tc, test_bad_input, 0, (int)(sizeof bad / sizeof *bad));
    tcase_add_loop_test(tc, test_bad_set, 0, (int)(sizeof bad_sets / sizeof *bad_sets));
    tcase_add_test(tc, test_sets);
    tcase_add_test(tc, test_refuse);
    tcase_add_test(tc, test_limits);
    tcase_add_test(tc, test_files);
    tcase_add_test(tc, test_mutations);
    tcase_add_test(tc, test_allocations);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    return suite;
}
