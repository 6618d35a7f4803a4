/* The machine as the trainer uses it: threads, kernel tables, BLAS. Made once by the program and
 * lent to every compilation.
 *
 *     Compute c;
 *     if (compute_open(&c, 0, NULL, &e) != HONE_OK) ...      // all processors, best kernels
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_COMPUTE_H
#define HONE_CORE_COMPUTE_H

#include "core/blas.h"
#include "core/error.h"
#include "core/kernels.h"
#include "core/kernels_conv.h"
#include "core/kernels_pair.h"
#include "core/threads.h"
#include "runtime/kernels.h"

typedef struct Compute {
    Threads *threads;
    const Kernels *real;             /* float kernels of the chosen level */
    const ConvKernels *conv;         /* those of convolutions and dense layers */
    const PairKernels *int16, *bf16; /* those on 16-bit numbers */
    const HoneRtKernels *integer;    /* integer kernels of the same level */
    const char *level;               /* as asked for; NULL: the best */
    Blas blas;
} Compute;

/* threads: 0 for the machine's processors, or 1..THREADS_MAX. level: "ref", which is plain C
 * without BLAS, "avx2", "avx512", or NULL for the best that the processor has. Errors: ERR_CONFIG
 * for a level it does not have. */
HONE_CHECKED int compute_open(Compute *c, int threads, const char *level, Error *e);
void compute_close(Compute *c);

/* Whether all n numbers are finite. */
bool compute_finite(const Compute *c, const Real *v, size_t n);

#endif
