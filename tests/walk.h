/* Does every function of a kernel table have a case?
 *
 *     walk_table(&kernels_ref, sizeof kernels_ref, offsetof(Kernels, minmax), "ref", run);
 *
 * A table is name and numbers followed by function pointers. One after the other is replaced by a
 * function that ends the process, and `run`, which runs the cases on the table it is given, must meet
 * it. Each turn is a process of its own. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_WALK_H
#define HONE_TESTS_WALK_H

#include <stddef.h>

/* bytes: of the table, or of as much of it as `run` uses. first: bytes up to the first function
 * pointer; from there to the end there are only such. Fails the
 * running test, with the number of the function from 0, where no case calls it. Functions that the
 * table does not have (NULL) are passed over. */
void walk_table(const void *table, size_t bytes, size_t first, const char *name,
                void (*run)(const void *table));

#endif
