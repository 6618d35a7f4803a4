/* Allocations that fail on purpose, and a count of those alive.
 *
 *     allocations_fail_at(3);     // the third allocation from here in this thread fails, once
 *     ...
 *     allocations_fail_at(0);     // none does
 *
 * or, the usual way, one after the other until the attempt asks for no more:
 *
 *     allocations_fail_each(attempt, &context, 1);
 *
 * Works by defining malloc, calloc, realloc, aligned_alloc and free over glibc's; where that cannot be (sanitizers
 * bring their own, other C libraries) allocations_available() is false and nothing ever fails.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_ALLOCATIONS_H
#define HONE_TESTS_ALLOCATIONS_H

#include "core/error.h"

#include <stdbool.h>

bool allocations_available(void);
void allocations_fail_at(long n);
/* Whether the allocation chosen above has been asked for, and refused. */
bool allocations_failed(void);
/* Blocks that all threads allocated less those they freed. */
long allocations_alive(void);

/* Calls attempt as it is, for what the C library keeps from a first time, then with its first allocation failing, then its (1 + step)th, ..., and last with none; it tries
 * something, gives everything back, and returns a status. The running test fails unless a failure
 * gives ERR_MEMORY with a sentence, or success where it can be done without, and the rest success;
 * and unless all memory is given back. Returns how many allocations failed; 0 where none can. */
long allocations_fail_each(int (*attempt)(void *context, Error *e), void *context, long step);

#endif
