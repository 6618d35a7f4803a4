/* Large blocks of memory. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_MEMORY_H
#define HONE_CORE_MEMORY_H

#include <stddef.h>

/* bytes (at least 1) of zeros, aligned to 64, every page touched; freed by free(). Large blocks ask
 * for large pages where the system has them: sweeps over them then miss fewer translations and
 * conflict less in the caches. NULL when there is no memory. */
void *memory_new(size_t bytes);

#endif
