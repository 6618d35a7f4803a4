/* Memory planning: buffers with lifetimes get offsets in one arena, such that buffers alive at the
 * same time never overlap and the arena is small. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_PLAN_H
#define HONE_CORE_PLAN_H

#include "core/error.h"

#include <stddef.h>

typedef struct PlanBuffer {
    size_t bytes;   /* 0: gets offset 0 and takes no room */
    int begin, end; /* alive at the ticks begin..end, both included; begin <= end */
    size_t offset;  /* result */
} PlanBuffer;

/* Sets every offset, a multiple of align (a power of two), and *total, the arena's size. Largest
 * first, or first what is alive when the most is, each into the tightest gap between the placed
 * buffers that overlap it in time, whichever gives the smaller arena: "greedy by size" and "by
 * breadth" of Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020,
 * section 5. Deterministic. O(n^2); allocates and frees its own scratch. */
HONE_CHECKED int plan_solve(PlanBuffer *buffers, int count, size_t align, size_t *total, Error *e);

#endif
