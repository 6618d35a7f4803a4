/* Shapes of tensors. Activations are N,H,W,C (rank 4) or N,C (rank 2); the last axis is the channel
 * axis of everything that has channels. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_SHAPE_H
#define HONE_CORE_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

#define SHAPE_RANK_MAX 4

typedef struct Shape {
    int rank;                /* 0..4; 0 is a scalar */
    int dim[SHAPE_RANK_MAX]; /* each >= 1; unused entries are 0 */
} Shape;

#define SHAPE1(a)          ((Shape){1, {(a)}})
#define SHAPE2(a, b)       ((Shape){2, {(a), (b)}})
#define SHAPE4(a, b, c, d) ((Shape){4, {(a), (b), (c), (d)}})

/* Number of elements; 1 for a scalar. */
static inline size_t shape_count(Shape s)
{
    size_t n = 1;
    for (int i = 0; i < s.rank; i++)
        n *= (size_t)s.dim[i];
    return n;
}

/* Size of the last axis; 1 for a scalar. */
static inline int shape_channels(Shape s)
{
    return s.rank > 0 ? s.dim[s.rank - 1] : 1;
}

/* Whether rank and all sizes are equal. */
static inline bool shape_equal(Shape a, Shape b)
{
    if (a.rank != b.rank)
        return false;
    for (int i = 0; i < a.rank; i++)
        if (a.dim[i] != b.dim[i])
            return false;
    return true;
}

/* "[8, 32, 32, 3]" for messages; buffer of at least SHAPE_TEXT_BYTES, returned. */
#define SHAPE_TEXT_BYTES 64
const char *shape_text(Shape s, char *buffer);

#endif
