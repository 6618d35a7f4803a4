/* Tests of `hone train` as its users meet it: files, lines, signals. SPDX-License-Identifier: Apache-2.0 */
#include "tests/cli_kit.h"
#include "tests/suites.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

START_TEST(train_files)
{
    RUNS(0, "ls run");
    static const char *const files[] = {"config.yaml", "last.h5",  "best.h5",     "metrics.jsonl",
                                        "model.hone",  "float.h5", "summary.json"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        HAS(cli_out, files[i]);
    JSON_OF(0, "cat run/summary.json");
    RUNS(0, "grep -q '\"bit_exact\": true' run/summary.json");
}
END_TEST

/* A pipe or a file gets lines: no escape sequences, nothing redrawn, nothing on standard error. */
START_TEST(train_plain)
{
    RUNS(0, "./train tiny.yaml --out plain --threads 1");
    ck_assert_str_eq(cli_err, "");
    ck_assert_ptr_null(strpbrk(cli_out, "\r\033"));
    HAS(cli_out, "tiny: layers, ");
    HAS(cli_out, "\n  4/4 ");
    HAS(cli_out, "\nqat from step 16: ");
    HAS(cli_out, "bit-exact");
    HAS(cli_out, "plain/model.hone");
    RUNS(0, "cmp plain/model.hone run/model.hone");
}
END_TEST

START_TEST(train_quiet_numbered)
{
    RUNS(0, "mkdir numbers && cd numbers && \"$HONE\" train ../tiny.yaml --quiet");
    ck_assert_str_eq(cli_out, "runs/tiny\n");
    ck_assert_str_eq(cli_err, "");
    RUNS(0, "cd numbers && \"$HONE\" train ../tiny.yaml --quiet --seed 2");
    ck_assert_str_eq(cli_out, "runs/tiny-2\n");
    RUNS(0, "cd numbers && grep -qx 'seed: 2' runs/tiny-2/config.yaml");
    RUNS(1, "cd numbers && cmp -s runs/tiny/model.hone runs/tiny-2/model.hone");
}
END_TEST

/* A learning rate that rises until nothing is learned: the best weights were others than the last. */
START_TEST(train_names_the_best)
{
    RUNS(0, "\"$HONE\" train tiny.yaml --out worse --set qat=null --set prune=null "
            "--set train.optimizer.lr=20 --set train.schedule='{kind: linear, warmup_epochs: 4}'");
    HAS(cli_out, "\n  best    ");
    HAS(cli_out, "  worse/best.h5, after step ");
    RUNS(0, "\"$HONE\" train tiny.yaml --out one --set train.epochs=2 --set qat=null "
            "--set eval.every_epochs=2");
    LACKS(cli_out, "\n  best    ");
}
END_TEST

START_TEST(train_refuses_folder)
{
    RUNS(1, "cp -r run taken && \"$HONE\" train tiny.yaml --out taken");
    ck_assert_str_eq(cli_err,
                     "hone: the folder 'taken' is not empty; --resume goes on with the run in "
                     "it\n");
    RUNS(0, "diff -r run taken");
    RUNS(1, "\"$HONE\" train tiny.yaml --out tiny.yaml/x");
    ck_assert_str_eq(cli_err, "hone: cannot make the folder tiny.yaml/x: Not a directory\n");
    RUNS(1, "\"$HONE\" train tiny.yaml --out ''");
    ck_assert_str_eq(cli_err, "hone: '' cannot be the folder of a run\n");
    RUNS(1, "\"$HONE\" export run/last.h5 --out ''");
    ck_assert_str_eq(cli_err, "hone: '' cannot be the folder of a run\n");
    RUNS(1, "\"$HONE\" train tiny.yaml --out tiny.yaml");
    ck_assert_str_eq(cli_err, "hone: 'tiny.yaml' is not a folder\n");
}
END_TEST

START_TEST(train_finished)
{
    RUNS(0, "cp -r run finished && \"$HONE\" train tiny.yaml --out finished --resume");
    HAS(cli_out, "finished is a finished run: nothing to do");
    RUNS(0, "diff -r run finished");
    RUNS(1, "\"$HONE\" train tiny.yaml --out finished --resume --set train.batch=8");
    HAS(cli_err, "batch");
    RUNS(0, "diff -r run finished");
}
END_TEST

/* A run that learns too fast ends with one sentence, its good checkpoints stay. */
START_TEST(train_diverges)
{
    RUNS(1, "\"$HONE\" train tiny.yaml --set train.optimizer.lr=1000 --set "
            "train.optimizer.weight_decay=1 --set qat=null --set prune=null --out burnt");
    ck_assert_ptr_eq(strchr(cli_err, '\n'), cli_err + strlen(cli_err) - 1);
    HAS(cli_err, "not finite");
    HAS(cli_err, "a lower train.optimizer.lr, a longer warm-up or train.clip_norm may help\n");
    RUNS(0, "! test -e burnt/summary.json");
}
END_TEST

START_TEST(train_plan)
{
    RUNS(0, "\"$HONE\" train tiny.yaml --plan --out planned");
    HAS(cli_out, "data      shapes: 128 training and 40 test images of 32x32x3, 10 classes\n");
    HAS(cli_out, "steps     8 of 16 images in each of 4 epochs: 32\n");
    /* The layers as hone inspect has them, the same lines. */
    HAS(cli_out, "  stem        conv2d 3x3 /4 + batchnorm + relu   8x8x8     232  13,824  w8 a8\n");
    RUNS(0, "\"$HONE\" train tiny.yaml --plan | sed -n '/^  layer/,$p' >a; "
            "\"$HONE\" inspect tiny.yaml | sed -n '/^  layer/,$p' | cmp - a");
    RUNS(1, "test -e planned || test -e runs");
    RUNS(0, "\"$HONE\" train tiny.yaml --plan --set 'dataset={kind: cifar10}'");
    HAS(cli_out, "cifar");
    /* What training would refuse, a plan refuses. */
    static const struct {
        const char *set, *sentence;
    } unfit[] = {
        {"train.batch=129", "hone: --set train.batch=129: train.batch: 129 is more than the 128 "
                            "training images of 'shapes'\n"},
        {"'dataset={kind: images, path: run, size: [32, 32]}'",
         "hone: images: run has 0 folders; it takes one for each of two classes or more\n"},
        {"model.classes=9 --set model.layers.7.units=9",
         "hone: --set model.classes=9: model.classes: 9, but 'shapes' has 10 classes\n"},
    };
    for (int i = 0; i < 6; i++) {
        RUNS(1, "\"$HONE\" train tiny.yaml%s --out unfit --set %s", i & 1 ? " --plan" : "",
             unfit[i / 2].set);
        ck_assert_str_eq(cli_err, unfit[i / 2].sentence);
    }
    RUNS(1, "test -e unfit");
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
    ck_assert_int_eq(strncmp(cli_err, "hone: ", 6), 0);
    HAS(cli_err, "(to go on: hone train long/config.yaml --out long --resume)\n");
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
    int64_t steps = atoll(strstr(cli_out, "\"step\": ") + 8);
    interrupt("long/config.yaml --out long --resume", "grep -qs 'from step' log", signals[_i]);
    RUNS(0, "\"$HONE\" inspect long/last.h5 --json");
    ck_assert_int_ge(atoll(strstr(cli_out, "\"step\": ") + 8), steps);
}
END_TEST

/* On a terminal a line is redrawn in place, and gone in the end. */
START_TEST(train_terminal)
{
    RUNS(0, "TERM=xterm LC_ALL=C.UTF-8 python3 -c 'import os, pty, sys\n"
            "sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' "
            "\"$HONE\" train tiny.yaml --out shown --set eval.every_epochs=2");
    HAS(cli_out, "\r\033[K");
    HAS(cli_out, "left");
    HAS(cli_out, "\033[1m");
    const char *last = strrchr(cli_out, '\033');
    ck_assert_ptr_nonnull(last);
    LACKS(last, "left");
    RUNS(0, "NO_COLOR=1 TERM=xterm python3 -c 'import os, pty, sys\n"
            "sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' "
            "\"$HONE\" train tiny.yaml --out grey");
    LACKS(cli_out, "\033[1m");
}
END_TEST

Suite *suite_cli_train(void)
{
    Suite *s = suite_create("cli_train");
    TCase *t = cli_case(s);
    tcase_add_test(t, train_files);
    tcase_add_test(t, train_plain);
    tcase_add_test(t, train_quiet_numbered);
    tcase_add_test(t, train_names_the_best);
    tcase_add_test(t, train_refuses_folder);
    tcase_add_test(t, train_finished);
    tcase_add_test(t, train_diverges);
    tcase_add_test(t, train_plan);
    tcase_add_loop_test(t, train_interrupted, 0, 2);
    tcase_add_test(t, train_terminal);
    return s;
}
