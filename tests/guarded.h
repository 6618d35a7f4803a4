/* Buffers for tests of kernels: at any alignment, between poisoned margins that must survive the call.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_GUARDED_H
#define HONE_TESTS_GUARDED_H

#include "core/rng.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct Guarded {
    unsigned char *block, *data;
    size_t bytes, before, after; /* of data, of the margins */
} Guarded;

/* A buffer to write to, `align` bytes past malloc's alignment, all poisoned. */
Guarded guarded_new(size_t bytes, size_t align);
/* A buffer to read from: it ends where its heap block ends, so that the address sanitizer sees the
 * first byte read too many. */
Guarded guarded_input(size_t bytes, size_t align);
/* Checks the margins, what: for the message. */
void guarded_check(const Guarded *b, const char *what);
/* Checks and frees. */
void guarded_free(Guarded *b, const char *what);

/* lo..hi */
int between(Rng *rng, int lo, int hi);
/* An alignment for elements of so many bytes. */
size_t random_align(Rng *rng, size_t element);
/* Random codes in [lo, 127]; extremes only, when asked. */
void fill_codes(Rng *rng, Guarded *b, int lo, bool extremes);

#endif
