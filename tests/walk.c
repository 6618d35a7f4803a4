/* Every function of a table has a case: see walk.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/walk.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MET = 77 };

typedef void (*Function)(void);

static void end(void)
{
    _exit(MET);
}

/* Whether the cases call the function at `at`. */
static bool called(const void *table, size_t bytes, size_t at, void (*run)(const void *table))
{
    static const Function stop = end;
    int status = 0;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        unsigned char *copy = malloc(bytes);
        if (!copy)
            _exit(1);
        memcpy(copy, table, bytes);
        memcpy(copy + at, &stop, sizeof stop);
        run(copy);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == MET;
}

void walk_table(const void *table, size_t bytes, size_t first, const char *name,
                void (*run)(const void *table))
{
    int number = 0;
    ck_assert_uint_eq((bytes - first) % sizeof(Function), 0);
    for (size_t at = first; at < bytes; at += sizeof(Function), number++) {
        Function f;
        memcpy(&f, (const unsigned char *)table + at, sizeof f);
        ck_assert_msg(!f || called(table, bytes, at, run),
                      "table '%s': function %d, at byte %zu, has no case", name, number, at);
    }
}
