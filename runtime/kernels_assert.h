/* Assertions of the kernels: assert() on a hosted implementation, nothing on a freestanding one,
 * whose C library may have no place to print to. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_RUNTIME_KERNELS_ASSERT_H
#define HONE_RUNTIME_KERNELS_ASSERT_H

#if defined(__STDC_HOSTED__) && __STDC_HOSTED__ && !defined(HONE_RT_NO_ASSERT)
#include <assert.h>
#define HONE_RT_ASSERT(condition) assert(condition)
#else
#define HONE_RT_ASSERT(condition) ((void)0)
#endif

#endif
