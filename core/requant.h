/* From scales to the integer multipliers of a requantization profile (runtime/fixed.h), for everyone
 * who makes integers: qat/ and layers/. The definitions are docs/NUMERICS.md's, sections 4 and 5.
 *
 * n multipliers of profile S24 are n words; of D31 they are 2n: n mantissas, then n shifts. A function
 * that makes one writes words[0], and in D31 words[n]. All return false, and write nothing, where no
 * multiplier exists: a ratio that is negative, not finite or too large.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_REQUANT_H
#define HONE_CORE_REQUANT_H

#include "runtime/fixed.h"

#include <stdbool.h>
#include <stddef.h>

enum { REQUANT_ADD_WORDS = 6 }; /* of an addition in D31 */

/* Words of n multipliers. */
static inline size_t requant_words(uint32_t profile, size_t n)
{
    return profile == HONE_RT_D31 ? 2 * n : n;
}

/* Of a sum in units of a b, to scale y: S24 float(float(a b) / y), D31 a b / y in double. */
bool requant_product(uint32_t profile, float a, float b, float y, size_t n, uint32_t *words);
/* Of a product of codes on scales a and b, to y; one multiplier. S24 float(a b / y) of the quotient in
 * double; D31 of a b / y in float32 (TensorFlow Lite, mul.cc). */
bool requant_mul(uint32_t profile, float a, float b, float y, uint32_t *words);
/* Of a sum of `count` codes on scale x, to their mean on scale y; one multiplier. S24 float(x / (count
 * y)), quotient in double. D31 the mantissa of x / y divided by count, rounded down, after as many
 * shifts to the left as count has bits below its first, at most 32 and so many that the shift stays in
 * range (TensorFlow Lite, QuantizedMeanOrSum). */
bool requant_mean(uint32_t profile, float x, int64_t count, float y, uint32_t *words);
/* Of an addition of scales a and b, to y: S24 writes m1, m2 and k of *add; D31 three multipliers,
 * a / t, b / t and t / (2^20 y) with t = 2 max(a, b) (TensorFlow Lite, add.cc). */
bool requant_add(uint32_t profile, float a, float b, float y, HoneRtAdd *add, uint32_t *words);

#endif
