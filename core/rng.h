/* Counter-based random numbers: a value is a pure function of (seed, stream, counters).
 *
 *     Rng r = rng_at(seed, RNG_AUGMENT, epoch, index);   // no state anywhere else
 *     float u = rng_uniform(&r);                         // [0, 1)
 *
 * Because nothing is carried from one sample to the next, results depend neither on the order in
 * which samples are prepared nor on the number of threads, and a resumed run needs no saved
 * generator. Philox-4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011, table 2 and section 3.3. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_RNG_H
#define HONE_CORE_RNG_H

#include <stdint.h>

/* Who draws. Streams never share values; append, never renumber (results would change). */
typedef enum RngStream {
    RNG_INIT = 1,    /* weight initialization: (parameter index, 0) */
    RNG_SHUFFLE = 2, /* order of samples: (epoch, 0) */
    RNG_AUGMENT = 3, /* flips, crops: (epoch, sample index) */
    RNG_DATA = 4,    /* drawn data sets: (split, sample index) */
    RNG_BENCH = 5,   /* random data for benchmarks */
    RNG_DROPOUT = 6, /* (step, number of the node) */
    RNG_TEST = 7,    /* tests */
    RNG_AUDIO = 8,   /* recordings varied: (epoch, sample index) */
    RNG_MIXUP = 9,   /* partners and shares: (epoch, sample index) */
} RngStream;

typedef struct Rng {
    uint32_t key[2];
    uint32_t counter[4]; /* counter[0] advances by one per block of four words */
    uint32_t block[4];   /* the current block */
    unsigned used;       /* words of block handed out, 0..4 */
} Rng;

/* The generator at (seed, stream, a, b), at its first value. b is used modulo 2^32. */
Rng rng_at(uint64_t seed, RngStream stream, uint64_t a, uint64_t b);

/* The same generator, blocks of four words further on from its first value. */
Rng rng_after(Rng r, uint32_t blocks);

/* The next word: any of the 2^32 alike. */
uint32_t rng_u32(Rng *r);
/* Uniform in [0, 1), multiples of 2^-24: exact in float. */
float rng_uniform(Rng *r);
/* Uniform integer in [0, n), n > 0, without bias (Lemire 2019, rejection on the low word). */
uint32_t rng_below(Rng *r, uint32_t n);
/* Standard normal, Box-Muller, computed in double; two uniforms per call. */
double rng_normal(Rng *r);
/* Fisher-Yates: a permutation of 0..n-1 into out[n]. */
void rng_permutation(Rng *r, uint32_t *out, uint32_t n);
/* The bare block function, for tests against published vectors. */
void rng_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]);

#endif
