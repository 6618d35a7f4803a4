/* Peak loops for AVX2; see peak.h. 12 sums hide the latency of an FMA (4 cycles, two a cycle) and
 * leave room for operands in 16 registers. SPDX-License-Identifier: Apache-2.0 */
#include "core/peak.h"

#if defined(__x86_64__)

#include <immintrin.h>

enum { LANES = 8, SUMS = 12, PAIRS = 4 };

static void fma_f32(long rounds, float *sink)
{
    const __m256 x = _mm256_set1_ps(0.75f), w = _mm256_set1_ps(1e-3f);
    __m256 sum[SUMS];
    for (int i = 0; i < SUMS; i++)
        sum[i] = _mm256_setzero_ps();
    for (long r = 0; r < rounds; r++)
        for (int i = 0; i < SUMS; i++)
            sum[i] = _mm256_fmadd_ps(x, w, sum[i]);
    for (int i = 0; i < SUMS; i++)
        *sink += _mm_cvtss_f32(_mm256_castps256_ps128(sum[i]));
}

/* Exact int8 products without VNNI: codes widened to int16, pairs of products added by vpmaddwd. The
 * sum is an instruction of its own, so the compiler could move the products out of the loop; it is
 * told that x changes. */
static void dot_i16(long rounds, float *sink)
{
    __m256i x = _mm256_set1_epi16(113), sum[PAIRS], w[PAIRS];
    for (int i = 0; i < PAIRS; i++) {
        sum[i] = _mm256_setzero_si256();
        w[i] = _mm256_set1_epi16((short)(i - 97));
    }
    for (long r = 0; r < rounds; r++) {
        __asm__("" : "+x"(x));
        for (int i = 0; i < PAIRS; i++)
            sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(x, w[i]));
    }
    for (int i = 0; i < PAIRS; i++)
        *sink += (float)_mm256_extract_epi32(sum[i], 0);
}

const PeakLoop peak_loops_avx2[] = {
    {"float32 fma", "avx2", ARITHMETIC_FLOAT, 256, 2.0 * LANES *SUMS, false, fma_f32},
    {"int8 as int16 (vpmaddwd)", "avx2", ARITHMETIC_INT16, 256, 4.0 * LANES *PAIRS, false, dot_i16},
    {0},
};

#else

const PeakLoop peak_loops_avx2[] = {{0}};

#endif
