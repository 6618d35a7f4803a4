/* Finding a table of 16-bit products: see kernels_pair.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/kernels_pair.h"

#include <string.h>

const PairKernels *kernels_int16_named(const char *level)
{
#if defined(__x86_64__) && !defined(HONE_DOUBLE)
    if (strcmp(level, "avx512") == 0)
        return &kernels_int16_avx512;
    if (strcmp(level, "avx2") == 0)
        return &kernels_int16_avx2;
#endif
    (void)level;
    return &kernels_int16_ref;
}

const PairKernels *kernels_bf16_named(const char *level)
{
#if defined(__x86_64__) && !defined(HONE_DOUBLE)
    __builtin_cpu_init();
    if (strcmp(level, "avx512") == 0 && __builtin_cpu_supports("avx512bf16"))
        return &kernels_bf16_avx512;
    if (strcmp(level, "ref") != 0)
        return &kernels_bf16_avx2;
#endif
    (void)level;
    return &kernels_bf16_ref;
}
