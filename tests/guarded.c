/* Guarded buffers: see guarded.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/guarded.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { MARGIN = 128, POISON = 0xa5 };

static Guarded guarded_make(size_t bytes, size_t before, size_t after)
{
    Guarded b = {.bytes = bytes, .before = before, .after = after};
    b.block = malloc(before + bytes + after);
    ck_assert_ptr_nonnull(b.block);
    memset(b.block, POISON, before + bytes + after);
    b.data = b.block + before;
    return b;
}

Guarded guarded_new(size_t bytes, size_t align)
{
    return guarded_make(bytes, MARGIN + align, MARGIN);
}

Guarded guarded_input(size_t bytes, size_t align)
{
    return guarded_make(bytes, MARGIN + align, 0);
}

static bool poisoned(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != POISON)
            return false;
    return true;
}

void guarded_check(const Guarded *b, const char *what)
{
    ck_assert_msg(poisoned(b->block, b->before), "%s: wrote before its buffer", what);
    ck_assert_msg(poisoned(b->data + b->bytes, b->after), "%s: wrote behind its buffer", what);
}

void guarded_free(Guarded *b, const char *what)
{
    guarded_check(b, what);
    free(b->block);
}

int between(Rng *rng, int lo, int hi)
{
    return lo + (int)rng_below(rng, (uint32_t)(hi - lo + 1));
}

size_t random_align(Rng *rng, size_t element)
{
    return rng_below(rng, 3) == 0 ? 0 : rng_below(rng, 64) / element * element;
}

void fill_codes(Rng *rng, Guarded *b, int lo, bool extremes)
{
    for (size_t i = 0; i < b->bytes; i++) {
        const int wide = lo + (int)rng_below(rng, (uint32_t)(128 - lo));
        const int v = extremes ? (rng_below(rng, 2) ? lo : 127) : wide;
        b->data[i] = (unsigned char)v;
    }
}
