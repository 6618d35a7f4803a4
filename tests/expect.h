/* What tests of fallible calls expect; an Error called e is in scope. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_EXPECT_H
#define HONE_TESTS_EXPECT_H

#include <check.h>
#include <string.h>

#define OK(call) ck_assert_msg((call) == HONE_OK, "%s", e.text)

/* The call must fail with that code, and its sentence contain words. */
#define FAILS(call, wanted, words)                                                                 \
    do {                                                                                           \
        e = (Error){0};                                                                            \
        ck_assert_int_eq((call), (wanted));                                                        \
        ck_assert_int_eq(e.code, (wanted));                                                        \
        ck_assert_msg(strstr(e.text, (words)) != NULL, "'%s' lacks '%s'", e.text, (words));        \
        ck_assert_ptr_null(strchr(e.text, '\n'));                                                  \
    } while (0)

#endif
