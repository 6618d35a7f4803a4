/* Tests of the commands on checkpoints and artifacts: what they print, and what they say of damage. SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"
#include "runtime/crc.h"
#include "runtime/runtime.h"
#include "tests/cli_kit.h"
#include "tests/suites.h"

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what they print ----------------------------------------------------------------------------- */

static const char *const json_commands[] = {
    "\"$HONE\" eval run/last.h5 --json",
    "\"$HONE\" eval run/float.h5 --split train --limit 10 --json",
    "\"$HONE\" eval run/model.hone --json",
    "\"$HONE\" verify run/model.hone run/last.h5 --json",
    "\"$HONE\" inspect tiny.yaml --json",
    "\"$HONE\" inspect run/last.h5 --quant --json",
    "\"$HONE\" inspect run/model.hone --json",
    "\"$HONE\" bench step tiny.yaml --steps 3 --profile --json",
    "\"$HONE\" bench infer run/model.hone --runs 5 --profile --json",
    "\"$HONE\" bench infer tiny.yaml --runs 5 --json",
};
static const char *const json_keys[][12] = {
    {"accuracy", "loss", "n"},
    {"accuracy", "loss", "n"},
    {"accuracy", "loss", "n"},
    {"bit_exact", "compared", "mismatches", "first_layer"},
    {"params", "macs", "layers"},
    {"params", "macs", "layers"},
    {"params", "macs", "layers", "bytes", "ram_bytes", "requant", "certificate"},
    {"images_per_s", "ms_per_step", "peak_rss_bytes", "arena_bytes", "batch", "threads", "mode",
     "cpu", "blas_core", "ceilings", "phases", "nodes"},
    {"latency_us", "latency_us_p10", "latency_us_p90", "threads", "kernels"},
    {"latency_us", "latency_us_p10", "latency_us_p90", "threads", "kernels"},
};
enum { JSONS = sizeof json_commands / sizeof json_commands[0] };

START_TEST(json)
{
    JSON_OF(0, json_commands[_i]);
    ck_assert_str_eq(cli_err, "");
    for (int k = 0; k < 12 && json_keys[_i][k]; k++) {
        char key[64];
        snprintf(key, sizeof key, "\n  \"%s\": ", json_keys[_i][k]);
        HAS(cli_out, key);
    }
}
END_TEST

START_TEST(eval_arithmetic)
{
    RUNS(0, "\"$HONE\" eval run/last.h5");
    HAS(cli_out, " of 40 test images, loss ");
    HAS(cli_out, "(integer)\n");
    RUNS(0, "\"$HONE\" eval run/float.h5");
    HAS(cli_out, "(float)\n");
    RUNS(0, "\"$HONE\" eval run/last.h5 --arithmetic fakequant --split train --limit 7");
    HAS(cli_out, " of 7 train images, ");
    /* An artifact and the checkpoint that it was made of say the same. */
    RUNS(0, "\"$HONE\" eval run/last.h5 | sed 's/ (.*//' > a; "
            "\"$HONE\" eval lone/model.hone --config tiny.yaml | sed 's/ (.*//' | cmp - a");
}
END_TEST

START_TEST(other_architecture)
{
    RUNS(1, "\"$HONE\" eval run/last.h5 --set model.layers.0.filters=12");
    HAS(cli_err, "stem.weight");
    HAS(cli_err, "[8,3,3,3]");
    HAS(cli_err, "[12,3,3,3]");
}
END_TEST

START_TEST(inspect_text)
{
    RUNS(0, "\"$HONE\" inspect tiny.yaml");
    HAS(cli_out, "conv2d 3x3 /4 + batchnorm + relu");
    HAS(cli_out, "w8 a8");
    RUNS(0, "\"$HONE\" inspect tiny.yaml --set qat=null --quant");
    LACKS(cli_out, "w8 a8");
    RUNS(0, "\"$HONE\" inspect run/float.h5 --quant");
    HAS(cli_out, "scales are known");
    RUNS(0, "\"$HONE\" inspect run/last.h5 --quant");
    HAS(cli_out, "weight scales");
    RUNS(0, "\"$HONE\" inspect run/model.hone --quant");
    HAS(cli_out, "zero point");
    HAS(cli_out, "50.00 %");
}
END_TEST

START_TEST(bench_text)
{
    RUNS(0, "\"$HONE\" bench step tiny.yaml --steps 2 --mode float --batch 8 --threads 1");
    HAS(cli_out, "tiny, float: ");
    HAS(cli_out, "per step of 8 ");
    HAS(cli_out, "1 thread, ");
    RUNS(0, "\"$HONE\" bench step tiny.yaml --steps 2 --batch 512 --profile");
    HAS(cli_out, "softmax_xent");
    HAS(cli_out, "optimizer");
    HAS(cli_out, "ceilings: ");
    HAS(cli_out, " under 0.1 % each");
    LACKS(cli_out, "stem.weight.grid"); /* one of them */
    for (const char *line = cli_out; *line; line += strcspn(line, "\n") + 1)
        ck_assert_msg(strcspn(line, "\n") <= 110, "%.*s", (int)strcspn(line, "\n"), line);
    RUNS(0, "\"$HONE\" bench step tiny.yaml --steps 2 --data");
    HAS(cli_out, "tiny, qat: ");
    cli_fails(2, "bench step tiny.yaml --data --batch 8",
              "--data takes batches as training does: --set train.batch=8 in place of "
              "--batch");
    RUNS(1, "\"$HONE\" bench step tiny.yaml --set qat=null --mode qat");
    HAS(cli_err, "no qat section");
    RUNS(0, "\"$HONE\" bench infer run/model.hone --runs 5 --profile");
    HAS(cli_out, "us per image");
    HAS(cli_out, "classifier");
}
END_TEST

/* Without training: a configuration's network with random weights. */
START_TEST(bench_untrained)
{
    RUNS(0, "\"$HONE\" bench infer tiny.yaml --runs 5 --profile");
    HAS(cli_out, "us per image");
    HAS(cli_out, "1 thread, ");
    HAS(cli_out, "classifier");
    RUNS(0, "\"$HONE\" bench infer tiny.yaml --runs 5 --threads 2 --profile");
    HAS(cli_out, "2 threads, ");
    HAS(cli_out, "classifier");
    RUNS(1, "\"$HONE\" bench infer tiny.yaml --set qat=null --set prune=null");
    HAS(cli_err, "only a model with a qat section can be exported");
    RUNS(2, "\"$HONE\" bench infer run/model.hone --set seed=2");
    HAS(cli_err, "--set changes a configuration, and 'run/model.hone' is an artifact");
    RUNS(2, "\"$HONE\" bench infer run/last.h5");
    HAS(cli_err, "is a checkpoint (.h5), not a configuration (YAML) or an artifact (.hone)");
}
END_TEST

START_TEST(export_again)
{
    RUNS(0, "cp -r run again && \"$HONE\" export again/last.h5");
    HAS(cli_out, "again/export/model.hone");
    RUNS(0, "cmp run/model.hone again/export/model.hone && \"$HONE\" export again/last.h5");
    HAS(cli_out, "again/export-2/model.hone");
    RUNS(1, "\"$HONE\" export again/last.h5 --out again");
    ck_assert_str_eq(cli_err, "hone: the folder 'again' is not empty; export into a new one\n");
    /* A float model has nothing to export, and leaves no folder behind. */
    cli_fails(
        1, "export again/float.h5 --out nothing",
        "'again/float.h5' was saved after step 16, before quantization began (qat.begin_epoch "
        "2): its ranges are not calibrated");
    RUNS(1, "\"$HONE\" export run/last.h5 --set qat=null --out nothing");
    ck_assert_str_eq(cli_err, "hone: 'run/last.h5' is a float model: its configuration has no qat "
                              "section\n");
    RUNS(1, "test -e nothing");
    /* Nor has it ranges to evaluate codes with, whether as integers or as their values. */
    for (int i = 0; i < 2; i++)
        cli_fails(1,
                  i ? "eval again/float.h5 --arithmetic integer"
                    : "eval again/float.h5 --arithmetic fakequant",
                  "'again/float.h5' was saved after step 16, before quantization began "
                  "(qat.begin_epoch 2): its ranges are not calibrated");
    RUNS(1, "\"$HONE\" verify run/model.hone run/last.h5 --set qat=null");
    ck_assert_str_eq(cli_err, "hone: 'run/last.h5' is a float model: its configuration has no qat "
                              "section\n");
    RUNS(0, "cmp run/model.hone again/model.hone");
}
END_TEST

/* An artifact and data that are not each other's. */
START_TEST(eval_refuses)
{
    cli_fails(1, "eval run/model.hone --set 'dataset={kind: random, shape: [8, 8, 3]}'",
              "the artifact takes images of 32x32x3, those of 'random' are 8x8x3");
    cli_fails(1, "eval run/model.hone --set 'dataset={kind: random, classes: 4}'",
              "the artifact tells 10 classes apart, 'random' has 4");
}
END_TEST

/* ---- profiles ------------------------------------------------------------------------------------ */

/* Both roundings: two artifacts, each proven against an evaluation of its own. */
START_TEST(export_profiles)
{
    RUNS(0, "\"$HONE\" export run/last.h5 --requant s24,d31 --out both");
    HAS(cli_out, "both/model.s24.hone: ");
    HAS(cli_out, "both/model.d31.hone: ");
    RUNS(0, "cmp run/model.hone both/model.s24.hone");
    RUNS(0, "\"$HONE\" verify both/model.d31.hone run/last.h5 --json");
    HAS(cli_out, "\"bit_exact\": true");
    HAS(cli_out, "\"mismatches\": 0");
    RUNS(0, "\"$HONE\" verify both/model.s24.hone run/last.h5");
    RUNS(0, "\"$HONE\" inspect both/model.d31.hone");
    HAS(cli_out, "requantization d31");
    RUNS(0, "\"$HONE\" inspect both/model.d31.hone --json");
    HAS(cli_out, "\"requant\": \"d31\"");
    RUNS(0, "\"$HONE\" bench infer both/model.d31.hone --runs 5");
    RUNS(0, "\"$HONE\" export run/last.h5 --requant d31 --out single");
    RUNS(0, "cmp single/model.hone both/model.d31.hone");
    RUNS(1, "\"$HONE\" export run/last.h5 --set 'export.requant=[s24, s24]' --out none");
    HAS(cli_err, "export: requant names 's24' twice");
}
END_TEST

/* The trainer's own integer evaluation is in the first profile. */
START_TEST(train_profiles)
{
    RUNS(0, "\"$HONE\" train tiny.yaml --out d31 --set 'export.requant=[d31, s24]' && "
            "cat d31/summary.json");
    HAS(cli_out, "d31/model.d31.hone\", \"format\": \"hone\", \"requant\": \"d31\", ");
    HAS(cli_out, "d31/model.s24.hone\", \"format\": \"hone\", \"requant\": \"s24\", ");
    HAS(cli_out, "\"bit_exact\": true");
    RUNS(0, "\"$HONE\" eval d31/last.h5 | sed 's/ (.*//' > a; "
            "\"$HONE\" eval d31/model.d31.hone --config tiny.yaml | sed 's/ (.*//' | cmp - a");
}
END_TEST

/* ---- damage -------------------------------------------------------------------------------------- */

static const char *const readers[] = {"inspect %s", "eval %s --config tiny.yaml",
                                      "verify %s run/last.h5", "bench infer %s", "run %s a.csv"};

static void check_refused(const char *name, const char *sentence)
{
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        char arguments[128];
        snprintf(arguments, sizeof arguments, readers[i], name);
        RUNS(1, "\"$HONE\" %s", arguments);
        ck_assert_int_eq(strncmp(cli_err, "hone: ", 6), 0);
        HAS(cli_err, sentence);
        ck_assert_str_eq(cli_out, "");
    }
}

START_TEST(artifact_damaged)
{
    RUNS(0, "head -c 700 run/model.hone > cut.hone; : > empty.hone; "
            "(head -c 900 run/model.hone; printf X; tail -c +902 run/model.hone) > flip.hone; "
            "cmp -s run/model.hone flip.hone && exit 1; exit 0");
    check_refused("cut.hone", "the file is shorter than it says");
    check_refused("flip.hone", "the checksum is wrong");
    check_refused("empty.hone", "the file is shorter than it says");
}
END_TEST

START_TEST(checkpoint_damaged)
{
    RUNS(0, "head -c 3000 run/last.h5 > cut.h5; echo nonsense > text.h5");
    RUNS(1, "\"$HONE\" eval cut.h5");
    HAS(cli_err, "cut.h5");
    RUNS(1, "\"$HONE\" inspect text.h5");
    HAS(cli_err, "text.h5");
    RUNS(1, "\"$HONE\" inspect absent.h5");
    ck_assert_str_eq(cli_err, "hone: cannot read 'absent.h5': No such file or directory\n");
}
END_TEST

/* One weight of layer 'body' changed by one, the checksum made right again. */
START_TEST(verify_finds_mutation)
{
    char path[512];
    unsigned char *bytes;
    size_t count;
    HoneRtModel model;
    snprintf(path, sizeof path, "%s/run/model.hone", cli_folder);
    ck_assert_int_eq(file_read(path, 1 << 20, &bytes, &count, &cli_error), HONE_OK);
    ck_assert_int_eq(hone_rt_open(&model, bytes, count, &hone_rt_kernels_ref), HONE_RT_OK);
    ck_assert_str_eq(hone_rt_op_name(&model, 1), "body");
    size_t constants = (size_t)(model.program.constants - bytes);
    for (size_t i = 0; i < 8 * 3 * 3 * 8; i++) { /* whichever matter, some do */
        unsigned char *w = &bytes[constants + model.program.ops[1].weights + i];
        *w = *w == 127 ? 126 : (unsigned char)(*w + (*w != 0));
    }
    uint32_t crc = hone_rt_file_crc(bytes, count);
    memcpy(bytes + offsetof(HoneRtHeader, crc), &crc, sizeof crc);
    snprintf(path, sizeof path, "%s/mutant.hone", cli_folder);
    ck_assert_int_eq(file_write_atomic(path, bytes, count, &cli_error), HONE_OK);
    free(bytes);
    RUNS(0, "\"$HONE\" verify run/model.hone run/last.h5 --limit 5");
    HAS(cli_out, "bit-exact: ");
    const char *level = getenv("HONE_CPU");
    const bool ref = level && strcmp(level, "ref") == 0;
    HAS(cli_out, ref ? " on 5 test images with ref kernels; accuracy "
                     : " kernels and on the first 5 with ref; accuracy ");
    RUNS(1, "\"$HONE\" verify mutant.hone run/last.h5");
    HAS(cli_err, "hone: 'mutant.hone' and 'run/last.h5' differ in ");
    HAS(cli_err, "first in layer 'body': ");
    ck_assert_str_eq(cli_out, "");
    RUNS(1, "\"$HONE\" verify mutant.hone run/last.h5 --json");
    HAS(cli_out, "\"bit_exact\": false");
    HAS(cli_out, "\"first_layer\": \"body\"");
    ck_assert(cli_is_json());
}
END_TEST

START_TEST(output_refused)
{
    RUNS(1, "\"$HONE\" inspect tiny.yaml > /dev/full");
    HAS(cli_err, "cannot write to standard output");
}
END_TEST

Suite *suite_cli_artifact(void)
{
    Suite *s = suite_create("cli_artifact");
    TCase *t = cli_case(s);
    tcase_add_loop_test(t, json, 0, JSONS);
    tcase_add_test(t, eval_arithmetic);
    tcase_add_test(t, other_architecture);
    tcase_add_test(t, inspect_text);
    tcase_add_test(t, bench_text);
    tcase_add_test(t, bench_untrained);
    tcase_add_test(t, export_again);
    tcase_add_test(t, eval_refuses);
    tcase_add_test(t, export_profiles);
    tcase_add_test(t, train_profiles);
    tcase_add_test(t, artifact_damaged);
    tcase_add_test(t, checkpoint_damaged);
    tcase_add_test(t, verify_finds_mutation);
    tcase_add_test(t, output_refused);
    return s;
}
