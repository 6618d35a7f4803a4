/* Keeping the k largest magnitudes of an array, exactly and in linear time.
 *
 * Radix selection: magnitudes compare as the unsigned integers of their bits (IEEE 754 orders them
 * so); one histogram per digit of 11 bits, from the top, narrows the k-th largest to one value, and
 * a last sweep keeps what is larger and, of equal ones, the first in index order. No sorting, no
 * allocation, no dependence on anything but the values. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_PRUNE_SELECT_H
#define HONE_PRUNE_SELECT_H

#include <stddef.h>
#include <stdint.h>

#include "core/real.h"

#define SELECT_BUCKETS 2048

typedef struct SelectScratch {
    size_t histogram[SELECT_BUCKETS];
} SelectScratch;

/* Clears mask[i] (bytes 0 or 1, n of them) for all but k of the w[i] that the mask keeps: those of
 * largest |w|, of equal ones those of lowest index. A NaN counts as larger than any number. Nothing
 * changes when the mask keeps k or fewer; a 0 of the mask stays 0. */
void select_largest(const Real *w, uint8_t *mask, size_t n, size_t k, SelectScratch *scratch);

#endif
