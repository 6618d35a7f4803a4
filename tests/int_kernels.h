/* What the suites of integer kernels share: tables by level, and random numbers as networks have them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_INT_KERNELS_H
#define HONE_TESTS_INT_KERNELS_H

#include "core/rng.h"
#include "runtime/kernels.h"
#include "tests/levels.h"

#include <stdbool.h>

enum { WALKED = LEVELS };

/* The table of a level, or NULL where this machine cannot run it; of WALKED, the one that
 * int_kernels_walk was given, while its functions are looked at one by one (tests/walk.h). */
const HoneRtKernels *int_kernels(int level);
void int_kernels_walk(const void *table);
/* How many of n cases to run. */
int int_kernels_rounds(int n);

int random_channels(Rng *rng);
/* A multiplier and shift of S24; below 1 only, when asked. */
uint32_t random_word(Rng *rng, bool fractions);
/* A multiplier and a shift of D31, fractions or any. */
void random_d31(Rng *rng, bool fraction, uint32_t *m, int32_t *e);
void random_clamp(Rng *rng, int32_t *lo, int32_t *hi);

#endif
