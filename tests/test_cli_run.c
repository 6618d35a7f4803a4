/* Tests of `hone run`: inputs of every kind, and those it refuses. SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"
#include "datasets/image.h"
#include "tests/cli_kit.h"
#include "tests/oracle/image_fixtures.h"
#include "tests/suites.h"

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A .npy file of pixels [3072]: as uint8, or as float32 in real numbers. */
static void write_npy(const char *name, const uint8_t *pixels, bool bytes)
{
    char path[512], header[129];
    snprintf(path, sizeof path, "%s/%s", cli_folder, name);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    snprintf(header, sizeof header, "%-117s\n",
             bytes ? "{'descr': '|u1', 'fortran_order': False, 'shape': (32, 32, 3), }"
                   : "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 32, 32, 3), }");
    fwrite("\x93NUMPY\1\0v\0", 1, 10, f);
    fwrite(header, 1, 118, f);
    for (int i = 0; i < 3072; i++) {
        float real = ((float)pixels[i] - 128) / 128;
        fwrite(bytes ? (const void *)&pixels[i] : &real, bytes ? 1 : sizeof real, 1, f);
    }
    fclose(f);
}

/* An image and the arrays of its pixels are the same input. */
START_TEST(run_images)
{
    static const char *const heads[] = {"a.png: ", "a.npy: ", "b.npy[0]: "};
    char path[512], classes[3][2048];
    uint8_t pixels[3072];
    Image image;
    snprintf(path, sizeof path, "%s/a.png", cli_folder);
    ck_assert_int_eq(file_write_atomic(path, png_colour, sizeof png_colour, &cli_error), HONE_OK);
    ck_assert_int_eq(image_read(&image, path, &cli_error), HONE_OK);
    ck_assert_int_eq(image_fit(&image, 32, 32, 3, IMAGE_CROP, pixels, &cli_error), HONE_OK);
    image_release(&image);
    write_npy("a.npy", pixels, true);
    write_npy("b.npy", pixels, false);
    RUNS(0, "\"$HONE\" run run/model.hone a.png a.npy b.npy --top 10");
    const char *line = cli_out;
    for (int i = 0; i < 3; i++) {
        size_t n = strcspn(line, "\n"), head = strlen(heads[i]);
        ck_assert_int_eq(strncmp(line, heads[i], head), 0);
        snprintf(classes[i], sizeof classes[i], "%.*s", (int)(n - head), line + head);
        line += n + 1;
    }
    ck_assert_str_eq(classes[0], classes[1]);
    ck_assert_str_eq(classes[0], classes[2]);
    HAS(classes[0], "crescent");
    JSON_OF(0, "\"$HONE\" run run/model.hone a.png b.npy --json");
    HAS(cli_out, "\"input\": \"b.npy\"");
    HAS(cli_out, "\"probability\": ");
    RUNS(0, "\"$HONE\" inspect run/model.hone");
    HAS(cli_out, "disc, ring, crescent, heart");
}
END_TEST

START_TEST(run_refuses)
{
    uint8_t pixels[3072] = {0};
    char path[512];
    unsigned char *bytes;
    size_t count;
    cli_fails(1, "run run/model.hone absent.png",
              "cannot open 'absent.png': No such file or directory");
    cli_write("short.csv", "1,2,3\n");
    cli_fails(1, "run run/model.hone short.csv",
              "'short.csv' has 3 numbers in a row, the artifact takes 3072, 32x32x3");
    /* A row of a table as for training, its label still there. */
    RUNS(0, "seq -s, 3073 >labelled.csv");
    cli_fails(1, "run run/model.hone labelled.csv",
              "'labelled.csv' has 3073 numbers in a row, the artifact takes 3072, 32x32x3, "
              "without a label");
    cli_write("no.wav", "RIFF");
    cli_fails(1, "run run/model.hone no.wav",
              "the artifact has no audio front end: it was not trained on recordings");
    write_npy("nan.npy", pixels, false);
    snprintf(path, sizeof path, "%s/nan.npy", cli_folder);
    ck_assert_int_eq(file_read(path, 1 << 20, &bytes, &count, &cli_error), HONE_OK);
    memcpy(bytes + 128 + 4 * 7, "\0\0\xc0\x7f", 4);
    ck_assert_int_eq(file_write_atomic(path, bytes, count, &cli_error), HONE_OK);
    free(bytes);
    cli_fails(1, "run run/model.hone nan.npy", "'nan.npy': row 0, number 7 (from 0) is not finite");
}
END_TEST

static const char table_yaml[] =
    "name: table\ndataset: {kind: tensors, path: table}\naugment: {mixup: 0.4}\n"
    "model: {arch: layers, input: [1, 1, 3], classes: 3, layers: [\n"
    "  {op: dense, name: one, units: 16}, {op: relu}, {op: dense, name: two, units: 3}]}\n"
    "train: {epochs: 12, batch: 8, optimizer: {lr: 0.05}}\nqat: {begin_epoch: 8}\n";

/* Three clouds of points; writes table/{train,test}.csv, _x.csv without the labels, _y with them. */
static const char table_py[] =
    "import random\nr = random.Random(1)\n"
    "def put(name, lines):\n    open('table/' + name, 'w').writelines(l + '\\n' for l in lines)\n"
    "for name, n in ('train', 96), ('test', 40):\n"
    "    y = [str(i % 3) for i in range(n)]\n"
    "    x = [f'{r.gauss(3 * int(k), 1)},{r.gauss(4, 1)},{r.gauss(-int(k), .3)}' for k in y]\n"
    "    put(name + '.csv', [a + ',' + b for a, b in zip(x, y)])\n"
    "    put(name + '_x.csv', x)\n    put(name + '_y', y)\n";

static const char compare_py[] =
    "import json\nrows = json.load(open('run.json'))['predictions']\n"
    "labels = [int(line) for line in open('table/test_y')]\n"
    "right = sum(row['classes'][0]['class'] == k for row, k in zip(rows, labels))\n"
    "assert [row['row'] for row in rows] == list(range(40))\n"
    "assert abs(right / 40 - json.load(open('eval.json'))['accuracy']) < 1e-9, right\n"
    "assert right > 30, right\n";

/* Of a table the artifact gets what training made of it: `run` finds as many right as `eval`. */
START_TEST(run_tables)
{
    cli_write("table.py", table_py);
    cli_write("compare.py", compare_py);
    cli_write("table.yaml", table_yaml);
    RUNS(0, "mkdir -p table && python3 table.py");
    RUNS(0, "\"$HONE\" train table.yaml --out table_run --quiet --threads 1");
    RUNS(0, "\"$HONE\" train table.yaml --out table_run2 --quiet --threads 2");
    RUNS(0, "cmp table_run/model.hone table_run2/model.hone");
    RUNS(0, "\"$HONE\" inspect table_run/model.hone");
    HAS(cli_out, "real input");
    RUNS(0, "\"$HONE\" eval table_run/model.hone --json > eval.json");
    RUNS(0, "\"$HONE\" run table_run/model.hone table/test_x.csv --top 1 --json > run.json");
    RUNS(0, "python3 compare.py");
}
END_TEST

static const char sums_py[] =
    "import json\nlogits, shares = (json.load(open(n))['predictions'] for n in ('a.json', "
    "'b.json'))\n"
    "for a, b in zip(logits, shares):\n"
    "    p = {k['class']: k['probability'] for k in a['classes']}\n"
    "    assert len(b['classes']) == 3\n"
    "    for k in b['classes']:\n"
    "        assert k['probability'] * 256 == k['code'] + 128, k\n"
    "        assert abs(k['probability'] - p[k['class']]) < 0.02, (k, p)\n";

/* An artifact that ends in a softmax gives probabilities, and they are shown as they are. */
START_TEST(run_softmax)
{
    cli_write("table.py", table_py);
    cli_write("sums.py", sums_py);
    cli_write("table.yaml", table_yaml);
    RUNS(0, "mkdir -p table && python3 table.py");
    RUNS(0, "\"$HONE\" train table.yaml --out scores --quiet");
    RUNS(0, "\"$HONE\" train table.yaml --set export.softmax=true --out shares --quiet");
    RUNS(0, "\"$HONE\" run scores/model.hone table/test_x.csv --json > a.json");
    RUNS(0, "\"$HONE\" run shares/model.hone table/test_x.csv --json > b.json");
    RUNS(0, "python3 sums.py");
}
END_TEST

static const char losses_py[] = "import json, math, sys\nname, key = sys.argv[1:]\n"
                                "output = json.load(open(name + '_inspect.json'))['output']\n"
                                "for row in json.load(open(name + '.json'))['predictions']:\n"
                                "    for k in row['classes']:\n"
                                "        y = output['scale'] * (k['code'] - output['zero_point'])\n"
                                "        p = y if key == 'value' else 1 / (1 + math.exp(-y))\n"
                                "        assert abs(k[key] - p) < 1e-9, (k, p)\n";

static const struct {
    const char *kind, *key, *probability;
} losses[] = {{"bce", "probability", "sigmoid"}, {"mse", "value", NULL}};

/* Binary cross-entropy gives each class a probability of its own, squared error none. */
START_TEST(run_losses)
{
    const char *kind = losses[_i].kind;
    cli_write("table.py", table_py);
    cli_write("losses.py", losses_py);
    cli_write("table.yaml", table_yaml);
    RUNS(0, "mkdir -p table && python3 table.py");
    RUNS(0,
         "\"$HONE\" train table.yaml --set train.loss.kind=%s --set augment.mixup=0 "
         "--out %s_run --quiet",
         kind, kind);
    RUNS(0, "\"$HONE\" inspect %s_run/model.hone --json", kind);
    ck_assert(cli_is_json());
    char line[64];
    snprintf(line, sizeof line, "\"probability\": %s%s%s", losses[_i].probability ? "\"" : "",
             losses[_i].probability ? losses[_i].probability : "null",
             losses[_i].probability ? "\"" : "");
    HAS(cli_out, line);
    RUNS(0, "\"$HONE\" inspect %s_run/model.hone --json > %s_inspect.json", kind, kind);
    RUNS(0, "\"$HONE\" run %s_run/model.hone table/test_x.csv --json > %s.json", kind, kind);
    RUNS(0, "python3 losses.py %s %s", kind, losses[_i].key);
    RUNS(0, "\"$HONE\" run %s_run/model.hone table/test_x.csv", kind);
    ck_assert_int_eq(strchr(cli_out, '%') != NULL, losses[_i].probability != NULL);
}
END_TEST

Suite *suite_cli_run(void)
{
    Suite *s = suite_create("cli_run");
    TCase *t = cli_case(s);
    tcase_add_test(t, run_images);
    tcase_add_test(t, run_refuses);
    tcase_add_test(t, run_tables);
    tcase_add_test(t, run_softmax);
    tcase_add_loop_test(t, run_losses, 0, sizeof losses / sizeof losses[0]);
    return s;
}
