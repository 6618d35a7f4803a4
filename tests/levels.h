/* The CPU levels of kernels, by name. A machine need not have them all. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_LEVELS_H
#define HONE_TESTS_LEVELS_H

static const char *const levels[] = {"ref", "avx2", "avx512"};
enum { LEVELS = sizeof levels / sizeof levels[0] };

#endif
