/* Tests of the command line: exit status and every word on standard error; help, configurations. SPDX-License-Identifier: Apache-2.0 */
#include "api/hone.h"
#include "tests/cli_kit.h"
#include "tests/suites.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

/* ---- wrong usage --------------------------------------------------------------------------------- */

static const struct {
    const char *arguments, *sentence; /* on standard error, behind "hone: " */
} misuses[] = {
    {"trian tiny.yaml", "unknown command 'trian', did you mean 'train'?"},
    {"zzz", "unknown command 'zzz' (hone --help lists them)"},
    {"tiny.yaml", "unknown command 'tiny.yaml', did you mean 'hone train tiny.yaml'?"},
    {"bench", "bench: which one, 'bench step' or 'bench infer'?"},
    {"bench stpe", "unknown command 'bench stpe', did you mean 'bench step'?"},
    {"benhc step", "unknown command 'benhc', did you mean 'bench'?"},
    {"train", "train: CONFIG is missing (hone train --help shows how)"},
    {"verify run/model.hone", "verify: CHECKPOINT is missing (hone verify --help shows how)"},
    {"train tiny.yaml --resmue", "train: unknown flag '--resmue', did you mean '--resume'?"},
    {"train tiny.yaml --threds=2", "train: unknown flag '--threds', did you mean '--threads'?"},
    {"train tiny.yaml --xyzzy",
     "train: unknown flag '--xyzzy' (hone train --help lists what there is)"},
    {"bench step tiny.yaml -x",
     "bench step: unknown flag '-x' (hone bench step --help lists what there is)"},
    {"train tiny.yaml more",
     "train: one argument too many, 'more' (hone train --help lists what there is)"},
    {"train -- tiny.yaml --plan",
     "train: one argument too many, '--plan' (hone train --help lists what there is)"},
    {"train tiny.yaml --out", "train: --out needs a value, DIR"},
    {"train tiny.yaml --threads two", "train: --threads: 'two' is not a whole number"},
    {"train tiny.yaml --threads=", "train: --threads: '' is not a whole number"},
    {"train tiny.yaml --threads 0", "train: --threads: 0 is outside 1..256"},
    {"train tiny.yaml --threads 257", "train: --threads: 257 is outside 1..256"},
    {"train tiny.yaml --threads 1e9", "train: --threads: '1e9' is not a whole number"},
    {"train tiny.yaml --threads 99999999999999999999",
     "train: --threads: 99999999999999999999 is outside 1..256"},
    {"train tiny.yaml --seed 99999999999999999999",
     "train: --seed: 99999999999999999999 is outside 0..9223372036854775807"},
    {"train tiny.yaml --quiet=yes", "train: --quiet takes no value"},
    {"bench step tiny.yaml --mode qta",
     "bench step: --mode: 'qta' is not float|qat, did you mean 'qat'?"},
    {"eval run/last.h5 --split validation", "eval: --split: 'validation' is not train|test"},
    {"config tiny.yaml --schema",
     "config: CONFIG, --key, --schema and --markdown exclude each other"},
    {"config --set seed=1", "config: --set needs a CONFIG"},
    {"config --key train.nothing",
     "config: no option 'train.nothing' (hone config lists them all)"},
    {"train run/last.h5", "'run/last.h5' is a checkpoint (.h5), not a configuration (YAML)"},
    {"verify run/last.h5 run/model.hone",
     "'run/last.h5' is a checkpoint (.h5), not an artifact (.hone)"},
    {"verify run/model.hone tiny.yaml",
     "'tiny.yaml' is a configuration (YAML), not a checkpoint (.h5)"},
    {"export run/model.hone", "'run/model.hone' is an artifact (.hone), not a checkpoint (.h5)"},
    {"export run/last.h5 --requant s25",
     "export: --requant: 's25' is not s24|d31, did you mean 's24'?"},
    {"export run/last.h5 --requant d31,", "export: --requant: '' is not s24|d31"},
    {"export run/last.h5 --requant d31,s24,d31", "export: --requant names 'd31' twice"},
    {"export run/last.h5 --format=pdf", "export: --format: 'pdf' is not hone"},
    {"eval tiny.yaml",
     "'tiny.yaml' is a configuration (YAML), not a checkpoint (.h5) or an artifact (.hone)"},
    {"eval lone/model.hone",
     "eval: an artifact needs --config CONFIG, for the data: there is no 'lone/config.yaml'"},
    {"eval run/model.hone --arithmetic float", "eval: an artifact has integer arithmetic only"},
    {"eval run/last.h5 --config tiny.yaml",
     "eval: a checkpoint knows its configuration; --config is for artifacts, --set changes single "
     "options"},
    {"inspect run/model.hone --set seed=2", "inspect: --set is for configurations and checkpoints"},
    {"run run/model.hone", "run: INPUT... is missing (hone run --help shows how)"},
    {"run run/last.h5 a.png", "'run/last.h5' is a checkpoint (.h5), not an artifact (.hone)"},
    {"run run/model.hone a.gif", "run: 'a.gif' is none of .jpg, .jpeg, .png, .npy, .csv, .wav"},
    {"run run/model.hone --top 0 a.png", "run: --top: 0 is outside 1..65536"},
};
enum { MISUSES = sizeof misuses / sizeof misuses[0] };

START_TEST(usage)
{
    cli_fails(2, misuses[_i].arguments, misuses[_i].sentence);
}
END_TEST

START_TEST(no_command)
{
    RUNS(2, "\"$HONE\"");
    HAS(cli_err, "usage: hone COMMAND");
    ck_assert_str_eq(cli_out, "");
    RUNS(0, "\"$HONE\" --version");
    ck_assert_str_eq(cli_out, "hone " HONE_VERSION "\n");
    RUNS(2, "./train");
    ck_assert_str_eq(cli_err, "hone: train: CONFIG is missing (hone train --help shows how)\n");
}
END_TEST

/* ---- help ---------------------------------------------------------------------------------------- */

static const char *const commands[] = {"train",   "eval",   "export",     "verify",     "run",
                                       "inspect", "config", "bench step", "bench infer"};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

START_TEST(help)
{
    char usage_of[64];
    snprintf(usage_of, sizeof usage_of, "usage: hone %s ", commands[_i]);
    RUNS(0, "\"$HONE\" %s --help", commands[_i]);
    ck_assert_int_eq(strncmp(cli_out, usage_of, strlen(usage_of)), 0);
    HAS(cli_out, "\nexample:\n  hone ");
    for (const char *line = cli_out; *line; line += strcspn(line, "\n") + 1)
        ck_assert_int_le((int)strcspn(line, "\n"), 100);
    /* Wherever it stands, whatever else is wrong. */
    RUNS(0, "\"$HONE\" %s --wrong -h", commands[_i]);
    RUNS(0, "\"$HONE\" help %s", commands[_i]);
    ck_assert_int_eq(strncmp(cli_out, usage_of, strlen(usage_of)), 0);
    RUNS(0, "\"$HONE\" --help");
    snprintf(usage_of, sizeof usage_of, "\n  %s ", commands[_i]);
    HAS(cli_out, usage_of);
}
END_TEST

START_TEST(help_of_train_and_group)
{
    RUNS(0, "./train --help");
    ck_assert_int_eq(strncmp(cli_out, "usage: ./train CONFIG", 21), 0);
    RUNS(0, "\"$HONE\" bench --help");
    HAS(cli_out, "usage: hone bench step");
    HAS(cli_out, "usage: hone bench infer");
}
END_TEST

/* ---- configurations ------------------------------------------------------------------------------ */

static const struct {
    const char *yaml, *arguments, *sentence;
} configs[] = {
    {"", "inspect none.yaml", "cannot read 'none.yaml': No such file or directory"},
    {"", "inspect .", "'.' is a folder"},
    {"name: [a\n", "inspect bad.yaml", "bad.yaml:2:1: "},
    {"name: a\ntrian: {epochs: 1}\n", "train bad.yaml",
     "bad.yaml:2:1: unknown key 'trian', did you mean 'train'?"},
    {"name: a\ntrain: {epochs: 1, optimizer: {learing_rate: 1}}\n", "config bad.yaml",
     "bad.yaml:2:32: unknown key 'learing_rate'"},
    {"", "config tiny.yaml --set train.epohcs=3", "--set train.epohcs=3: unknown key 'epohcs'"},
    {"", "config tiny.yaml --set train.epochs=0",
     "--set train.epochs=0: train.epochs: 0 is outside 1..100000 epochs"},
    {"", "config tiny.yaml --set prune.method=random",
     "--set prune.method=random: prune.method: 'random' is not magnitude"},
    {"", "train tiny.yaml --set threads=257",
     "--set threads=257: threads: 257 is outside 0..256 threads"},
    {"", "train tiny.yaml --plan --set qat.begin_epoch=9", "qat.begin_epoch: 9 is after the end"},
    {"", "inspect tiny.yaml --set 'qat.overrides=[{layers: nothing, weights: 4}]'", "nothing"},
    {"", "train tiny.yaml --set 'dataset={kind: cifar10}'", "data/cifar-10-batches-bin"},
    {"", "train tiny.yaml --set model.classes=9", "model"},
    {"", "train tiny.yaml --set augment.mixup=0.2 --set 'train.loss={kind: mse}'",
     "augment.mixup: 0.2, but labels are mixed for train.loss.kind: cross_entropy only"},
    {"", "train tiny.yaml --set 'dataset={kind: images, path: no, size: [32, 32]}'",
     "images: cannot read the folder no: No such file or directory"},
};
enum { CONFIGS = sizeof configs / sizeof configs[0] };

START_TEST(bad_config)
{
    if (*configs[_i].yaml)
        cli_write("bad.yaml", configs[_i].yaml);
    RUNS(1, "\"$HONE\" %s", configs[_i].arguments);
    ck_assert_int_eq(strncmp(cli_err, "hone: ", 6), 0);
    ck_assert_ptr_eq(strchr(cli_err, '\n'),
                     cli_err + strlen(cli_err) - 1); /* one sentence on one line */
    HAS(cli_err, configs[_i].sentence);
    ck_assert_str_eq(cli_out, "");
    RUNS(0, "test ! -e runs");
}
END_TEST

START_TEST(config_resolved)
{
    RUNS(0, "\"$HONE\" config tiny.yaml --set train.epochs=7 > full.yaml");
    RUNS(0, "\"$HONE\" config full.yaml | cmp - full.yaml && grep -q 'epochs: 7' full.yaml");
    RUNS(0, "\"$HONE\" config run/last.h5 | cmp - run/config.yaml");
    RUNS(0, "\"$HONE\" config --key train.optimizer");
    HAS(cli_out, "train.optimizer.lr = ");
    LACKS(cli_out, "train.epochs");
    RUNS(0, "\"$HONE\" config");
    HAS(cli_out, "train.epochs = required");
}
END_TEST

START_TEST(config_schema)
{
    JSON_OF(0, "\"$HONE\" config --schema");
    int status = cli_sh("\"$HONE\" config --markdown | cmp - \"$ROOT/configs/SCHEMA.md\"");
    ck_assert_msg(status == 0, "configs/SCHEMA.md is stale: ./hone config --markdown "
                               ">configs/SCHEMA.md");
}
END_TEST

START_TEST(cpu_unknown)
{
    RUNS(1, "HONE_CPU=z80 \"$HONE\" inspect tiny.yaml");
    HAS(cli_err, "z80");
    RUNS(1, "HONE_CPU=z80 \"$HONE\" bench infer run/model.hone");
    HAS(cli_err, "z80");
}
END_TEST

Suite *suite_cli(void)
{
    Suite *s = suite_create("cli");
    TCase *t = cli_case(s);
    tcase_add_loop_test(t, usage, 0, MISUSES);
    tcase_add_test(t, no_command);
    tcase_add_loop_test(t, help, 0, COMMANDS);
    tcase_add_test(t, help_of_train_and_group);
    tcase_add_loop_test(t, bad_config, 0, CONFIGS);
    tcase_add_test(t, config_resolved);
    tcase_add_test(t, config_schema);
    tcase_add_test(t, cpu_unknown);
    return s;
}
