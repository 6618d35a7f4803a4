/* Peak loops for AVX-512 with VNNI and bf16; see peak.h. 16 sums hide latencies of up to 8 cycles at
 * two instructions a cycle. SPDX-License-Identifier: Apache-2.0 */
#include "core/peak.h"

#if defined(__x86_64__)

#include <immintrin.h>

enum { LANES = 16, SUMS = 16 };

static float first_float(__m512 v)
{
    return _mm_cvtss_f32(_mm512_castps512_ps128(v));
}

static float first_int(__m128i v)
{
    return (float)_mm_cvtsi128_si32(v);
}

static void fma_f32(long rounds, float *sink)
{
    const __m512 x = _mm512_set1_ps(0.75f), w = _mm512_set1_ps(1e-3f);
    __m512 sum[SUMS];
    for (int i = 0; i < SUMS; i++)
        sum[i] = _mm512_setzero_ps();
    for (long r = 0; r < rounds; r++)
        for (int i = 0; i < SUMS; i++)
            sum[i] = _mm512_fmadd_ps(x, w, sum[i]);
    for (int i = 0; i < SUMS; i++)
        *sink += first_float(sum[i]);
}

static void dot_i8(long rounds, float *sink)
{
    const __m512i x = _mm512_set1_epi32(0x7f13c581), w = _mm512_set1_epi32(0x11f3057d);
    __m512i sum[SUMS];
    for (int i = 0; i < SUMS; i++)
        sum[i] = _mm512_setzero_si512();
    for (long r = 0; r < rounds; r++)
        for (int i = 0; i < SUMS; i++)
            sum[i] = _mm512_dpbusd_epi32(sum[i], x, w);
    for (int i = 0; i < SUMS; i++)
        *sink += first_int(_mm512_castsi512_si128(sum[i]));
}

static void dot_i8_256(long rounds, float *sink)
{
    const __m256i x = _mm256_set1_epi32(0x7f13c581), w = _mm256_set1_epi32(0x11f3057d);
    __m256i sum[SUMS];
    for (int i = 0; i < SUMS; i++)
        sum[i] = _mm256_setzero_si256();
    for (long r = 0; r < rounds; r++)
        for (int i = 0; i < SUMS; i++)
            sum[i] = _mm256_dpbusd_epi32(sum[i], x, w);
    for (int i = 0; i < SUMS; i++)
        *sink += first_int(_mm256_castsi256_si128(sum[i]));
}

static void dot_i16(long rounds, float *sink)
{
    const __m512i x = _mm512_set1_epi32(0x0113ffc5), w = _mm512_set1_epi32(0x000d0071);
    __m512i sum[SUMS];
    for (int i = 0; i < SUMS; i++)
        sum[i] = _mm512_setzero_si512();
    for (long r = 0; r < rounds; r++)
        for (int i = 0; i < SUMS; i++)
            sum[i] = _mm512_dpwssd_epi32(sum[i], x, w);
    for (int i = 0; i < SUMS; i++)
        *sink += first_int(_mm512_castsi512_si128(sum[i]));
}

static void dot_bf16(long rounds, float *sink)
{
    const __m512bh x = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.75f), _mm512_set1_ps(1.5f));
    const __m512bh w = _mm512_cvtne2ps_pbh(_mm512_set1_ps(1e-3f), _mm512_set1_ps(2e-3f));
    __m512 sum[SUMS];
    for (int i = 0; i < SUMS; i++)
        sum[i] = _mm512_setzero_ps();
    for (long r = 0; r < rounds; r++)
        for (int i = 0; i < SUMS; i++)
            sum[i] = _mm512_dpbf16_ps(sum[i], x, w);
    for (int i = 0; i < SUMS; i++)
        *sink += first_float(sum[i]);
}

/* Per instruction and lane: 1 product of floats, 2 of 16-bit numbers, 4 of bytes. */
const PeakLoop peak_loops_avx512[] = {
    {"float32 fma", "avx512", ARITHMETIC_FLOAT, 512, 2.0 * LANES *SUMS, false, fma_f32},
    {"int8 dot (vpdpbusd)", "avx512", ARITHMETIC_INT8, 512, 8.0 * LANES *SUMS, false, dot_i8},
    {"int8 dot (vpdpbusd)", "avx512", ARITHMETIC_INT8, 256, 4.0 * LANES *SUMS, false, dot_i8_256},
    {"int16 dot (vpdpwssd)", "avx512", ARITHMETIC_INT16, 512, 4.0 * LANES *SUMS, false, dot_i16},
    {"bf16 dot (vdpbf16ps)", "avx512", ARITHMETIC_BF16, 512, 4.0 * LANES *SUMS, true, dot_bf16},
    {0},
};

#else

const PeakLoop peak_loops_avx512[] = {{0}};

#endif
