/* The list of test suites: every SUITE(name) of suites.def is a function here, defined in the
 * module's test file and run by main.c. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_SUITES_H
#define HONE_TESTS_SUITES_H

#include <check.h>

#define SUITE(name) Suite *suite_##name(void);
#include "tests/suites.def"
#undef SUITE

#endif
