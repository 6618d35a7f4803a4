/* Memory planning: see plan.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/plan.h"

#include <stdint.h>
#include <stdlib.h>

typedef struct Placed {
    size_t bytes, breadth;
    int index; /* of the buffer */
} Placed;

static int larger_first(const void *a, const void *b)
{
    const Placed *p = a, *q = b;
    if (p->bytes != q->bytes)
        return p->bytes < q->bytes ? 1 : -1;
    return p->index - q->index;
}

static int broader_first(const void *a, const void *b)
{
    const Placed *p = a, *q = b;
    if (p->breadth != q->breadth)
        return p->breadth < q->breadth ? 1 : -1;
    return larger_first(a, b);
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

/* The most bytes that are alive at one tick of a buffer's life; such a tick is the begin of one. */
static void find_breadths(const PlanBuffer *buffers, Placed *order, int count, size_t align)
{
    for (int i = 0; i < count; i++) {
        const int tick = buffers[i].begin;
        size_t alive = 0;
        for (int k = 0; k < count; k++)
            if (buffers[k].begin <= tick && tick <= buffers[k].end)
                alive += round_up(buffers[k].bytes, align);
        for (int k = 0; k < count; k++)
            if (buffers[k].begin <= tick && tick <= buffers[k].end && order[k].breadth < alive)
                order[k].breadth = alive;
    }
}

/* Places the buffers in their order; returns the arena's size. */
static size_t place_all(PlanBuffer *buffers, const Placed *order, int *by_offset, int count,
                        size_t align)
{
    size_t total = 0;
    int placed = 0;
    for (int i = 0; i < count; i++) {
        PlanBuffer *b = &buffers[order[i].index];
        b->offset = 0;
        if (b->bytes == 0)
            continue;
        b->offset = tightest_gap(buffers, by_offset, placed, b, align);
        insert_by_offset(buffers, by_offset, placed++, order[i].index);
        const size_t end = round_up(b->offset + b->bytes, align);
        total = end > total ? end : total;
    }
    return total;
}

int plan_solve(PlanBuffer *buffers, int count, size_t align, size_t *total, Error *e)
{
    const size_t bytes = (size_t)(count + 1) * (sizeof(Placed) + sizeof(int));
    Placed *order = malloc(bytes);
    if (!order)
        return error_memory(e, "the memory plan", bytes);
    int *by_offset = (int *)(order + count + 1);
    for (int i = 0; i < count; i++)
        order[i] = (Placed){.bytes = buffers[i].bytes, .index = i};
    find_breadths(buffers, order, count, align);
    qsort(order, (size_t)count, sizeof order[0], broader_first);
    const size_t broad = place_all(buffers, order, by_offset, count, align);
    qsort(order, (size_t)count, sizeof order[0], larger_first);
    *total = place_all(buffers, order, by_offset, count, align);
    if (broad < *total) { /* once more */
        qsort(order, (size_t)count, sizeof order[0], broader_first);
        *total = place_all(buffers, order, by_offset, count, align);
    }
    free(order);
    return HONE_OK;
}
