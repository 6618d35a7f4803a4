/* Finds a float kernel table by name: see kernels.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/kernels.h"

#include <string.h>

static const Kernels *const tables[] = {
    &kernels_ref,
#if defined(__x86_64__) && !defined(HONE_DOUBLE)
    &kernels_avx2,
    &kernels_avx512,
#endif
};

const Kernels *kernels_named(const char *name)
{
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (strcmp(tables[i]->name, name) == 0)
            return tables[i];
    return NULL;
}
