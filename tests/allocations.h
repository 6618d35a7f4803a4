/* Allocations that fail on purpose, and a count of those alive.
 *
 *     allocations_fail_at(3);     // the third allocation from here in this thread fails, once
 *     ...
 *     allocations_fail_at(0);     // none does
 *
 * Works by defining malloc, calloc, realloc and free over glibc's; where that cannot be (sanitizers
 * bring their own, other C libraries) allocations_available() is false and nothing ever fails.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_ALLOCATIONS_H
#define HONE_TESTS_ALLOCATIONS_H

#include <stdbool.h>

bool allocations_available(void);
void allocations_fail_at(long n);
/* Whether the allocation chosen above has been asked for, and refused. */
bool allocations_failed(void);
/* Blocks this thread allocated less those it freed. */
long allocations_alive(void);

#endif
