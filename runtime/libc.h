/* The two library functions the runtime needs. A freestanding compiler may lack <string.h>, though
 * not the functions: it emits calls to them itself. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_RUNTIME_LIBC_H
#define HONE_RUNTIME_LIBC_H

#if defined(__STDC_HOSTED__) && __STDC_HOSTED__
#include <string.h>
#else
#include <stddef.h>
void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);
#endif

#endif
