/* Large blocks of memory: see memory.h. SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* madvise */
#include "core/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SMALL_ALIGN ((size_t)64)
#define LARGE_PAGE  ((size_t)2 << 20)
#define LARGE       (4 * LARGE_PAGE) /* from here on rounding up to pages wastes little */

void *memory_new(size_t bytes)
{
    const size_t align = bytes >= LARGE ? LARGE_PAGE : SMALL_ALIGN;
    if (bytes > SIZE_MAX - align)
        return NULL;
    const size_t rounded = (bytes + align - 1) / align * align;
    void *p = aligned_alloc(align, rounded);
    if (!p)
        return NULL;
#ifdef MADV_HUGEPAGE
    if (bytes >= LARGE)
        (void)madvise(p, rounded, MADV_HUGEPAGE); /* a wish: small pages do as well */
#endif
    memset(p, 0, rounded);
    return p;
}
