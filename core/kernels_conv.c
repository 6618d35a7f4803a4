/* Finding a table of convolution kernels: see kernels_conv.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/kernels_conv.h"

#include <string.h>

const ConvKernels *kernels_conv_named(const char *name)
{
#if defined(__x86_64__) && !defined(HONE_DOUBLE)
    if (strcmp(name, kernels_conv_avx512.name) == 0)
        return &kernels_conv_avx512;
    if (strcmp(name, kernels_conv_avx2.name) == 0)
        return &kernels_conv_avx2;
#endif
    (void)name;
    return &kernels_conv_ref;
}
