/* Requantization: from an exact int32 accumulator to an int8 code. This is the one definition; the
 * exporter, the trainer's integer evaluation, the runtime and the tests all include this file.
 *
 *     uint32_t word;                                          // one word per output channel
 *     if (hone_rt_s24_word_from_float_bits(bits_of_r, &word) != 0) ... r is out of range ...
 *     y = hone_rt_s24_code(acc, word, y_zero_point, lo, hi);
 *
 * Profile S24. A real multiplier r > 0 is a float32, so r = m * 2^-k exactly, with the 24-bit
 * mantissa m in [2^23, 2^24). The product with an accumulator is then exact in int64 and is rounded
 * once, to nearest, halves up (towards plus infinity):
 *
 *     y = clamp(((acc * m + 2^(k-1)) >> k) + zero_point, lo, hi)      >> is the arithmetic shift
 *
 * Profile D31. A real multiplier r >= 0 is a double, rounded to r = m * 2^(e - 31) with m of 31 bits;
 * the product is rounded twice, halves up, then halves away from zero, as TensorFlow Lite Micro and
 * CMSIS-NN do it:
 *
 *     h = (sat32(acc * 2^max(e, 0)) * m + 2^30) >> 31
 *     y = clamp(h / 2^max(-e, 0) to nearest, halves away from zero, + zero_point, lo, hi)
 *
 * Everything here is integer arithmetic, r enters as the bits of a float32 or a double: no rounding
 * mode, no FPU and no compiler flag can change a result. Ranges that make overflow impossible:
 *     |acc| <= 2^31, m < 2^24, k <= 62:  |acc * m + 2^(k-1)| < 2^55 + 2^61 < 2^63;
 *     m < 2^31, e <= 30:  |acc * 2^e| <= 2^61, |sat32 * m + 2^30| < 2^62 + 2^30, |h| < 2^31.
 *
 * Sources: the definition of "rndnu" requantization in XNNPACK (rounding to nearest, up), to which
 * S24 is equal; for D31 SaturatingRoundingDoublingHighMul and RoundingDivideByPOT of gemmlowp, as
 * TensorFlow Lite's MultiplyByQuantizedMultiplier combines them, and its QuantizeMultiplier. Where
 * theirs overflows in the left shift, ours saturates. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_RUNTIME_FIXED_H
#define HONE_RUNTIME_FIXED_H

#include <stdint.h>

/* The rounding profile of an artifact (a field of its header). */
enum {
    HONE_RT_S24 = 0, /* 24-bit multiplier, one rounding, halves up */
    HONE_RT_D31 = 1  /* 31-bit multiplier, two roundings */
};

enum { HONE_RT_S24_MIN_SHIFT = 1, HONE_RT_S24_MAX_SHIFT = 62 };
enum { HONE_RT_ADD_BITS = 21, HONE_RT_ADD_MIN_SHIFT = 1, HONE_RT_ADD_MAX_SHIFT = 30 };

/* y = clamp(((a - a_zp) * m1 + (b - b_zp) * m2 + 2^(k-1) >> k) + y_zp, lo, hi), all in int32:
 * |a - a_zp| <= 255, m1, m2 <= 2^21 - 1 and k <= 30 keep the sum below 2^30 + 2^29 < 2^31. */
typedef struct HoneRtAdd {
    int32_t m1, m2, k;        /* 0 <= m1, m2 < 2^21; 1 <= k <= 30 */
    int32_t a_zp, b_zp, y_zp; /* zero points, in [-128, 127] */
    int32_t lo, hi;           /* clamp of the output code, -128 <= lo <= hi <= 127 */
} HoneRtAdd;

/* floor(v / 2^k), 0 <= k <= 62. C leaves >> of a negative value to the compiler; this does not, and
 * compiles to the one arithmetic shift. */
static inline int64_t hone_rt_shift_right(int64_t v, int k)
{
    return v >= 0 ? v >> k : ~(~v >> k);
}

/* The smallest code of at least lo, the largest of at most hi: min(max(v, lo), hi). */
static inline int32_t hone_rt_clamp(int64_t v, int32_t lo, int32_t hi)
{
    return v < lo ? lo : v > hi ? hi : (int32_t)v;
}

/* floor(v / 2^shift + 1/2) of a mantissa, for any shift >= 0. */
static inline uint32_t hone_rt_round_shift(uint32_t v, int shift)
{
    return shift == 0 ? v : shift > 31 ? 0 : (v >> shift) + ((v >> (shift - 1)) & 1u);
}

/* r = *m * 2^-*k from the bits of the float32 r >= 0; *m is 0 or has exactly 24 bits, *k is in
 * [1, 62]. r < 2^-39 gives *m = 0, *k = 1, which loses nothing: |acc| * r < 2^-8 rounds to 0.
 * Returns 0, or -1 (outputs then untouched) when r is negative, infinite, NaN or >= 2^23. */
static inline int hone_rt_s24_from_float_bits(uint32_t bits, uint32_t *m, int *k)
{
    const int exponent = (int)(bits >> 23); /* includes the sign: a negative r has exponent > 255 */
    const int shift = 150 - exponent;       /* r = mantissa * 2^(exponent - 127 - 23) */
    if (shift < HONE_RT_S24_MIN_SHIFT)
        return -1;
    if (shift > HONE_RT_S24_MAX_SHIFT) {
        *m = 0;
        *k = HONE_RT_S24_MIN_SHIFT;
    } else {
        *m = (bits & 0x7fffffu) | 0x800000u;
        *k = shift;
    }
    return 0;
}

/* The packed form, one 32-bit word per channel: k in bits 24..31, m in bits 0..23. */
static inline uint32_t hone_rt_s24_pack(uint32_t m, int k)
{
    return (uint32_t)k << 24 | m;
}

/* m of a packed word. */
static inline int32_t hone_rt_s24_mantissa(uint32_t word)
{
    return (int32_t)(word & 0xffffffu);
}

/* k of a packed word. */
static inline int hone_rt_s24_shift(uint32_t word)
{
    return (int)(word >> 24);
}

/* True for a word that hone_rt_s24_pack could have made; the kernels assume it. */
static inline int hone_rt_s24_valid(uint32_t word)
{
    const int k = hone_rt_s24_shift(word);
    return k >= HONE_RT_S24_MIN_SHIFT && k <= HONE_RT_S24_MAX_SHIFT;
}

/* hone_rt_s24_from_float_bits, packed. Returns 0, or -1 with *word untouched. */
static inline int hone_rt_s24_word_from_float_bits(uint32_t bits, uint32_t *word)
{
    uint32_t m;
    int k;
    if (hone_rt_s24_from_float_bits(bits, &m, &k) != 0)
        return -1;
    *word = hone_rt_s24_pack(m, k);
    return 0;
}

/* (acc * m + 2^(k-1)) >> k, for 0 <= m < 2^24 and 1 <= k <= 62. The result may exceed int32. */
static inline int64_t hone_rt_s24(int32_t acc, int32_t m, int k)
{
    return hone_rt_shift_right((int64_t)acc * m + ((int64_t)1 << (k - 1)), k);
}

/* The whole epilogue of one value: rescale, add the output's zero point, clamp (the activation). */
static inline int8_t hone_rt_s24_code(int32_t acc, uint32_t word, int32_t y_zp, int32_t lo,
                                      int32_t hi)
{
    const int64_t y = hone_rt_s24(acc, hone_rt_s24_mantissa(word), hone_rt_s24_shift(word));
    return (int8_t)hone_rt_clamp(y + y_zp, lo, hi);
}

/* The multipliers of an addition from the float32 bits of r1 = s1/sy and r2 = s2/sy: the larger
 * one is rounded (halves up) to 21 bits, which fixes k; the smaller one is rounded (halves up) to
 * a multiple of 2^-k. When k would exceed 30 both are 0 and k = 1, which loses nothing: then r1,
 * r2 < 2^-10 and 255 * (r1 + r2) < 1/2. Only m1, m2 and k of *add are written. Returns 0, or -1
 * (nothing written) when a ratio is negative, infinite, NaN or about 2^20 or more. */
static inline int hone_rt_add_from_float_bits(uint32_t r1, uint32_t r2, HoneRtAdd *add)
{
    const uint32_t larger = r1 > r2 ? r1 : r2; /* bits of floats >= 0 are ordered as the floats */
    const int drop = 24 - HONE_RT_ADD_BITS;
    uint32_t m, m1, m2;
    int k, k1, k2;
    if (hone_rt_s24_from_float_bits(larger, &m, &k) != 0 ||
        hone_rt_s24_from_float_bits(r1, &m1, &k1) != 0 ||
        hone_rt_s24_from_float_bits(r2, &m2, &k2) != 0)
        return -1;
    k -= drop + (hone_rt_round_shift(m, drop) >> HONE_RT_ADD_BITS != 0); /* rounded up to 2^21 */
    if (m == 0 || k > HONE_RT_ADD_MAX_SHIFT) {
        add->m1 = add->m2 = 0;
        add->k = HONE_RT_ADD_MIN_SHIFT;
        return 0;
    }
    if (k < HONE_RT_ADD_MIN_SHIFT)
        return -1;
    add->m1 = m1 == 0 ? 0 : (int32_t)hone_rt_round_shift(m1, k1 - k);
    add->m2 = m2 == 0 ? 0 : (int32_t)hone_rt_round_shift(m2, k2 - k);
    add->k = k;
    return 0;
}

/* True when v is in lo..hi. */
static inline int hone_rt_within(int64_t v, int64_t lo, int64_t hi)
{
    return v >= lo && v <= hi;
}

/* True when v is one of an int8's values. */
static inline int hone_rt_is_code(int32_t v)
{
    return hone_rt_within(v, -128, 127);
}

/* True when every field of p is in its range; the kernels assume it. */
static inline int hone_rt_add_valid(const HoneRtAdd *p)
{
    const int32_t most = ((int32_t)1 << HONE_RT_ADD_BITS) - 1;
    return hone_rt_within(p->m1, 0, most) && hone_rt_within(p->m2, 0, most) &&
           hone_rt_within(p->k, HONE_RT_ADD_MIN_SHIFT, HONE_RT_ADD_MAX_SHIFT) &&
           hone_rt_is_code(p->a_zp) && hone_rt_is_code(p->b_zp) && hone_rt_is_code(p->y_zp) &&
           hone_rt_is_code(p->lo) && hone_rt_is_code(p->hi) && p->lo <= p->hi;
}

/* One element of an addition, see HoneRtAdd. */
static inline int8_t hone_rt_add_code(const HoneRtAdd *p, int8_t a, int8_t b)
{
    const int32_t sum = (a - p->a_zp) * p->m1 + (b - p->b_zp) * p->m2 + ((int32_t)1 << (p->k - 1));
    return (int8_t)hone_rt_clamp(hone_rt_shift_right(sum, p->k) + p->y_zp, p->lo, p->hi);
}

/* Global mean over n positions: sum is the plain sum of the n codes, the word holds
 * r = s_x / (n * s_y). n * 255 < 2^31 is the caller's duty. */
static inline int8_t hone_rt_mean_code(int32_t sum, int32_t n, int32_t x_zp, uint32_t word,
                                       int32_t y_zp, int32_t lo, int32_t hi)
{
    return hone_rt_s24_code(sum - n * x_zp, word, y_zp, lo, hi);
}

/* ---- profile D31 ---- */

enum { HONE_RT_D31_MIN_SHIFT = -31, HONE_RT_D31_MAX_SHIFT = 30 };

/* r = *m * 2^(*e - 31), rounded (halves up), from the bits of the double r >= 0; *m is 0 or has exactly
 * 31 bits, *e is in [-31, 30]. r < 2^-32 gives *m = *e = 0. Returns 0, or -1 (outputs then untouched)
 * when r is negative, infinite, NaN or rounds to 2^30 or more. */
static inline int hone_rt_d31_from_double_bits(uint64_t bits, int32_t *m, int32_t *e)
{
    const uint64_t one = (uint64_t)1 << 52;
    const int carry = (int)(((bits & (one - 1)) + (one | (uint64_t)1 << 21)) >> 53);
    const uint32_t rounded = (uint32_t)(((bits & (one - 1)) + (one | (uint64_t)1 << 21)) >> 22);
    const int shift = (int)(bits >> 52) - 1022 + carry; /* includes the sign: negative r is large */
    if (shift > HONE_RT_D31_MAX_SHIFT)
        return -1;
    const int tiny = shift < HONE_RT_D31_MIN_SHIFT;
    *m = tiny ? 0 : (int32_t)(rounded >> carry);
    *e = tiny ? 0 : shift;
    return 0;
}

/* True for a multiplier and a shift that the kernels take. */
static inline int hone_rt_d31_valid(int32_t m, int32_t e)
{
    return m >= 0 && e >= HONE_RT_D31_MIN_SHIFT && e <= HONE_RT_D31_MAX_SHIFT;
}

/* The sum `acc` rescaled, before the zero point; see the top of the file. */
static inline int32_t hone_rt_d31(int32_t acc, int32_t m, int32_t e)
{
    const int64_t lifted = e > 0 ? (int64_t)acc * ((int64_t)1 << e) : acc;
    const int32_t x = hone_rt_clamp(lifted, INT32_MIN, INT32_MAX);
    const int64_t high = hone_rt_shift_right((int64_t)x * m + ((int64_t)1 << 30), 31);
    const int drop = e < 0 ? -e : 0;
    const int64_t half = ((int64_t)1 << drop) >> 1;
    return (int32_t)hone_rt_shift_right(high + half - (high < 0 && drop > 0), drop);
}

/* The whole epilogue of one value. */
static inline int8_t hone_rt_d31_code(int32_t acc, int32_t m, int32_t e, int32_t y_zp, int32_t lo,
                                      int32_t hi)
{
    return (int8_t)hone_rt_clamp((int64_t)hone_rt_d31(acc, m, e) + y_zp, lo, hi);
}

/* y = clamp(D31(D31((a - a_zp) << 20, 0) + D31((b - b_zp) << 20, 1), 2) + y_zp, lo, hi), the number
 * being that of the multiplier. |x - zp| <= 255 and e <= 0 keep all sums below 2^29. */
typedef struct HoneRtAddD31 {
    int32_t m[3], e[3];       /* of a, b and their sum; -31 <= e <= 0 */
    int32_t a_zp, b_zp, y_zp; /* zero points, in [-128, 127] */
    int32_t lo, hi;           /* clamp of the output code, -128 <= lo <= hi <= 127 */
} HoneRtAddD31;

enum { HONE_RT_D31_ADD_LIFT = 20 };

/* True when multipliers and shifts are in their ranges; the kernels assume it. */
static inline int hone_rt_add_d31_valid(const HoneRtAddD31 *p)
{
    int valid = 1;
    for (int i = 0; i < 3; i++)
        valid = valid && hone_rt_d31_valid(p->m[i], p->e[i]) && p->e[i] <= 0;
    return valid;
}

/* One element of an addition, see HoneRtAddD31. */
static inline int8_t hone_rt_add_d31_code(const HoneRtAddD31 *p, int8_t a, int8_t b)
{
    const int32_t unit = (int32_t)1 << HONE_RT_D31_ADD_LIFT;
    const int32_t sum = hone_rt_d31((a - p->a_zp) * unit, p->m[0], p->e[0]) +
                        hone_rt_d31((b - p->b_zp) * unit, p->m[1], p->e[1]);
    return hone_rt_d31_code(sum, p->m[2], p->e[2], p->y_zp, p->lo, p->hi);
}

/* ---- layers without weights ---- */

/* A product: y = clamp(rescale((a - a_zp) * (b - b_zp)) + y_zp, lo, hi), r = s_a * s_b / s_y. */
typedef struct HoneRtMul {
    uint32_t word;            /* S24: the packed word; D31: the multiplier */
    int32_t a_zp, b_zp, y_zp; /* zero points, in [-128, 127] */
    int32_t lo, hi;
    int32_t shift; /* D31 only */
} HoneRtMul;

/* One element of a product, see HoneRtMul; in the rounding of S24, and of D31. */
static inline int8_t hone_rt_mul_code(const HoneRtMul *p, int8_t a, int8_t b)
{
    return hone_rt_s24_code((a - p->a_zp) * (b - p->b_zp), p->word, p->y_zp, p->lo, p->hi);
}

static inline int8_t hone_rt_mul_d31_code(const HoneRtMul *p, int8_t a, int8_t b)
{
    return hone_rt_d31_code((a - p->a_zp) * (b - p->b_zp), (int32_t)p->word, p->shift, p->y_zp,
                            p->lo, p->hi);
}

/* The average of n >= 1 codes, n <= 2^23, of the given sum: rounded to nearest, halves away from 0.
 * The same in every profile: the grid stays, so nothing is rescaled. As TensorFlow Lite's. */
static inline int8_t hone_rt_average_code(int32_t sum, int32_t n)
{
    return (int8_t)((sum > 0 ? sum + n / 2 : sum - n / 2) / n);
}

enum { HONE_RT_SOFTMAX_BITS = 23, HONE_RT_SOFTMAX_SUM_BITS = 31 };

/* One output of a softmax from its exponential and the sum of all. */
static inline int32_t hone_rt_softmax_code(uint32_t exponential, uint32_t sum)
{
    return hone_rt_clamp((int64_t)((256 * exponential + sum / 2) / sum) - 128, -128, 127);
}

/* Softmax of n >= 1 codes. exponential[d] stands for exp(-s_x d), d = largest - x, in units of
 * 1 / exponential[0]; it does not increase, 1 <= exponential[0] <= 2^23, n * exponential[0] <= 2^31.
 * The result is on the grid of scale 1/256, zero point -128:
 *
 *     y(d) = min(floor((256 exponential[d] + floor(sum / 2)) / sum) - 128, 127)
 *
 * but at least -127 for the largest inputs, and less than theirs for the others: so the first of the
 * largest stays the first of the largest. All fits in uint32: 2^31 + 2^30. y may be x. */
static inline void hone_rt_softmax(const uint32_t *exponential, const int8_t *x, int32_t n,
                                   int8_t *y)
{
    int32_t largest = x[0];
    for (int32_t i = 1; i < n; i++)
        largest = x[i] > largest ? x[i] : largest;
    uint32_t sum = exponential[largest - x[0]];
    for (int32_t i = 1; i < n; i++)
        sum += exponential[largest - x[i]];
    int32_t top = hone_rt_softmax_code(exponential[0], sum);
    top = top > -127 ? top : -127;
    for (int32_t i = 0; i < n; i++) {
        const int32_t code = hone_rt_softmax_code(exponential[largest - x[i]], sum);
        y[i] = (int8_t)(x[i] == largest ? top : code < top ? code : top - 1);
    }
}

#endif
