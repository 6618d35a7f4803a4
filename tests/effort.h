/* How much of its work a test does. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_EFFORT_H
#define HONE_TESTS_EFFORT_H

/* Of many random cases every EVERY-th is run:
 *
 *     for (int round = 0; round < 100; round += EVERY)
 *
 * Under a sanitizer a case takes ten times as long, and what it looks for, accesses and races, does not
 * depend on single numbers. HONE_FEWER asks for the same where branches are counted. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(HONE_FEWER)
enum { EVERY = 4 };
#else
enum { EVERY = 1 };
#endif

#endif
