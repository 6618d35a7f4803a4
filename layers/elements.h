/* Work on elements without regard to shape, cut for run_chunks(): the items are groups of 64
 * elements, so that the bit masks of two chunks never share a byte.
 *
 *     run_chunks(r, elements_items(n), fn);
 *     ... in fn:  Elements e = elements_of(n, begin, end);   // elements e.first .. e.first + e.count - 1
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_LAYERS_ELEMENTS_H
#define HONE_LAYERS_ELEMENTS_H

#include "core/op.h"

#include <stddef.h>

#define ELEMENTS_GROUP ((size_t)64)

typedef struct Elements {
    size_t first, count;
} Elements;

/* Items that n elements make; n is at most INT_MAX. */
static inline int elements_items(size_t n)
{
    return (int)((n + ELEMENTS_GROUP - 1) / ELEMENTS_GROUP);
}

/* What the items [begin, end) of n elements are. */
static inline Elements elements_of(size_t n, int begin, int end)
{
    size_t first = (size_t)begin * ELEMENTS_GROUP, last = (size_t)end * ELEMENTS_GROUP;
    return (Elements){first, (last < n ? last : n) - first};
}

/* Elements that are dequantized at a time: two tiles stay in the first-level cache. */
#define ELEMENTS_TILE ((size_t)1024)

/* n elements of t as reals: in place, or dequantized into room. */
static inline const Real *elements_real(const Run *r, const Tensor *t, size_t first, size_t n,
                                        Real *room)
{
    if (t->elem == ELEM_REAL)
        return (const Real *)t->data + first;
    r->compute->real->dequantize(n, (const int8_t *)t->data + first, run_scale(t)[0],
                                 run_zero_point(t), room);
    return room;
}

/* Bytes of an element. */
static inline size_t elements_bytes(const Tensor *t)
{
    return t->elem == ELEM_CODE ? sizeof(int8_t) : sizeof(Real);
}

/* Bytes of a mask of n bits. */
static inline size_t elements_mask_bytes(size_t n)
{
    return (n + 7) / 8;
}

#endif
