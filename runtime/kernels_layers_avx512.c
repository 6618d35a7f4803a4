/* Multiplication, pooling and tables for x86-64 with AVX-512: kernels_layers_body.h, and a table of
 * 256 bytes as 128 words in four registers: vpermt2w, which AVX-512 BW has (the byte form would need
 * VBMI), finds the word of index / 2 in either half of the table, the lowest bit its byte.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels_layers.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define LEVEL_TABLE hone_rt_kernels_avx512
#define CAT(name)   name##_avx512
#include "kernels_layers_body.h"

/* The entries, in the low bytes, of 32 indices 0..255 held in words. */
static inline __m512i look_up(const __m512i part[4], __m512i index)
{
    const __m512i word = _mm512_srli_epi16(index, 1);
    const __m512i low = _mm512_permutex2var_epi16(part[0], word, part[1]);
    const __m512i high = _mm512_permutex2var_epi16(part[2], word, part[3]);
    const __mmask32 upper = _mm512_test_epi16_mask(index, _mm512_set1_epi16(0x80));
    const __m512i pair = _mm512_mask_blend_epi16(upper, low, high);
    const __mmask32 odd = _mm512_test_epi16_mask(index, _mm512_set1_epi16(1));
    return _mm512_mask_srli_epi16(pair, odd, pair, 8);
}

void hone_rt_table_avx512(const int8_t *table, const int8_t *x, size_t n, int8_t *y)
{
    __m512i part[4];
    for (int k = 0; k < 4; k++)
        part[k] = _mm512_loadu_si512(table + 64 * k);
    for (size_t i = 0; i < n; i += 32) {
        const __mmask32 mask = n - i < 32 ? (1u << (n - i)) - 1u : ~0u;
        const __m256i codes = _mm256_maskz_loadu_epi8(mask, x + i);
        const __m256i index = _mm256_xor_si256(codes, _mm256_set1_epi8((char)0x80));
        const __m512i found = look_up(part, _mm512_cvtepu8_epi16(index));
        _mm256_mask_storeu_epi8(y + i, mask, _mm512_cvtepi16_epi8(found));
    }
}

#endif
