/* Memory planning: see plan.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/plan.h"

#include <stdint.h>
#include <stdlib.h>

typedef struct Placed {
    size_t bytes;
    int index; /* of the buffer */
} Placed;

static int larger_first(const void *a, const void *b)
{
    const Placed *p = a, *q = b;
    if (p->bytes != q->bytes)
        return p->bytes < q->bytes ? 1 : -1;
    return p->index - q->index;
}

static size_t round_up(size_t n, size_t align)
{
    return (n + align - 1) & ~(align - 1);
}

/* The offset of the tightest gap for b among the placed buffers, which are sorted by offset. */
static size_t tightest_gap(const PlanBuffer *buffers, const int *by_offset, int placed,
                           const PlanBuffer *b, size_t align)
{
    size_t best = SIZE_MAX, best_gap = SIZE_MAX, end = 0;
    for (int i = 0; i < placed; i++) {
        const PlanBuffer *other = &buffers[by_offset[i]];
        if (other->end < b->begin || b->end < other->begin)
            continue;
        size_t gap = other->offset > end ? other->offset - end : 0;
        if (gap >= b->bytes && gap < best_gap) {
            best = end;
            best_gap = gap;
        }
        size_t other_end = round_up(other->offset + other->bytes, align);
        end = other_end > end ? other_end : end;
    }
    return best == SIZE_MAX ? end : best;
}

static void insert_by_offset(const PlanBuffer *buffers, int *by_offset, int placed, int index)
{
    int at = placed;
    while (at > 0 && buffers[by_offset[at - 1]].offset > buffers[index].offset) {
        by_offset[at] = by_offset[at - 1];
        at--;
    }
    by_offset[at] = index;
}

int plan_solve(PlanBuffer *buffers, int count, size_t align, size_t *total, Error *e)
{
    *total = 0;
    size_t bytes = (size_t)(count + 1) * (sizeof(Placed) + sizeof(int));
    Placed *order = malloc(bytes);
    if (!order)
        return error_memory(e, "the memory plan", bytes);
    int *by_offset = (int *)(order + count + 1);
    for (int i = 0; i < count; i++)
        order[i] = (Placed){buffers[i].bytes, i};
    qsort(order, (size_t)count, sizeof order[0], larger_first);
    int placed = 0;
    for (int i = 0; i < count; i++) {
        PlanBuffer *b = &buffers[order[i].index];
        b->offset = 0;
        if (b->bytes == 0)
            continue;
        b->offset = tightest_gap(buffers, by_offset, placed, b, align);
        insert_by_offset(buffers, by_offset, placed++, order[i].index);
        size_t end = round_up(b->offset + b->bytes, align);
        *total = end > *total ? end : *total;
    }
    free(order);
    return HONE_OK;
}
