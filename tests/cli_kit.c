/* See cli_kit.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/cli_kit.h"

#include "core/file.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

char cli_folder[256], cli_out[1 << 18], cli_err[1 << 14];
Error cli_error;

static char root[512];

void cli_read(const char *name, char *text, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", cli_folder, name);
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    text[fread(text, 1, size - 1, f)] = '\0';
    fclose(f);
}

int cli_sh(const char *format, ...)
{
    char command[2048], line[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    snprintf(line, sizeof line, "cd %s && { %s ; } >out 2>err </dev/null", cli_folder, command);
    int status = system(line);
    cli_read("out", cli_out, sizeof cli_out);
    cli_read("err", cli_err, sizeof cli_err);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool cli_is_json(void)
{
    char line[512];
    snprintf(line, sizeof line, "cd %s && python3 -m json.tool out >/dev/null", cli_folder);
    return system(line) == 0;
}

void cli_write(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", cli_folder, name);
    ck_assert_int_eq(file_write_atomic(path, text, strlen(text), &cli_error), HONE_OK);
}

static void prepare(void)
{
    const char *top = getenv("TMPDIR"), *program = getenv("HONE_PROGRAM");
    char path[1024];
    program = program ? program : "hone";
    snprintf(cli_folder, sizeof cli_folder, "%s/hone-cli-XXXXXX", top ? top : "/tmp");
    ck_assert_ptr_nonnull(getcwd(root, sizeof root));
    snprintf(path, sizeof path, "%s/%s", *program == '/' ? "" : root, program);
    ck_assert_msg(access(path, X_OK) == 0, "no program %s: make it, or set HONE_PROGRAM", path);
    ck_assert_ptr_nonnull(mkdtemp(cli_folder));
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
    snprintf(line, sizeof line, "rm -rf '%s'", cli_folder);
    ck_assert_int_eq(system(line), 0);
}

static void reset(void)
{
    cli_error = (Error){0};
}

TCase *cli_case(Suite *s)
{
    TCase *t = tcase_create("commands");
    tcase_set_timeout(t, 30); /* files are synced, and a disk may be busy */
    tcase_add_unchecked_fixture(t, prepare, clean);
    tcase_add_checked_fixture(t, reset, NULL);
    suite_add_tcase(s, t);
    return t;
}

void cli_fails(int status, const char *arguments, const char *sentence)
{
    char wanted[1024];
    snprintf(wanted, sizeof wanted, "hone: %s\n", sentence);
    RUNS(status, "\"$HONE\" %s", arguments);
    ck_assert_str_eq(cli_err, wanted);
    ck_assert_str_eq(cli_out, "");
}
