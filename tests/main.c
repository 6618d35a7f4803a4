/* Runs the tests.
 *
 *     run [-l] [-v] [-x] [-j N] [PATTERN...]      run -j 2 rng 'kern*'
 *
 * Patterns choose suites by name (shell wildcards); without one all run. Each test is a process of
 * its own (Check's forking mode; CK_FORK=no for a debugger). With -j N up to N suites run side by
 * side, each in a child that sends its three counts through a pipe and prints into a temporary file
 * that is shown when something failed, or with -v. -x runs the suites from the fastest to the slowest
 * and starts no more of them once one has failed. The last line is Check's own form:
 * "100%: Checks: N, Failures: 0, Errors: 0". Exit status: 0 all passed, 1 some failed, 2 usage.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/suites.h"

#include <check.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Entry {
    const char *name;
    Suite *(*make)(void);
} Entry;

static const Entry all[] = {
#define SUITE(name) {#name, suite_##name},
#include "tests/suites.def"
#undef SUITE
};
enum { ALL = sizeof all / sizeof all[0] };

typedef struct Counts {
    int checks, failures, errors;
} Counts;

typedef struct Child {
    pid_t pid;    /* 0 before the start and after the end */
    FILE *output; /* what the suite printed */
    int counts;   /* the pipe's reading end */
} Child;

static int usage(void)
{
    fputs("usage: run [-l] [-v] [-x] [-j N] [SUITE-PATTERN...]\n", stderr);
    return 2;
}

/* Fills chosen[ALL]; returns how many suites are chosen, or -1 when a pattern matches none. */
static int choose(bool *chosen, int patterns, char **pattern)
{
    int total = 0;
    for (int i = 0; i < ALL; i++)
        total += chosen[i] = patterns == 0;
    for (int p = 0; p < patterns; p++) {
        bool matched = false;
        for (int i = 0; i < ALL; i++) {
            if (fnmatch(pattern[p], all[i].name, 0) == 0) {
                matched = true;
                total += !chosen[i];
                chosen[i] = true;
            }
        }
        if (!matched) {
            fprintf(stderr, "run: no suite matches '%s' (-l lists them)\n", pattern[p]);
            return -1;
        }
    }
    return total;
}

static int run_serial(const bool *chosen)
{
    SRunner *runner = srunner_create(NULL);
    for (int i = 0; i < ALL; i++)
        if (chosen[i])
            srunner_add_suite(runner, all[i].make());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

static Counts run_suite(const Entry *entry)
{
    SRunner *runner = srunner_create(entry->make());
    srunner_run_all(runner, CK_NORMAL);
    Counts c = {.checks = srunner_ntests_run(runner)};
    int bad = srunner_ntests_failed(runner);
    TestResult **results = srunner_failures(runner);
    for (int i = 0; results && i < bad; i++)
        c.failures += tr_rtype(results[i]) == CK_FAILURE;
    c.errors = bad - c.failures;
    free(results);
    srunner_free(runner);
    return c;
}

static bool start(Child *child, const Entry *entry)
{
    int ends[2];
    child->output = tmpfile();
    if (!child->output || pipe(ends) != 0)
        return false;
    fflush(NULL);
    child->pid = fork();
    if (child->pid == 0) {
        close(ends[0]);
        if (dup2(fileno(child->output), 1) < 0 || dup2(fileno(child->output), 2) < 0)
            exit(1);
        Counts c = run_suite(entry);
        exit(write(ends[1], &c, sizeof c) == (ssize_t)sizeof c ? 0 : 1);
    }
    close(ends[1]);
    child->counts = ends[0];
    return child->pid > 0;
}

/* Collects an ended child: its counts (one error when it died without any) and its output. */
static Counts finish(Child *child, int status, bool verbose)
{
    Counts c;
    if (read(child->counts, &c, sizeof c) != (ssize_t)sizeof c)
        c = (Counts){.checks = 1, .errors = 1};
    else if (status != 0) /* the tests ended well but their process did not: a leak, say */
        c.errors++, c.checks++;
    if (verbose || c.failures || c.errors) {
        char line[4096];
        rewind(child->output);
        while (fgets(line, sizeof line, child->output))
            fputs(line, stdout);
    }
    close(child->counts);
    fclose(child->output);
    child->pid = 0;
    return c;
}

/* Waits for a child to end, whichever does; true once it was one of ours, added to the sum. */
static bool collect(Child *children, bool verbose, Counts *sum)
{
    int status;
    const pid_t ended = wait(&status);
    for (int i = 0; i < ALL && ended > 0; i++) {
        if (children[i].pid != ended)
            continue;
        const Counts c = finish(&children[i], status, verbose);
        sum->checks += c.checks;
        sum->failures += c.failures;
        sum->errors += c.errors;
        return true;
    }
    return false;
}

static int run_parallel(const bool *chosen, int jobs, bool verbose, bool first_failure)
{
    Child children[ALL] = {0};
    Counts sum = {0};
    int running = 0, next = 0;
    while (next < ALL || running > 0) {
        if (next < ALL && running < jobs) {
            int suite = first_failure ? ALL - 1 - next : next;
            if (chosen[suite] && !start(&children[suite], &all[suite])) {
                perror("run: cannot start a suite");
                return 1;
            }
            running += chosen[suite];
            next++;
            continue;
        }
        running -= collect(children, verbose, &sum);
        if (first_failure && sum.failures + sum.errors > 0)
            next = ALL;
    }
    int bad = sum.failures + sum.errors;
    int percent = sum.checks ? (sum.checks - bad) * 100 / sum.checks : 100;
    printf("%d%%: Checks: %d, Failures: %d, Errors: %d\n", percent, sum.checks, sum.failures,
           sum.errors);
    return bad == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    bool verbose = false, first_failure = false, chosen[ALL];
    int jobs = 1, option;
    while ((option = getopt(argc, argv, "lvxj:")) != -1) {
        if (option == 'l') {
            for (int i = 0; i < ALL; i++)
                puts(all[i].name);
            return 0;
        } else if (option == 'v') {
            verbose = true;
        } else if (option == 'x') {
            first_failure = true;
        } else if (option != 'j' || (jobs = atoi(optarg)) < 1) {
            return usage();
        }
    }
    int count = choose(chosen, argc - optind, argv + optind);
    if (count < 0)
        return 2;
    if ((jobs == 1 && !first_failure) || count == 1)
        return run_serial(chosen);
    return run_parallel(chosen, jobs, verbose, first_failure);
}
