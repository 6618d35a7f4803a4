/* Tests of the configurations that people copy from: each is read without a complaint and says in its
 * first lines what it is. SPDX-License-Identifier: Apache-2.0 */
#include "tests/expect.h"
#include "tests/suites.h"
#include "trainer/config.h"

#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

/* Bytes of the comment before the first key. */
static size_t header_bytes(const char *path)
{
    size_t bytes = 0;
    char line[200];
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f) && line[0] == '#')
        bytes += strlen(line);
    fclose(f);
    return bytes;
}

static void check_configs(const char *pattern, size_t least)
{
    glob_t found;
    ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
    ck_assert_uint_ge(found.gl_pathc, least);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        Error e = {0};
        Config c;
        OK(config_load(&c, found.gl_pathv[i], NULL, 0, &e));
        config_release(&c);
        ck_assert_msg(header_bytes(found.gl_pathv[i]) > 80, "%s does not say what it is",
                      found.gl_pathv[i]);
    }
    globfree(&found);
}

START_TEST(examples_load)
{
    check_configs("configs/*.yaml", 8);
}
END_TEST

START_TEST(benchmarks_load)
{
    check_configs("configs/bench/*.yaml", 5);
}
END_TEST

Suite *suite_configs(void)
{
    Suite *s = suite_create("configs");
    TCase *t = tcase_create("configs");
    tcase_add_test(t, examples_load);
    tcase_add_test(t, benchmarks_load);
    suite_add_tcase(s, t);
    return s;
}
