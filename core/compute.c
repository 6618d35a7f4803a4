/* The machine as the trainer uses it: see compute.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/compute.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

int compute_open(Compute *c, int threads, const char *level, Error *e)
{
    *c = (Compute){0};
    c->integer = hone_rt_kernels_for_host(level);
    if (!c->integer)
        return error_set(e, HONE_ERR_CONFIG,
                         "HONE_CPU: this machine has no kernels '%s'; ref, avx2 and avx512 exist",
                         level ? level : "");
    c->real = kernels_named(c->integer->name);
    if (!c->real)
        c->real = &kernels_ref;
    c->conv = kernels_conv_named(c->integer->name);
    c->int16 = kernels_int16_named(c->integer->name);
    c->bf16 = kernels_bf16_named(c->integer->name);
    c->level = level ? c->integer->name : NULL;
    blas_open(&c->blas, level && strcmp(level, "ref") == 0);
    return threads_new(&c->threads, threads, e);
}

void compute_close(Compute *c)
{
    threads_free(c->threads);
    *c = (Compute){0};
}

/* ---- numbers that are not finite ---- */

#define FINITE_BLOCK ((size_t)65536)

typedef struct FiniteJob {
    const Kernels *kernels;
    const Real *v;
    size_t n, block;
    atomic_bool bad;
} FiniteJob;

static void check_block(void *context, int block, int worker)
{
    (void)worker;
    FiniteJob *job = context;
    size_t at = (size_t)block * job->block, left = job->n - at;
    Real lo, hi;
    job->kernels->minmax(left < job->block ? left : job->block, job->v + at, &lo, &hi);
    if (!isfinite(lo) || !isfinite(hi))
        atomic_store(&job->bad, true);
}

bool compute_finite(const Compute *c, const Real *v, size_t n)
{
    FiniteJob job = {.kernels = c->real, .v = v, .n = n, .block = FINITE_BLOCK};
    while (n / job.block >= THREADS_BLOCKS_MAX)
        job.block *= 2;
    threads_run(c->threads, (int)((n + job.block - 1) / job.block), check_block, &job);
    return !atomic_load(&job.bad);
}
