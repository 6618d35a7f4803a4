/* The program as its users meet it, for tests: commands of the shell in a folder of their own, in which
 * run/ is a trained model of tests/cli/tiny.yaml. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_CLI_KIT_H
#define HONE_TESTS_CLI_KIT_H

#include "core/error.h"

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

extern char cli_folder[256], cli_out[1 << 18], cli_err[1 << 14]; /* of the last command */
extern Error cli_error;

/* Adds a test case to the suite: before all of its tests, in their parent, the folder and the model are
 * made; after them they are removed. */
TCase *cli_case(Suite *s);

/* Runs a shell command in the folder; returns its exit status and fills cli_out and cli_err. */
int cli_sh(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A file of the folder as text. */
void cli_read(const char *name, char *text, size_t size);
void cli_write(const char *name, const char *text);
/* Whether cli_out, which stays as it is, is JSON to Python. */
bool cli_is_json(void);
/* The program must end with this status and exactly this sentence. */
void cli_fails(int status, const char *arguments, const char *sentence);

#define RUNS(status, ...)                                                                          \
    do {                                                                                           \
        int got_ = cli_sh(__VA_ARGS__);                                                            \
        ck_assert_msg(got_ == (status), "status %d, stdout '%s', stderr '%s'", got_, cli_out,      \
                      cli_err);                                                                    \
    } while (0)
#define HAS(text, part)   ck_assert_msg(strstr(text, part), "no '%s' in '%s'", part, text)
#define LACKS(text, part) ck_assert_msg(!strstr(text, part), "'%s' in '%s'", part, text)

/* The command's standard output is one JSON object. */
#define JSON_OF(status, command)                                                                   \
    do {                                                                                           \
        RUNS(status, "%s", command);                                                               \
        ck_assert_int_eq(cli_out[0], '{');                                                         \
        ck_assert_msg(cli_is_json(), "no JSON: %s", cli_out);                                      \
    } while (0)

#endif
