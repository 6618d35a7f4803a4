/* Multiplication, pooling and tables for x86-64 with AVX2: kernels_layers_body.h, and a table of 256
 * bytes as 16 shuffles of 16: the high half of an index, once it is subtracted, is 0 in just one of
 * them, and saturation marks the others for the shuffle to give 0.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels_layers.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define LEVEL_TABLE hone_rt_kernels_avx2
#define CAT(name)   name##_avx2
#include "kernels_layers_body.h"

enum { ROW = 16, ROWS = 16 }; /* entries of a shuffle; shuffles */

void hone_rt_table_avx2(const int8_t *table, const int8_t *x, size_t n, int8_t *y)
{
    const __m256i flip = _mm256_set1_epi8((char)0x80), others = _mm256_set1_epi8(0x70);
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        const __m256i index =
            _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)(x + i)), flip);
        __m256i found = _mm256_setzero_si256();
        for (int row = 0; row < ROWS; row++) {
            const __m256i entries = _mm256_broadcastsi128_si256(
                _mm_loadu_si128((const __m128i *)(const void *)(table + row * ROW)));
            const __m256i rest = _mm256_xor_si256(index, _mm256_set1_epi8((char)(row * ROW)));
            found = _mm256_or_si256(found,
                                    _mm256_shuffle_epi8(entries, _mm256_adds_epu8(rest, others)));
        }
        _mm256_storeu_si256((__m256i *)(void *)(y + i), found);
    }
    hone_rt_table_ref(table, x + i, n - i, y + i);
}

#endif
