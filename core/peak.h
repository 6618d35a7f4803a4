/* What a machine can do at most: loops that keep its multipliers, or its memory, busy and do
 * nothing else. Every kernel of ours is held against these figures, by bench/ and by `hone bench
 * step --profile`.
 *
 *     Peaks p;
 *     if (peaks_open(&p, 2, &e) != HONE_OK) ...
 *     double gops = peaks_arithmetic(&p, loop, 0.2).best;     // of both threads together
 *     peaks_close(&p);
 *
 *     Ceilings c;                                              // or all that nodes are held against
 *     if (ceilings_measure(&c, "avx512", 2, &e) != HONE_OK) ...
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_PEAK_H
#define HONE_CORE_PEAK_H

#include "core/blas.h"
#include "core/threads.h"

#include <stdbool.h>

/* What products are made of; sums are of 32 bits. */
typedef enum Arithmetic {
    ARITHMETIC_FLOAT,
    ARITHMETIC_INT8,
    ARITHMETIC_INT16, /* pairs of products added, as bf16's */
    ARITHMETIC_BF16,
    ARITHMETIC_KINDS,
} Arithmetic;

/* One kind of instruction, repeated on independent sums that stay in registers. */
typedef struct PeakLoop {
    const char *name;                      /* "float32 fma" */
    const char *level;                     /* of the kernels that use it: "avx2", "avx512" */
    Arithmetic arithmetic;                 /* exact where it is of integers */
    int bits;                              /* of its vectors */
    double operations;                     /* of a round; a multiply-accumulate is two */
    bool bf16;                             /* needs more of the processor than its level says */
    void (*run)(long rounds, float *sink); /* sink: what keeps the sums from being left out */
} PeakLoop;

/* All loops of a level, ended by one without a name; empty where the machine is of another kind. */
extern const PeakLoop peak_loops_avx2[];
extern const PeakLoop peak_loops_avx512[];

typedef struct Peaks {
    Threads *threads;
    Blas blas;
} Peaks;

/* Giga-operations or gigabytes per second, of all threads together. Disturbances only ever lower a
 * figure, so the best of many short measurements is the ceiling. */
typedef struct Rate {
    double best, median;
} Rate;

typedef enum MemoryLoop {
    MEMORY_READ, /* sum += a[i]: 4 bytes each */
    MEMORY_COPY, /* memcpy: 8 */
    MEMORY_TRIAD, /* a[i] = b[i] + s c[i]: 12, the line that is read before it is written not counted */
} MemoryLoop;

/* threads: 0 for all processors. */
HONE_CHECKED int peaks_open(Peaks *p, int threads, Error *e);
void peaks_close(Peaks *p);

/* The loops that this machine can run, in order; returns how many, at most room are stored. */
int peaks_loops(const PeakLoop **out, int room);
/* The loop that a level's kernels are held against: the level's widest of that arithmetic. Where it
 * has none, its kernels make do: with floats for bf16, with int16 for int8 and the other way round.
 * NULL: the level has no loops. */
const PeakLoop *peaks_loop_of(const char *level, Arithmetic arithmetic);

/* seconds: how long to measure, at least; a few measurements are made in any case. */
Rate peaks_arithmetic(const Peaks *p, const PeakLoop *loop, double seconds);
/* bytes: of each of the three arrays, cut evenly among the threads. */
HONE_CHECKED int peaks_memory(const Peaks *p, MemoryLoop loop, size_t bytes, double seconds,
                              Rate *rate, Error *e);
/* Each thread its own product of two n x n matrices, by the library that Hone loads. */
HONE_CHECKED int peaks_gemm(const Peaks *p, int n, double seconds, Rate *rate, Error *e);

/* Ceilings of the kernels of a level on so many threads; 0: unknown. */
typedef struct Ceilings {
    double gops[ARITHMETIC_KINDS]; /* giga-operations per second; a multiply-accumulate is two */
    double gbytes;                 /* gigabytes per second read and written, beyond the caches */
} Ceilings;

/* "float", "int8", "int16", "bf16" */
const char *arithmetic_name(Arithmetic arithmetic);
/* Takes about half a second and 192 MiB for that long. threads: 0 for all processors. */
HONE_CHECKED int ceilings_measure(Ceilings *c, const char *level, int threads, Error *e);

#endif
