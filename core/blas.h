/* Matrix products: OpenBLAS where it is present, a plain loop of ours where not.
 *
 * The library is loaded at run time, because it picks its kernels when it is loaded and an
 * OpenBLAS older than the processor picks slow ones: the variable OPENBLAS_CORETYPE must be set
 * first. It runs single-threaded; parallelism is Hone's (threads.h). SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef HONE_CORE_BLAS_H
#define HONE_CORE_BLAS_H

#include "core/real.h"

#include <stdbool.h>

typedef enum Transpose { NO_TRANSPOSE, TRANSPOSE } Transpose;

/* C = alpha op(A) op(B) + beta C, row-major; op(A) is [m][k], op(B) [k][n], C [m][n]; lda, ldb, ldc
 * are the strides of the rows as stored. With beta 0, C is not read. The result does not depend on
 * which thread calls. */
typedef void (*GemmFn)(Transpose ta, Transpose tb, int m, int n, int k, Real alpha, const Real *a,
                       int lda, const Real *b, int ldb, Real beta, Real *c, int ldc);

typedef struct Blas {
    GemmFn gemm;
    char core[64]; /* which kernels run, e.g. "OpenBLAS SkylakeX"; "plain C" without a library */
} Blas;

/* Loads the library unless plain is true or the scalar is double; never fails: falls back to plain
 * C. One library per process; a second open uses the first's. */
void blas_open(Blas *b, bool plain);

/* The specification. */
void gemm_plain(Transpose ta, Transpose tb, int m, int n, int k, Real alpha, const Real *a, int lda,
                const Real *b, int ldb, Real beta, Real *c, int ldc);

#endif
