/* OpenBLAS, loaded at run time: see blas.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/blas.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gemm_plain(Transpose ta, Transpose tb, int m, int n, int k, Real alpha, const Real *a, int lda,
                const Real *b, int ldb, Real beta, Real *c, int ldc)
{
    for (int i = 0; i < m; i++) {
        Real *row = c + (size_t)i * (size_t)ldc;
        for (int j = 0; j < n; j++)
            row[j] = beta == 0 ? 0 : beta * row[j];
        for (int p = 0; p < k; p++) {
            Real x = alpha * (ta ? a[(size_t)p * (size_t)lda + (size_t)i]
                                 : a[(size_t)i * (size_t)lda + (size_t)p]);
            if (tb == NO_TRANSPOSE) {
                const Real *brow = b + (size_t)p * (size_t)ldb;
                for (int j = 0; j < n; j++)
                    row[j] += x * brow[j];
            } else {
                for (int j = 0; j < n; j++)
                    row[j] += x * b[(size_t)j * (size_t)ldb + (size_t)p];
            }
        }
    }
}

#ifndef HONE_DOUBLE

/* The C interface of BLAS: orders and transposes are these numbers. */
enum { CBLAS_ROW_MAJOR = 101, CBLAS_NO_TRANS = 111, CBLAS_TRANS = 112 };

typedef void (*SgemmFn)(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a,
                        int lda, const float *b, int ldb, float beta, float *c, int ldc);

/* Set once by blas_open before any thread runs; a GemmFn carries no context. */
static SgemmFn library_sgemm;

static void gemm_library(Transpose ta, Transpose tb, int m, int n, int k, Real alpha, const Real *a,
                         int lda, const Real *b, int ldb, Real beta, Real *c, int ldc)
{
    library_sgemm(CBLAS_ROW_MAJOR, ta ? CBLAS_TRANS : CBLAS_NO_TRANS,
                  tb ? CBLAS_TRANS : CBLAS_NO_TRANS, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

/* The kernel set an OpenBLAS of 2020 or later has for this processor. */
static const char *core_type(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return "SkylakeX";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return "Haswell";
#endif
    return NULL;
}

static void *load(void)
{
    static const char *const names[] = {"libopenblas.so.0", "libopenblas.so", "libopenblas.dylib"};
    const char *core = core_type();
    if (core)
        setenv("OPENBLAS_CORETYPE", core, 0); /* the user's own choice stands */
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (library)
            return library;
    }
    return NULL;
}

void blas_open(Blas *b, bool plain)
{
    static char core[sizeof b->core];
    *b = (Blas){.gemm = gemm_plain, .core = "plain C"};
    if (plain)
        return;
    if (!library_sgemm) {
        void *library = load();
        if (!library)
            return;
        /* POSIX lets dlsym's object pointer stand for a function; ISO C wants it copied. */
        void *symbol = dlsym(library, "cblas_sgemm");
        void *name = dlsym(library, "openblas_get_corename");
        if (!symbol)
            return;
        memcpy(&library_sgemm, &symbol, sizeof symbol);
        char *(*corename)(void) = NULL;
        memcpy(&corename, &name, sizeof name);
        snprintf(core, sizeof core, "OpenBLAS %s", corename ? corename() : "(unknown core)");
    }
    b->gemm = gemm_library;
    memcpy(b->core, core, sizeof core);
}

#else

void blas_open(Blas *b, bool plain)
{
    (void)plain;
    *b = (Blas){.gemm = gemm_plain, .core = "plain C, double"};
}

#endif
