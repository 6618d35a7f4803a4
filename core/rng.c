/* Philox-4x32-10: see rng.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"

#include <math.h>

void rng_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4])
{
    uint32_t k0 = key[0], k1 = key[1];
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u; /* Weyl increments: golden ratio, sqrt(3) - 1 */
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

Rng rng_at(uint64_t seed, RngStream stream, uint64_t a, uint64_t b)
{
    Rng r = {.key = {(uint32_t)seed, (uint32_t)(seed >> 32) ^ ((uint32_t)stream << 24)},
             .counter = {0, (uint32_t)b, (uint32_t)a, (uint32_t)(a >> 32)},
             .used = 4};
    return r;
}

Rng rng_after(Rng r, uint32_t blocks)
{
    r.counter[0] = blocks;
    return r;
}

uint32_t rng_u32(Rng *r)
{
    if (r->used == 4) {
        rng_philox(r->key, r->counter, r->block);
        r->counter[0]++;
        r->used = 0;
    }
    return r->block[r->used++];
}

float rng_uniform(Rng *r)
{
    return (float)(rng_u32(r) >> 8) * 0x1p-24f;
}

uint32_t rng_below(Rng *r, uint32_t n)
{
    uint64_t product = (uint64_t)rng_u32(r) * n;
    if ((uint32_t)product < n) {
        uint32_t threshold = (0u - n) % n;
        while ((uint32_t)product < threshold)
            product = (uint64_t)rng_u32(r) * n;
    }
    return (uint32_t)(product >> 32);
}

double rng_normal(Rng *r)
{
    double u = ((double)rng_u32(r) + 0.5) * 0x1p-32; /* in (0, 1): the logarithm is finite */
    double v = (double)rng_u32(r) * 0x1p-32;
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

void rng_permutation(Rng *r, uint32_t *out, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t j = rng_below(r, i + 1);
        if (j != i)
            out[i] = out[j];
        out[j] = i;
    }
}
