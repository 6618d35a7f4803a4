/* Picks the kernels for the CPU we run on. For hosts only: a device passes the table it was built
 * with. SPDX-License-Identifier: Apache-2.0 */
#include "kernels.h"

#include <string.h>

typedef struct Candidate {
    const HoneRtKernels *kernels;
    int (*supported)(void);
} Candidate;

#if defined(__x86_64__)
/* __builtin_cpu_supports also asks whether the operating system saves the registers. */
static int has_avx512(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
}

static int has_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

static int always(void)
{
    return 1;
}

/* Best first. */
static const Candidate candidates[] = {
#if defined(__x86_64__)
    {&hone_rt_kernels_avx512, has_avx512},
    {&hone_rt_kernels_avx2, has_avx2},
#endif
    {&hone_rt_kernels_ref, always},
};

const HoneRtKernels *hone_rt_kernels_for_host(const char *force)
{
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        const Candidate *c = &candidates[i];
        if ((force == NULL || strcmp(force, c->kernels->name) == 0) && c->supported())
            return c->kernels;
    }
    return NULL;
}
