/* Multipliers from scales: see requant.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/requant.h"

#include <string.h>

static uint32_t float_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* r as multiplier i of n in D31, of which the shift may be at most `most`. */
static bool put_d31(double r, int32_t most, size_t n, size_t i, uint32_t *words)
{
    uint64_t bits;
    int32_t m, e;
    memcpy(&bits, &r, sizeof bits);
    if (hone_rt_d31_from_double_bits(bits, &m, &e) != 0 || e > most)
        return false;
    words[i] = (uint32_t)m;
    words[n + i] = (uint32_t)e;
    return true;
}

bool requant_product(uint32_t profile, float a, float b, float y, size_t n, uint32_t *words)
{
    const float unit = a * b, r = unit / y;
    if (profile == HONE_RT_D31)
        return put_d31((double)a * (double)b / (double)y, HONE_RT_D31_MAX_SHIFT, n, 0, words);
    return hone_rt_s24_word_from_float_bits(float_bits(r), words) == 0;
}

bool requant_mul(uint32_t profile, float a, float b, float y, uint32_t *words)
{
    const float unit = a * b, quotient = unit / y;
    if (profile == HONE_RT_D31)
        return put_d31((double)quotient, HONE_RT_D31_MAX_SHIFT, 1, 0, words);
    const float r = (float)((double)a * (double)b / (double)y);
    return hone_rt_s24_word_from_float_bits(float_bits(r), words) == 0;
}

/* Position of the highest bit of v > 0. */
static int highest_bit(int64_t v)
{
    int bit = 0;
    while (v >>= 1)
        bit++;
    return bit;
}

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

bool requant_mean(uint32_t profile, float x, int64_t count, float y, uint32_t *words)
{
    const float r = (float)((double)x / ((double)count * (double)y));
    if (profile == HONE_RT_S24)
        return hone_rt_s24_word_from_float_bits(float_bits(r), words) == 0;
    if (!put_d31((double)x / (double)y, HONE_RT_D31_MAX_SHIFT, 1, 0, words))
        return false;
    const int32_t e = (int32_t)words[1];
    const int lift = min_int(min_int(highest_bit(count), 32), 31 + e);
    words[0] = (uint32_t)(((uint64_t)words[0] << lift) / (uint64_t)count);
    words[1] = (uint32_t)(e - lift);
    return true;
}

bool requant_add(uint32_t profile, float a, float b, float y, HoneRtAdd *add, uint32_t *words)
{
    const double twice = 2 * (double)(a > b ? a : b);
    uint32_t made[REQUANT_ADD_WORDS];
    if (profile == HONE_RT_S24)
        return hone_rt_add_from_float_bits(float_bits(a / y), float_bits(b / y), add) == 0;
    if (!put_d31((double)a / twice, 0, 3, 0, made) || !put_d31((double)b / twice, 0, 3, 1, made) ||
        !put_d31(twice / ((double)(1 << HONE_RT_D31_ADD_LIFT) * (double)y), 0, 3, 2, made))
        return false;
    memcpy(words, made, sizeof made);
    return true;
}
