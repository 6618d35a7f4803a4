/* The machine as the trainer uses it: see compute.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/compute.h"

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
    c->level = level ? c->integer->name : NULL;
    blas_open(&c->blas, level && strcmp(level, "ref") == 0);
    return threads_new(&c->threads, threads, e);
}

void compute_close(Compute *c)
{
    threads_free(c->threads);
    *c = (Compute){0};
}
