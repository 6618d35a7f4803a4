/* Radix selection of the largest magnitudes: see select.h. SPDX-License-Identifier: Apache-2.0 */
#include "prune/select.h"

#include <stdbool.h>
#include <string.h>

#define DIGIT 11
_Static_assert(SELECT_BUCKETS == 1 << DIGIT, "a digit indexes the histogram");

#ifdef HONE_DOUBLE
typedef uint64_t Key;
#define KEY_BITS 64
#else
typedef uint32_t Key;
#define KEY_BITS 32
#endif
/* Shift of the topmost digit: 22 of 32 bits, 55 of 64. */
#define TOP ((KEY_BITS - 1) / DIGIT * DIGIT)

/* Orders as |w|, above 0; what is already pruned has 0. Without a branch: masks are unpredictable. */
static Key key(Real w, uint8_t kept)
{
    Key bits;
    memcpy(&bits, &w, sizeof bits);
    return ((bits & ~((Key)1 << (KEY_BITS - 1))) + 1) & ((Key)0 - kept);
}

static size_t count_kept(const uint8_t *mask, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        kept += mask[i];
    return kept;
}

/* Counts digits at `shift` of the keys whose higher bits are prefix's. */
static void count_digits(const Real *w, const uint8_t *mask, size_t n, Key prefix, int shift,
                         size_t *histogram)
{
    memset(histogram, 0, SELECT_BUCKETS * sizeof *histogram);
    for (size_t i = 0; i < n; i++) {
        Key k = key(w[i], mask[i]);
        bool inside = shift == TOP || (k ^ prefix) >> shift >> DIGIT == 0;
        histogram[k >> shift & (SELECT_BUCKETS - 1)] += inside;
    }
}

/* The k-th largest key, 1 <= k <= n; *equal becomes how many keys of that value are among the k. */
static Key kth_largest(const Real *w, const uint8_t *mask, size_t n, size_t k, size_t *equal,
                       size_t *histogram)
{
    Key found = 0;
    for (int shift = TOP; shift >= 0; shift -= DIGIT) {
        count_digits(w, mask, n, found, shift, histogram);
        size_t digit = SELECT_BUCKETS - 1;
        for (; histogram[digit] < k; digit--)
            k -= histogram[digit];
        found |= (Key)digit << shift;
    }
    *equal = k;
    return found;
}

void select_largest(const Real *w, uint8_t *mask, size_t n, size_t k, SelectScratch *scratch)
{
    if (count_kept(mask, n) <= k)
        return;
    if (k == 0) {
        memset(mask, 0, n);
        return;
    }
    size_t equal;
    Key least = kth_largest(w, mask, n, k, &equal, scratch->histogram);
    for (size_t i = 0; i < n; i++) {
        Key own = key(w[i], mask[i]);
        bool take = own > least || (own == least && equal > 0);
        equal -= own == least && take;
        mask[i] = take;
    }
}
