/* Tests of the program as its users meet it: exit status, every word on standard error, files.
 *
 * One tiny model (tests/cli/tiny.yaml) is trained once; the tests read its folder and write into
 * others. SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"
#include "datasets/image.h"
#include "runtime/crc.h"
#include "runtime/runtime.h"
#include "tests/oracle/image_fixtures.h"
#include "tests/suites.h"

#include <check.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[256], root[512];
static char out[1 << 18], err[1 << 14]; /* of the last command */
static Error e;

static void slurp(const char *name, char *text, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    text[fread(text, 1, size - 1, f)] = '\0';
    fclose(f);
}

/* Runs a shell command in the folder; returns its exit status and fills out and err. */
static int sh(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int sh(const char *format, ...)
{
    char command[2048], line[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    snprintf(line, sizeof line, "cd %s && { %s ; } >out 2>err </dev/null", folder, command);
    int status = system(line);
    slurp("out", out, sizeof out);
    slurp("err", err, sizeof err);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define RUNS(status, ...)                                                                          \
    do {                                                                                           \
        int got_ = sh(__VA_ARGS__);                                                                \
        ck_assert_msg(got_ == (status), "status %d, stdout '%s', stderr '%s'", got_, out, err);    \
    } while (0)
#define HAS(text, part)   ck_assert_msg(strstr(text, part), "no '%s' in '%s'", part, text)
#define LACKS(text, part) ck_assert_msg(!strstr(text, part), "'%s' in '%s'", part, text)

/* Whether out, which stays as it is, is JSON to Python. */
static bool is_json(void)
{
    char line[512];
    snprintf(line, sizeof line, "cd %s && python3 -m json.tool out >/dev/null", folder);
    return system(line) == 0;
}

/* The command's standard output is one JSON object. */
#define JSON_OF(status, command)                                                                   \
    do {                                                                                           \
        RUNS(status, "%s", command);                                                               \
        ck_assert_int_eq(out[0], '{');                                                             \
        ck_assert_msg(is_json(), "no JSON: %s", out);                                              \
    } while (0)

static void write_file(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ck_assert_int_eq(file_write_atomic(path, text, strlen(text), &e), HONE_OK);
}

/* Before all tests, in their parent: the program, a folder, a trained model in run/. */
static void prepare(void)
{
    const char *top = getenv("TMPDIR"), *program = getenv("HONE_PROGRAM");
    char path[1024];
    program = program ? program : "hone";
    snprintf(folder, sizeof folder, "%s/hone-cli-XXXXXX", top ? top : "/tmp");
    ck_assert_ptr_nonnull(getcwd(root, sizeof root));
    snprintf(path, sizeof path, "%s/%s", *program == '/' ? "" : root, program);
    ck_assert_msg(access(path, X_OK) == 0, "no program %s: make it, or set HONE_PROGRAM", path);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    setenv("HONE", path, 1);
    setenv("ROOT", root, 1);
    unsetenv("HONE_DATA");
    RUNS(0, "ln -s \"$HONE\" train && cp \"$ROOT/tests/cli/tiny.yaml\" . && mkdir lone");
    RUNS(0, "\"$HONE\" train tiny.yaml --out run");
    RUNS(0, "cp run/model.hone lone/");
}

static void clean(void)
{
    char line[512];
    snprintf(line, sizeof line, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(line), 0);
}

static void reset(void)
{
    e = (Error){0};
}

/* ---- wrong usage ---------------------------------------------------------------------------- */

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

static void check_failure(int status, const char *arguments, const char *sentence)
{
    char wanted[1024];
    snprintf(wanted, sizeof wanted, "hone: %s\n", sentence);
    RUNS(status, "\"$HONE\" %s", arguments);
    ck_assert_str_eq(err, wanted);
    ck_assert_str_eq(out, "");
}

START_TEST(usage)
{
    check_failure(2, misuses[_i].arguments, misuses[_i].sentence);
}
END_TEST

START_TEST(no_command)
{
    RUNS(2, "\"$HONE\"");
    HAS(err, "usage: hone COMMAND");
    ck_assert_str_eq(out, "");
    RUNS(2, "./train");
    ck_assert_str_eq(err, "hone: train: CONFIG is missing (hone train --help shows how)\n");
}
END_TEST

/* ---- help ----------------------------------------------------------------------------------- */

static const char *const commands[] = {"train",   "eval",   "export",     "verify",     "run",
                                       "inspect", "config", "bench step", "bench infer"};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

START_TEST(help)
{
    char usage_of[64];
    snprintf(usage_of, sizeof usage_of, "usage: hone %s ", commands[_i]);
    RUNS(0, "\"$HONE\" %s --help", commands[_i]);
    ck_assert_int_eq(strncmp(out, usage_of, strlen(usage_of)), 0);
    HAS(out, "\nexample:\n  hone ");
    for (const char *line = out; *line; line += strcspn(line, "\n") + 1)
        ck_assert_int_le((int)strcspn(line, "\n"), 100);
    /* Wherever it stands, whatever else is wrong. */
    RUNS(0, "\"$HONE\" %s --wrong -h", commands[_i]);
    RUNS(0, "\"$HONE\" help %s", commands[_i]);
    ck_assert_int_eq(strncmp(out, usage_of, strlen(usage_of)), 0);
    RUNS(0, "\"$HONE\" --help");
    snprintf(usage_of, sizeof usage_of, "\n  %s ", commands[_i]);
    HAS(out, usage_of);
}
END_TEST

START_TEST(help_of_train_and_group)
{
    RUNS(0, "./train --help");
    ck_assert_int_eq(strncmp(out, "usage: ./train CONFIG", 21), 0);
    RUNS(0, "\"$HONE\" bench --help");
    HAS(out, "usage: hone bench step");
    HAS(out, "usage: hone bench infer");
}
END_TEST

/* ---- configurations ------------------------------------------------------------------------- */

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
        write_file("bad.yaml", configs[_i].yaml);
    RUNS(1, "\"$HONE\" %s", configs[_i].arguments);
    ck_assert_int_eq(strncmp(err, "hone: ", 6), 0);
    ck_assert_ptr_eq(strchr(err, '\n'), err + strlen(err) - 1); /* one sentence on one line */
    HAS(err, configs[_i].sentence);
    ck_assert_str_eq(out, "");
    ck_assert_int_ne(access("runs", F_OK), 0);
}
END_TEST

START_TEST(config_resolved)
{
    RUNS(0, "\"$HONE\" config tiny.yaml --set train.epochs=7 > full.yaml");
    RUNS(0, "\"$HONE\" config full.yaml | cmp - full.yaml && grep -q 'epochs: 7' full.yaml");
    RUNS(0, "\"$HONE\" config run/last.h5 | cmp - run/config.yaml");
    RUNS(0, "\"$HONE\" config --key train.optimizer");
    HAS(out, "train.optimizer.lr = ");
    LACKS(out, "train.epochs");
    RUNS(0, "\"$HONE\" config");
    HAS(out, "train.epochs = required");
}
END_TEST

START_TEST(config_schema)
{
    JSON_OF(0, "\"$HONE\" config --schema");
    int status = sh("\"$HONE\" config --markdown | cmp - \"$ROOT/configs/SCHEMA.md\"");
    ck_assert_msg(status == 0, "configs/SCHEMA.md is stale: ./hone config --markdown "
                               ">configs/SCHEMA.md");
}
END_TEST

START_TEST(cpu_unknown)
{
    RUNS(1, "HONE_CPU=z80 \"$HONE\" inspect tiny.yaml");
    HAS(err, "z80");
    RUNS(1, "HONE_CPU=z80 \"$HONE\" bench infer run/model.hone");
    HAS(err, "z80");
}
END_TEST

/* ---- training ------------------------------------------------------------------------------- */

START_TEST(train_files)
{
    RUNS(0, "ls run");
    static const char *const files[] = {"config.yaml", "last.h5",  "best.h5",     "metrics.jsonl",
                                        "model.hone",  "float.h5", "summary.json"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        HAS(out, files[i]);
    JSON_OF(0, "cat run/summary.json");
    RUNS(0, "grep -q '\"bit_exact\": true' run/summary.json");
}
END_TEST

/* A pipe or a file gets lines: no escape sequences, nothing redrawn, nothing on standard error. */
START_TEST(train_plain)
{
    RUNS(0, "./train tiny.yaml --out plain --threads 1");
    ck_assert_str_eq(err, "");
    ck_assert_ptr_null(strpbrk(out, "\r\033"));
    HAS(out, "tiny: layers, ");
    HAS(out, "\n  4/4 ");
    HAS(out, "\nqat from step 16: ");
    HAS(out, "bit-exact");
    HAS(out, "plain/model.hone");
    RUNS(0, "cmp plain/model.hone run/model.hone");
}
END_TEST

START_TEST(train_quiet_numbered)
{
    RUNS(0, "mkdir numbers && cd numbers && \"$HONE\" train ../tiny.yaml --quiet");
    ck_assert_str_eq(out, "runs/tiny\n");
    ck_assert_str_eq(err, "");
    RUNS(0, "cd numbers && \"$HONE\" train ../tiny.yaml --quiet --seed 2");
    ck_assert_str_eq(out, "runs/tiny-2\n");
    RUNS(0, "cd numbers && grep -qx 'seed: 2' runs/tiny-2/config.yaml");
    RUNS(1, "cd numbers && cmp -s runs/tiny/model.hone runs/tiny-2/model.hone");
}
END_TEST

START_TEST(train_refuses_folder)
{
    RUNS(1, "cp -r run taken && \"$HONE\" train tiny.yaml --out taken");
    ck_assert_str_eq(err, "hone: the folder 'taken' is not empty; --resume goes on with the run in "
                          "it\n");
    RUNS(0, "diff -r run taken");
    RUNS(1, "\"$HONE\" train tiny.yaml --out tiny.yaml/x");
    HAS(err, "tiny.yaml");
}
END_TEST

START_TEST(train_finished)
{
    RUNS(0, "cp -r run finished && \"$HONE\" train tiny.yaml --out finished --resume");
    HAS(out, "finished is a finished run: nothing to do");
    RUNS(0, "diff -r run finished");
    RUNS(1, "\"$HONE\" train tiny.yaml --out finished --resume --set train.batch=8");
    HAS(err, "batch");
    RUNS(0, "diff -r run finished");
}
END_TEST

/* A run that learns too fast ends with one sentence, its good checkpoints stay. */
START_TEST(train_diverges)
{
    RUNS(1, "\"$HONE\" train tiny.yaml --set train.optimizer.lr=1000 --set "
            "train.optimizer.weight_decay=1 --set qat=null --set prune=null --out burnt");
    ck_assert_ptr_eq(strchr(err, '\n'), err + strlen(err) - 1);
    HAS(err, "not finite");
    HAS(err, "a lower train.optimizer.lr, a longer warm-up or train.clip_norm may help\n");
    RUNS(0, "! test -e burnt/summary.json");
}
END_TEST

START_TEST(train_plan)
{
    RUNS(0, "\"$HONE\" train tiny.yaml --plan --out planned");
    HAS(out, "stem");
    RUNS(1, "test -e planned || test -e runs");
    RUNS(0, "\"$HONE\" train tiny.yaml --plan --set 'dataset={kind: cifar10}'");
    HAS(out, "cifar");
}
END_TEST

/* Starts a run that would take hours, waits until `ready` holds, sends a signal; the program's status
 * and its standard error are those of the command. */
static void interrupt(const char *arguments, const char *ready, const char *signal)
{
    RUNS(130,
         "rm -f log; \"$HONE\" train %s > log & child=$!; n=0; "
         "until { %s ; } || [ $n -gt 500 ]; do sleep 0.02; n=$((n+1)); done; "
         "kill -%s $child; wait $child",
         arguments, ready, signal);
    ck_assert_int_eq(strncmp(err, "hone: ", 6), 0);
    HAS(err, "(to go on: hone train long/config.yaml --out long --resume)\n");
    RUNS(0, "! grep -q done log");
}

/* With each of the signals; then the command that the sentence gives goes on from there. */
START_TEST(train_interrupted)
{
    static const char *const signals[] = {"INT", "TERM"};
    RUNS(0, "rm -rf long");
    interrupt("tiny.yaml --set train.epochs=100000 --set qat.begin_epoch=9 --out long",
              "[ -s long/last.h5 ]", signals[_i]);
    JSON_OF(0, "\"$HONE\" inspect long/last.h5 --json");
    int64_t steps = atoll(strstr(out, "\"step\": ") + 8);
    interrupt("long/config.yaml --out long --resume", "grep -qs 'from step' log", signals[_i]);
    RUNS(0, "\"$HONE\" inspect long/last.h5 --json");
    ck_assert_int_ge(atoll(strstr(out, "\"step\": ") + 8), steps);
}
END_TEST

/* On a terminal a line is redrawn in place, and gone in the end. */
START_TEST(train_terminal)
{
    RUNS(0, "TERM=xterm LC_ALL=C.UTF-8 python3 -c 'import os, pty, sys\n"
            "sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' "
            "\"$HONE\" train tiny.yaml --out shown --set eval.every_epochs=2");
    HAS(out, "\r\033[K");
    HAS(out, "left");
    HAS(out, "\033[1m");
    const char *last = strrchr(out, '\033');
    ck_assert_ptr_nonnull(last);
    LACKS(last, "left");
    RUNS(0, "NO_COLOR=1 TERM=xterm python3 -c 'import os, pty, sys\n"
            "sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' "
            "\"$HONE\" train tiny.yaml --out grey");
    LACKS(out, "\033[1m");
}
END_TEST

/* ---- checkpoints and artifacts -------------------------------------------------------------- */

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
static const char *const json_keys[][9] = {
    {"accuracy", "loss", "n"},
    {"accuracy", "loss", "n"},
    {"accuracy", "loss", "n"},
    {"bit_exact", "compared", "mismatches", "first_layer"},
    {"params", "macs", "layers"},
    {"params", "macs", "layers"},
    {"params", "macs", "layers", "bytes", "ram_bytes", "requant", "certificate"},
    {"images_per_s", "ms_per_step", "peak_rss_bytes", "arena_bytes", "batch", "threads", "mode",
     "cpu", "blas_core"},
    {"latency_us", "latency_us_p10", "latency_us_p90", "threads", "kernels"},
    {"latency_us", "latency_us_p10", "latency_us_p90", "threads", "kernels"},
};
enum { JSONS = sizeof json_commands / sizeof json_commands[0] };

START_TEST(json)
{
    JSON_OF(0, json_commands[_i]);
    ck_assert_str_eq(err, "");
    for (int k = 0; k < 9 && json_keys[_i][k]; k++) {
        char key[64];
        snprintf(key, sizeof key, "\n  \"%s\": ", json_keys[_i][k]);
        HAS(out, key);
    }
}
END_TEST

START_TEST(eval_arithmetic)
{
    RUNS(0, "\"$HONE\" eval run/last.h5");
    HAS(out, " of 40 test images, loss ");
    HAS(out, "(integer)\n");
    RUNS(0, "\"$HONE\" eval run/float.h5");
    HAS(out, "(float)\n");
    RUNS(0, "\"$HONE\" eval run/last.h5 --arithmetic fakequant --split train --limit 7");
    HAS(out, " of 7 train images, ");
    /* An artifact and the checkpoint that it was made of say the same. */
    RUNS(0, "\"$HONE\" eval run/last.h5 | sed 's/ (.*//' > a; "
            "\"$HONE\" eval lone/model.hone --config tiny.yaml | sed 's/ (.*//' | cmp - a");
}
END_TEST

START_TEST(other_architecture)
{
    RUNS(1, "\"$HONE\" eval run/last.h5 --set model.layers.0.filters=12");
    HAS(err, "stem.weight");
    HAS(err, "[8,3,3,3]");
    HAS(err, "[12,3,3,3]");
}
END_TEST

START_TEST(inspect_text)
{
    RUNS(0, "\"$HONE\" inspect tiny.yaml");
    HAS(out, "conv2d 3x3 /4 + batchnorm + relu");
    HAS(out, "w8 a8");
    RUNS(0, "\"$HONE\" inspect tiny.yaml --set qat=null --quant");
    LACKS(out, "w8 a8");
    RUNS(0, "\"$HONE\" inspect run/float.h5 --quant");
    HAS(out, "scales are known");
    RUNS(0, "\"$HONE\" inspect run/last.h5 --quant");
    HAS(out, "weight scales");
    RUNS(0, "\"$HONE\" inspect run/model.hone --quant");
    HAS(out, "zero point");
    HAS(out, "50.00 %");
}
END_TEST

START_TEST(bench_text)
{
    RUNS(0, "\"$HONE\" bench step tiny.yaml --steps 2 --mode float --batch 8 --threads 1");
    HAS(out, "tiny, float: ");
    HAS(out, "per step of 8 ");
    HAS(out, "1 thread, ");
    RUNS(0, "\"$HONE\" bench step tiny.yaml --steps 2 --profile");
    HAS(out, "softmax_xent");
    HAS(out, "optimizer");
    RUNS(1, "\"$HONE\" bench step tiny.yaml --set qat=null --mode qat");
    HAS(err, "no qat section");
    RUNS(0, "\"$HONE\" bench infer run/model.hone --runs 5 --profile");
    HAS(out, "us per image");
    HAS(out, "classifier");
}
END_TEST

/* Without training: a configuration's network with random weights. */
START_TEST(bench_untrained)
{
    RUNS(0, "\"$HONE\" bench infer tiny.yaml --runs 5 --profile");
    HAS(out, "us per image");
    HAS(out, "1 thread, ");
    HAS(out, "classifier");
    RUNS(0, "\"$HONE\" bench infer tiny.yaml --runs 5 --threads 2 --profile");
    HAS(out, "2 threads, ");
    HAS(out, "classifier");
    RUNS(1, "\"$HONE\" bench infer tiny.yaml --set qat=null --set prune=null");
    HAS(err, "only a model with a qat section can be exported");
    RUNS(2, "\"$HONE\" bench infer run/model.hone --set seed=2");
    HAS(err, "--set changes a configuration, and 'run/model.hone' is an artifact");
    RUNS(2, "\"$HONE\" bench infer run/last.h5");
    HAS(err, "is a checkpoint (.h5), not a configuration (YAML) or an artifact (.hone)");
}
END_TEST

START_TEST(export_again)
{
    RUNS(0, "cp -r run again && \"$HONE\" export again/last.h5");
    HAS(out, "again/export/model.hone");
    RUNS(0, "cmp run/model.hone again/export/model.hone && \"$HONE\" export again/last.h5");
    HAS(out, "again/export-2/model.hone");
    RUNS(1, "\"$HONE\" export again/last.h5 --out again");
    ck_assert_str_eq(err, "hone: the folder 'again' is not empty; export into a new one\n");
    RUNS(1, "\"$HONE\" export again/last.h5 --format pdf --out pdf");
    HAS(err, "export.formats");
    /* A float model has nothing to export, and leaves no folder behind. */
    RUNS(1, "\"$HONE\" export again/float.h5 --out nothing");
    RUNS(1, "test -e nothing");
    RUNS(0, "cmp run/model.hone again/model.hone");
}
END_TEST

/* ---- run ------------------------------------------------------------------------------------ */

/* A .npy file of pixels [3072]: as uint8, or as float32 in real numbers. */
static void write_npy(const char *name, const uint8_t *pixels, bool bytes)
{
    char path[512], header[129];
    snprintf(path, sizeof path, "%s/%s", folder, name);
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
    snprintf(path, sizeof path, "%s/a.png", folder);
    ck_assert_int_eq(file_write_atomic(path, png_colour, sizeof png_colour, &e), HONE_OK);
    ck_assert_int_eq(image_read(&image, path, &e), HONE_OK);
    ck_assert_int_eq(image_fit(&image, 32, 32, 3, IMAGE_CROP, pixels, &e), HONE_OK);
    image_release(&image);
    write_npy("a.npy", pixels, true);
    write_npy("b.npy", pixels, false);
    RUNS(0, "\"$HONE\" run run/model.hone a.png a.npy b.npy --top 10");
    const char *line = out;
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
    HAS(out, "\"input\": \"b.npy\"");
    HAS(out, "\"probability\": ");
    RUNS(0, "\"$HONE\" inspect run/model.hone");
    HAS(out, "disc, ring, crescent, heart");
}
END_TEST

START_TEST(run_refuses)
{
    uint8_t pixels[3072] = {0};
    char path[512];
    unsigned char *bytes;
    size_t count;
    check_failure(1, "run run/model.hone absent.png",
                  "cannot open 'absent.png': No such file or directory");
    write_file("short.csv", "1,2,3\n");
    check_failure(1, "run run/model.hone short.csv",
                  "'short.csv' has 3 numbers in a row, the artifact takes 3072: [32, 32, 3]");
    write_file("no.wav", "RIFF");
    check_failure(1, "run run/model.hone no.wav",
                  "the artifact has no audio front end: it was not trained on recordings");
    write_npy("nan.npy", pixels, false);
    snprintf(path, sizeof path, "%s/nan.npy", folder);
    ck_assert_int_eq(file_read(path, 1 << 20, &bytes, &count, &e), HONE_OK);
    memcpy(bytes + 128 + 4 * 7, "\0\0\xc0\x7f", 4);
    ck_assert_int_eq(file_write_atomic(path, bytes, count, &e), HONE_OK);
    free(bytes);
    check_failure(1, "run run/model.hone nan.npy", "'nan.npy': row 0, number 7 is not finite");
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
    write_file("table.py", table_py);
    write_file("compare.py", compare_py);
    write_file("table.yaml", table_yaml);
    RUNS(0, "mkdir -p table && python3 table.py");
    RUNS(0, "\"$HONE\" train table.yaml --out table_run --quiet --threads 1");
    RUNS(0, "\"$HONE\" train table.yaml --out table_run2 --quiet --threads 2");
    RUNS(0, "cmp table_run/model.hone table_run2/model.hone");
    RUNS(0, "\"$HONE\" inspect table_run/model.hone");
    HAS(out, "real input");
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
    write_file("table.py", table_py);
    write_file("sums.py", sums_py);
    write_file("table.yaml", table_yaml);
    RUNS(0, "mkdir -p table && python3 table.py");
    RUNS(0, "\"$HONE\" train table.yaml --out scores --quiet");
    RUNS(0, "\"$HONE\" train table.yaml --set export.softmax=true --out shares --quiet");
    RUNS(0, "\"$HONE\" run scores/model.hone table/test_x.csv --json > a.json");
    RUNS(0, "\"$HONE\" run shares/model.hone table/test_x.csv --json > b.json");
    RUNS(0, "python3 sums.py");
}
END_TEST

/* Both roundings: two artifacts, each proven against an evaluation of its own. */
START_TEST(export_profiles)
{
    RUNS(0, "\"$HONE\" export run/last.h5 --requant s24,d31 --out both");
    HAS(out, "both/model.s24.hone: ");
    HAS(out, "both/model.d31.hone: ");
    RUNS(0, "cmp run/model.hone both/model.s24.hone");
    RUNS(0, "\"$HONE\" verify both/model.d31.hone run/last.h5 --json");
    HAS(out, "\"bit_exact\": true");
    HAS(out, "\"mismatches\": 0");
    RUNS(0, "\"$HONE\" verify both/model.s24.hone run/last.h5");
    RUNS(0, "\"$HONE\" inspect both/model.d31.hone");
    HAS(out, "requantization d31");
    RUNS(0, "\"$HONE\" inspect both/model.d31.hone --json");
    HAS(out, "\"requant\": \"d31\"");
    RUNS(0, "\"$HONE\" bench infer both/model.d31.hone --runs 5");
    RUNS(0, "\"$HONE\" export run/last.h5 --requant d31 --out single");
    RUNS(0, "cmp single/model.hone both/model.d31.hone");
    RUNS(1, "\"$HONE\" export run/last.h5 --requant s25 --out none");
    HAS(err, "export.requant.0: 's25' is not one of s24 | d31, did you mean 's24'?");
    RUNS(1, "\"$HONE\" export run/last.h5 --requant s24,s24 --out none");
    HAS(err, "export: requant names 's24' twice");
}
END_TEST

/* The trainer's own integer evaluation is in the first profile. */
START_TEST(train_profiles)
{
    RUNS(0, "\"$HONE\" train tiny.yaml --out d31 --set 'export.requant=[d31, s24]' && "
            "cat d31/summary.json");
    HAS(out, "d31/model.d31.hone\", \"format\": \"hone\", \"requant\": \"d31\", ");
    HAS(out, "d31/model.s24.hone\", \"format\": \"hone\", \"requant\": \"s24\", ");
    HAS(out, "\"bit_exact\": true");
    RUNS(0, "\"$HONE\" eval d31/last.h5 | sed 's/ (.*//' > a; "
            "\"$HONE\" eval d31/model.d31.hone --config tiny.yaml | sed 's/ (.*//' | cmp - a");
}
END_TEST

/* ---- damage --------------------------------------------------------------------------------- */

static const char *const readers[] = {"inspect %s", "eval %s --config tiny.yaml",
                                      "verify %s run/last.h5", "bench infer %s", "run %s a.csv"};

static void check_refused(const char *name, const char *sentence)
{
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        char arguments[128];
        snprintf(arguments, sizeof arguments, readers[i], name);
        RUNS(1, "\"$HONE\" %s", arguments);
        ck_assert_int_eq(strncmp(err, "hone: ", 6), 0);
        HAS(err, sentence);
        ck_assert_str_eq(out, "");
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
    HAS(err, "cut.h5");
    RUNS(1, "\"$HONE\" inspect text.h5");
    HAS(err, "text.h5");
    RUNS(1, "\"$HONE\" inspect absent.h5");
    ck_assert_str_eq(err, "hone: cannot read 'absent.h5': No such file or directory\n");
}
END_TEST

/* One weight of layer 'body' changed by one, the checksum made right again. */
START_TEST(verify_finds_mutation)
{
    char path[512];
    unsigned char *bytes;
    size_t count;
    HoneRtModel model;
    snprintf(path, sizeof path, "%s/run/model.hone", folder);
    ck_assert_int_eq(file_read(path, 1 << 20, &bytes, &count, &e), HONE_OK);
    ck_assert_int_eq(hone_rt_open(&model, bytes, count, &hone_rt_kernels_ref), HONE_RT_OK);
    ck_assert_str_eq(hone_rt_op_name(&model, 1), "body");
    size_t constants = (size_t)(model.program.constants - bytes);
    for (size_t i = 0; i < 8 * 3 * 3 * 8; i++) { /* whichever matter, some do */
        unsigned char *w = &bytes[constants + model.program.ops[1].weights + i];
        *w = *w == 127 ? 126 : (unsigned char)(*w + (*w != 0));
    }
    uint32_t crc = hone_rt_file_crc(bytes, count);
    memcpy(bytes + offsetof(HoneRtHeader, crc), &crc, sizeof crc);
    snprintf(path, sizeof path, "%s/mutant.hone", folder);
    ck_assert_int_eq(file_write_atomic(path, bytes, count, &e), HONE_OK);
    free(bytes);
    RUNS(0, "\"$HONE\" verify run/model.hone run/last.h5 --limit 5");
    HAS(out, "bit-exact: ");
    RUNS(1, "\"$HONE\" verify mutant.hone run/last.h5");
    HAS(err, "hone: 'mutant.hone' and 'run/last.h5' differ in ");
    HAS(err, "first in layer 'body': ");
    ck_assert_str_eq(out, "");
    RUNS(1, "\"$HONE\" verify mutant.hone run/last.h5 --json");
    HAS(out, "\"bit_exact\": false");
    HAS(out, "\"first_layer\": \"body\"");
    ck_assert(is_json());
}
END_TEST

START_TEST(output_refused)
{
    RUNS(1, "\"$HONE\" inspect tiny.yaml > /dev/full");
    HAS(err, "cannot write to standard output");
}
END_TEST

Suite *suite_cli(void)
{
    Suite *s = suite_create("cli");
    TCase *t = tcase_create("commands");
    tcase_set_timeout(t, 30); /* files are synced, and a disk may be busy */
    tcase_add_unchecked_fixture(t, prepare, clean);
    tcase_add_checked_fixture(t, reset, NULL);
    tcase_add_loop_test(t, usage, 0, MISUSES);
    tcase_add_test(t, no_command);
    tcase_add_loop_test(t, help, 0, COMMANDS);
    tcase_add_test(t, help_of_train_and_group);
    tcase_add_loop_test(t, bad_config, 0, CONFIGS);
    tcase_add_test(t, config_resolved);
    tcase_add_test(t, config_schema);
    tcase_add_test(t, cpu_unknown);
    tcase_add_test(t, train_files);
    tcase_add_test(t, train_plain);
    tcase_add_test(t, train_quiet_numbered);
    tcase_add_test(t, train_refuses_folder);
    tcase_add_test(t, train_finished);
    tcase_add_test(t, train_diverges);
    tcase_add_test(t, train_plan);
    tcase_add_loop_test(t, train_interrupted, 0, 2);
    tcase_add_test(t, train_terminal);
    tcase_add_loop_test(t, json, 0, JSONS);
    tcase_add_test(t, eval_arithmetic);
    tcase_add_test(t, other_architecture);
    tcase_add_test(t, inspect_text);
    tcase_add_test(t, bench_text);
    tcase_add_test(t, bench_untrained);
    tcase_add_test(t, export_again);
    tcase_add_test(t, run_images);
    tcase_add_test(t, run_refuses);
    tcase_add_test(t, run_tables);
    tcase_add_test(t, run_softmax);
    tcase_add_test(t, export_profiles);
    tcase_add_test(t, train_profiles);
    tcase_add_test(t, artifact_damaged);
    tcase_add_test(t, checkpoint_damaged);
    tcase_add_test(t, verify_finds_mutation);
    tcase_add_test(t, output_refused);
    suite_add_tcase(s, t);
    return s;
}
