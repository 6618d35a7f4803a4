/* Tests of runs that end badly: killed anywhere, on a full disk, two in one folder.
 *
 * HONE_KILLS says how often test_killed kills (8; `make kills` takes 50).
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"
#include "core/rng.h"
#include "tests/outcome.h"
#include "tests/run_fixture.h"
#include "tests/suites.h"
#include "trainer/phases.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[64];

static void prepare(void)
{
    folder_make(folder);
}

static void clean(void)
{
    folder_remove(folder);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- killed --------------------------------------------------------------------------------- */

enum { SETS_MAX = 8 };

/* Together they pass through everything that a step can depend on. */
static const char *const recipes[][SETS_MAX] = {
    {"train.epochs=6"}, /* SGD, pruning, quantization, freezing */
    {"train.optimizer={kind: adamw, lr: 0.01, ema: 0.9}", "train.clip_norm=0.5",
     "eval.recalibration_batches=2", "qat.begin_epoch=2.5"},
    {"distill={teacher: {checkpoint: teacher/last.h5}, ramp_epochs: 2, end_epoch: 5}",
     "train.schedule={kind: step, milestones: [2, 4.5]}", "prune.schedule.end_epoch=4.5"},
    {"distill={teacher: {checkpoint: teacher/last.h5}, begin_epoch: 1}",
     "train.optimizer={kind: rmsprop, lr: 0.002, momentum: 0.5, centered: true, ema: 0.99}",
     "train.schedule={kind: linear, warmup_epochs: 1}", "eval.recalibration_batches=2"},
    {"augment.mixup=0.2", "augment.cutout=2", "qat.begin_epoch=1.5"},
};
enum { RECIPES = sizeof recipes / sizeof recipes[0] };

/* Starts `hone train` in the test's folder; returns its process. */
static pid_t start(const char *program, const char *out, const char *const *sets, int threads)
{
    char count[16];
    const char *words[2 * SETS_MAX + 16] = {program,     "train", "tiny.yaml",
                                            "--out",     out,     "--resume",
                                            "--quiet",   "--set", "checkpoint.every_steps=1",
                                            "--threads", count};
    int n = 11;
    snprintf(count, sizeof count, "%d", threads);
    for (int i = 0; i < SETS_MAX && sets[i]; i++) {
        words[n++] = "--set";
        words[n++] = sets[i];
    }
    fflush(NULL); /* or the child would print it, too */
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        union { /* execv takes the words of others to be its own */
            const char **words;
            char *const *argv;
        } u = {words};
        if (chdir(folder) == 0 && freopen("/dev/null", "w", stdout))
            execv(program, u.argv);
        _exit(127);
    }
    return child;
}

/* Waits for the process, killing it after so many seconds; whether it was killed. */
static bool end(pid_t child, double seconds)
{
    int status;
    for (double until = now() + seconds; waitpid(child, &status, WNOHANG) == 0;) {
        if (now() < until) {
            nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
            continue;
        }
        kill(child, SIGKILL);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        break;
    }
    ck_assert_msg(WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 0),
                  "the run ended with status %d", WEXITSTATUS(status));
    return WIFSIGNALED(status);
}

/* Says where the run in out was killed: phase and steps saved. */
static void print_place(const char *out)
{
    char path[200];
    Checkpoint c;
    Phases p;
    Error e = {0};
    snprintf(path, sizeof path, "%s/%s/last.h5", folder, out);
    if (access(path, F_OK) != 0)
        return;
    ck_assert_msg(checkpoint_open(&c, path, NULL, 0, &e) == HONE_OK, "%s", e.text);
    phases_init(&p, c.config.options, RUN_EPOCH);
    const char *name = phases_name(&p, c.progress.step);
    printf("%s %" PRId64 ", ", name, c.progress.step);
    checkpoint_close(&c);
}

static void check_no_leftovers(const char *path)
{
    DIR *d = opendir(path);
    for (const struct dirent *entry; d && (entry = readdir(d)) != NULL;)
        ck_assert_msg(!strstr(entry->d_name, ".tmp-"), "%s is left over", entry->d_name);
    if (d)
        closedir(d);
}

static void compare(const char *a, const char *b)
{
    char path[2][200];
    snprintf(path[0], sizeof path[0], "%s/%s", folder, a);
    snprintf(path[1], sizeof path[1], "%s/%s", folder, b);
    Outcome one = outcome_take(path[0]), other = outcome_take(path[1]);
    outcome_same(&one, &other);
    check_no_leftovers(path[1]);
    outcome_release(&one);
    outcome_release(&other);
}

/* What the recipes need: the configuration and a teacher. */
static void write_recipes(void)
{
    char path[200];
    Error e = {0};
    const char *sets[] = {"qat=null", "prune=null", "seed=7", "train.epochs=2", NULL};
    snprintf(path, sizeof path, "%s/tiny.yaml", folder);
    ck_assert_int_eq(file_write_atomic(path, run_yaml, strlen(run_yaml), &e), HONE_OK);
    snprintf(path, sizeof path, "%s/teacher", folder);
    RunFixture r = {.out = path, .threads = 1, .sets = sets};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    run_end(&r);
}

/* Runs of one recipe are killed at random moments until that happened `kills` times. */
static void kill_runs(const char *program, int recipe, int kills, Rng *rng)
{
    const char *const *sets = recipes[recipe];
    double begun = now();
    (void)end(start(program, "whole", sets, 1), 60);
    double whole = now() - begun;
    printf("recipe %d, %.2f s, killed after: ", recipe, whole);
    for (int done = 0, attempt = 0, run = 0; done < kills || run == 0; attempt++) {
        bool last = done >= kills;
        pid_t child = start(program, "parts", sets, 1 + attempt % 3);
        if (end(child, last ? 60 : whole * rng_uniform(rng))) {
            done++;
            print_place("parts");
            continue;
        }
        compare("whole", "parts");
        ck_assert_int_eq(chdir(folder), 0);
        ck_assert_int_eq(system("rm -rf parts"), 0);
        run++;
    }
    ck_assert_int_eq(system("rm -rf parts whole"), 0);
    printf("\n");
}

/* Artifact, weights, states and log are those of a run that nobody killed. */
START_TEST(test_killed)
{
    const char *program = getenv("HONE_PROGRAM"), *kills = getenv("HONE_KILLS");
    char path[1024], home[800];
    uint64_t seed = (uint64_t)time(NULL);
    Rng rng = rng_at(seed, RNG_TEST, 1, 0);
    int all = kills ? atoi(kills) : 8;
    program = program ? program : "hone";
    ck_assert_ptr_nonnull(getcwd(home, sizeof home));
    snprintf(path, sizeof path, "%s/%s", *program == '/' ? "" : home, program);
    ck_assert_msg(access(path, X_OK) == 0, "no program %s: make it, or set HONE_PROGRAM", path);
    printf("seed %" PRIu64 "\n", seed);
    ck_assert_int_eq(chdir(folder), 0);
    write_recipes();
    for (int i = 0; i < RECIPES; i++)
        kill_runs(path, i, all * (i + 1) / RECIPES - all * i / RECIPES, &rng);
    ck_assert_int_eq(chdir(home), 0);
}
END_TEST

/* ---- a full disk ---------------------------------------------------------------------------- */

enum { DISK_KB = 2048, FREE_KB_STEP = 12 };

/* Makes a small file system the working folder; it goes with the process. */
static bool enter_small_disk(void)
{
    char options[32];
    snprintf(options, sizeof options, "size=%dk", DISK_KB);
    if (mount("hone-test", folder, "tmpfs", 0, options) != 0)
        return false;
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(umount2(folder, MNT_DETACH), 0);
    return true;
}

/* A file that leaves so many KiB free. No shell: it would not know where it is. */
static void fill_disk(int free_kb)
{
    struct statvfs disk;
    ck_assert_int_eq(statvfs(".", &disk), 0);
    off_t bytes = (off_t)(disk.f_bavail * disk.f_frsize) - (off_t)free_kb * 1024;
    int file = open("ballast", O_WRONLY | O_CREAT | O_EXCL, 0666);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(posix_fallocate(file, 0, bytes), 0);
    close(file);
}

/* A folder of files. */
static void remove_flat(const char *path)
{
    char file[300];
    DIR *d = opendir(path);
    ck_assert_ptr_nonnull(d);
    for (const struct dirent *entry; (entry = readdir(d)) != NULL;) {
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            ck_assert_int_eq(remove(file), 0);
    }
    closedir(d);
    ck_assert_int_eq(rmdir(path), 0);
}

/* Fails at whichever write does not fit; once there is room, the run goes on to the same end. Returns
 * whether it failed. */
static bool fill_and_resume(int free_kb, const Outcome *whole)
{
    fill_disk(free_kb);
    RunFixture r = {.out = "run", .threads = 1};
    int status = run_start(&r);
    ck_assert_int_eq(remove("ballast"), 0);
    if (status == HONE_OK) {
        run_end(&r);
        return false;
    }
    ck_assert_msg(status == HONE_ERR_IO && strstr(r.error.text, "No space left on device"), "%s",
                  r.error.text);
    const bool saved = access("run/last.h5", F_OK) == 0;
    ck_assert_msg(saved == (strstr(r.error.text, "is safe in run/last.h5") != NULL), "%s",
                  r.error.text);
    check_no_leftovers("run");
    run_end(&r);
    r = (RunFixture){.out = "run", .threads = 1, .resume = true};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    run_end(&r);
    Outcome parts = outcome_take("run");
    outcome_same(whole, &parts);
    outcome_release(&parts);
    return true;
}

START_TEST(test_full_disk)
{
    char home[800];
    int failures = 0;
    ck_assert_ptr_nonnull(getcwd(home, sizeof home));
    if (!enter_small_disk()) {
        puts("skipped: no small file system can be mounted here");
        return;
    }
    RunFixture r = {.out = "whole", .threads = 1};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    run_end(&r);
    Outcome whole = outcome_take("whole");
    remove_flat("whole");
    for (int free_kb = 0; fill_and_resume(free_kb, &whole); free_kb += FREE_KB_STEP) {
        remove_flat("run");
        failures++;
    }
    ck_assert_int_ge(failures, 5);
    outcome_release(&whole);
    ck_assert_int_eq(chdir(home), 0);
}
END_TEST

/* ---- two runs in one folder ----------------------------------------------------------------- */

START_TEST(test_locked)
{
    char out[100], sentence[200];
    int status;
    snprintf(out, sizeof out, "%s/run", folder);
    pid_t child = fork();
    if (child == 0) {
        RunFixture r = {.out = out, .threads = 1, .pause_at = RUN_EPOCH + 1};
        _exit(run_start(&r) == HONE_OK ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, WUNTRACED), child);
    ck_assert(WIFSTOPPED(status));
    RunFixture second = {.out = out, .threads = 1, .resume = true};
    snprintf(sentence, sizeof sentence,
             "the folder '%s' is in use by process %ld; --out names another one", out, (long)child);
    ck_assert_int_eq(run_start(&second), HONE_ERR_CONFIG);
    ck_assert_str_eq(second.error.text, sentence);
    run_end(&second);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    RunFixture third = {.out = out, .threads = 1, .resume = true};
    ck_assert_msg(run_start(&third) == HONE_OK, "%s", third.error.text);
    ck_assert_int_eq(third.steps, RUN_STEPS - RUN_EPOCH);
    run_end(&third);
}
END_TEST

/* An empty file in the test's folder. */
static void touch(const char *name)
{
    char path[100];
    Error e = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ck_assert_int_eq(file_write_atomic(path, "", 0, &e), HONE_OK);
}

/* A folder with nothing but a lock that nobody holds counts as empty. */
START_TEST(test_stale_lock)
{
    touch(".lock");
    RunFixture r = {.out = folder, .threads = 1, .stop_at = 1};
    ck_assert_int_eq(run_start(&r), HONE_ERR_INTERRUPTED);
    run_end(&r);
}
END_TEST

/* What a killed process was writing goes; what only looks like it stays. */
START_TEST(test_leftovers)
{
    char path[100];
    RunFixture r = {.out = folder, .threads = 1, .stop_at = 1};
    ck_assert_int_eq(run_start(&r), HONE_ERR_INTERRUPTED);
    run_end(&r);
    touch("last.h5.tmp-123-0");
    touch("last.h5.tmp-123");
    touch("notes.tmp-1-2.txt");
    r = (RunFixture){.out = folder, .threads = 1, .resume = true, .stop_at = 2};
    ck_assert_int_eq(run_start(&r), HONE_ERR_INTERRUPTED);
    run_end(&r);
    snprintf(path, sizeof path, "%s/last.h5.tmp-123-0", folder);
    ck_assert_int_ne(access(path, F_OK), 0);
    snprintf(path, sizeof path, "%s/last.h5.tmp-123", folder);
    ck_assert_int_eq(access(path, F_OK), 0);
    snprintf(path, sizeof path, "%s/notes.tmp-1-2.txt", folder);
    ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

Suite *suite_crash(void)
{
    Suite *s = suite_create("crash");
    TCase *t = tcase_create("crash");
    tcase_set_timeout(t, 300);
    tcase_add_checked_fixture(t, prepare, clean);
    tcase_add_test(t, test_killed);
    tcase_add_test(t, test_full_disk);
    tcase_add_test(t, test_locked);
    tcase_add_test(t, test_stale_lock);
    tcase_add_test(t, test_leftovers);
    suite_add_tcase(s, t);
    return s;
}
