/* Arrays for comparing kernels: see kerncheck_arena.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/kerncheck_arena.h"

#include "runtime/kernels.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MARGIN = 128, POISON = 0xa5 };

static size_t block_bytes(size_t bytes)
{
    return bytes + 2 * MARGIN + 64;
}

/* A new pair of arrays with equal random bytes, at different alignments; returns its number. */
static int array_new(Arena *a, size_t bytes, size_t element)
{
    ck_assert_int_lt(a->count, ARENA_ARRAYS);
    int k = a->count++;
    a->bytes[k] = bytes;
    for (int side = 0; side < 2; side++) {
        a->block[side][k] = malloc(block_bytes(bytes));
        ck_assert_ptr_nonnull(a->block[side][k]);
        memset(a->block[side][k], POISON, block_bytes(bytes));
        size_t shift = rng_below(&a->rng, (uint32_t)(64 / element)) * element;
        a->data[side][k] = a->block[side][k] + MARGIN + shift;
    }
    for (size_t i = 0; i < bytes; i++)
        a->data[0][k][i] = a->data[1][k][i] = (unsigned char)rng_u32(&a->rng);
    return k;
}

static Real number(Rng *r, bool wild)
{
    static const double special[] = {0, -0.0, 6, 1e30, -1e30, 1e-30, INFINITY, -INFINITY, NAN};
    uint32_t kind = rng_below(r, wild ? 12 : 8);
    if (kind < 5)
        return (Real)(4 * rng_normal(r));
    if (kind < 8) /* ties of a grid of 1/4 */
        return (Real)(((int)rng_below(r, 64) - 32) * 0.125);
    return (Real)special[rng_below(r, sizeof special / sizeof special[0])];
}

int reals_new(Arena *a, size_t n, bool wild)
{
    int k = array_new(a, n * sizeof(Real), sizeof(Real));
    for (size_t i = 0; i < n; i++) {
        Real v = number(&a->rng, wild);
        memcpy(a->data[0][k] + i * sizeof v, &v, sizeof v);
        memcpy(a->data[1][k] + i * sizeof v, &v, sizeof v);
    }
    return k;
}

int bytes_new(Arena *a, size_t n)
{
    return array_new(a, n, 1);
}

Real *reals(const Arena *a, int side, int k)
{
    return (Real *)(void *)a->data[side][k];
}

static bool same(const Arena *a, int k)
{
    if (memcmp(a->data[0][k], a->data[1][k], a->bytes[k]) == 0)
        return true;
    if (a->bytes[k] % sizeof(Real) != 0)
        return false;
    for (size_t i = 0; i < a->bytes[k] / sizeof(Real); i++) { /* NaNs may differ in their payload */
        Real x, y;
        memcpy(&x, a->data[0][k] + i * sizeof x, sizeof x);
        memcpy(&y, a->data[1][k] + i * sizeof y, sizeof y);
        if (memcmp(&x, &y, sizeof x) != 0 && !(isnan(x) && isnan(y)))
            return false;
    }
    return true;
}

static bool poisoned(const unsigned char *begin, const unsigned char *end)
{
    while (begin < end)
        if (*begin++ != POISON)
            return false;
    return true;
}

void arena_check(Arena *a, const char *level, const char *kernel, size_t n)
{
    for (int k = 0; k < a->count; k++) {
        ck_assert_msg(same(a, k), "%s of %s: array %d of %zu elements differs from ref", kernel,
                      level, k, n);
        for (int side = 0; side < 2; side++) {
            const unsigned char *p = a->block[side][k], *data = a->data[side][k];
            const unsigned char *end = p + block_bytes(a->bytes[k]);
            ck_assert_msg(poisoned(p, data) && poisoned(data + a->bytes[k], end),
                          "%s of %s: wrote outside array %d, n = %zu", kernel, side ? level : "ref",
                          k, n);
            free(a->block[side][k]);
        }
    }
    a->count = 0;
}

size_t random_size(Rng *r)
{
    return 1 + rng_below(r, rng_below(r, 4) ? 70 : 1000);
}

const Kernels *kernels_at(int i)
{
    static const char *const names[] = {"ref", "avx2", "avx512"};
    return hone_rt_kernels_for_host(names[i]) ? kernels_named(names[i]) : NULL;
}
