/* The arrays of a kernel's call, in pairs: [0] for the reference, [1] for a level. Each lies at a random
 * alignment of whole elements between poisoned margins. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_KERNCHECK_ARENA_H
#define HONE_TESTS_KERNCHECK_ARENA_H

#include "core/kernels.h"
#include "core/rng.h"

enum { ARENA_ARRAYS = 12 };

typedef struct Arena {
    unsigned char *block[2][ARENA_ARRAYS], *data[2][ARENA_ARRAYS];
    size_t bytes[ARENA_ARRAYS];
    int count;
    Rng rng;
} Arena;

/* A new pair of equal random arrays; returns its number. wild: with infinities, NaNs, huge numbers. */
int reals_new(Arena *a, size_t n, bool wild);
int bytes_new(Arena *a, size_t n);
Real *reals(const Arena *a, int side, int k);
/* Compares all pairs, inputs included (they must not have changed), and the margins; frees them. n is
 * for the message. */
void arena_check(Arena *a, const char *level, const char *kernel, size_t n);
/* Mostly small ones, not multiples of a vector. */
size_t random_size(Rng *r);

/* The levels this processor and this build have: i below 3, NULL where it does not. */
const Kernels *kernels_at(int i);

#endif
