/* 16-bit products for AVX2: see kernels_pair_body.h. vpmaddwd for int16; bf16 is widened to float32
 * and multiplied by FMA. SPDX-License-Identifier: Apache-2.0 */
#include "core/kernels_pair.h"

#if defined(__AVX2__) && defined(__FMA__) && !defined(HONE_DOUBLE)

#include "core/kernels_tile_avx2.h"

#include <string.h>

static inline Vec vec_mul(Vec a, Vec b)
{
    return _mm256_mul_ps(a, b);
}
static inline __m256i pairs_load(const uint32_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}
static inline void pairs_store(uint32_t *to, __m256i v)
{
    _mm256_storeu_si256((__m256i *)(void *)to, v);
}
static inline void pairs_store_part(uint32_t *to, Mask m, __m256i v)
{
    _mm256_maskstore_epi32((int *)(void *)to, m, v);
}
/* The first n codes, the others any number. */
static inline __m256i vec_codes(const int8_t *p, int32_t zero_point, size_t n)
{
    if (!p)
        return _mm256_setzero_si256();
    int64_t q = 0;
    memcpy(&q, p, n < LANES ? n : LANES);
    return _mm256_sub_epi32(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(q)),
                            _mm256_set1_epi32(zero_point));
}
/* The bits of magnitudes are in the order of the magnitudes, and those of NaNs above them. */
static void vec_peaks(size_t rows, int channels, const float *x, float *peak)
{
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    for (int c = 0; c < channels; c += LANES) {
        const Mask part = mask_first(channels - c < LANES ? channels - c : LANES);
        __m256i most = _mm256_castps_si256(vec_load_part(peak + c, part));
        const float *row = x + c;
        for (size_t r = 0; r < rows; r++, row += channels)
            most = _mm256_max_epi32(
                most, _mm256_and_si256(_mm256_castps_si256(vec_load_part(row, part)), magnitude));
        vec_store_part(peak + c, part, _mm256_castsi256_ps(most));
    }
}
/* (a, b) of the lower halves. */
static inline __m256i lower_halves(__m256i a, __m256i b)
{
    return _mm256_blend_epi16(a, _mm256_slli_epi32(b, 16), 0xaa);
}
/* (a, b) of the upper halves. */
static inline __m256i upper_halves(__m256i a, __m256i b)
{
    return _mm256_blend_epi16(_mm256_srli_epi32(a, 16), b, 0xaa);
}
/* What packs leaves: 64 bits of the first vector, 64 of the second, and so on. */
static inline __m256i in_order(__m256i v)
{
    return _mm256_permute4x64_epi64(v, 0xd8);
}

/* ---- int16 ------------------------------------------------------------------------------------ */

#define TILE(name) name##_int16
#define TABLE      kernels_int16_avx2
#define KIND       "int16"
#define SCALED     true
#define ELEMENTS   __m256i
#define SUMS       __m256i

static inline __m256i elements_load_int16(const uint32_t *p)
{
    return pairs_load(p);
}
static inline __m256i elements_load_part_int16(const uint32_t *p, Mask m)
{
    return _mm256_maskload_epi32((const int *)(const void *)p, m);
}
static inline __m256i elements_set_int16(uint32_t x)
{
    return _mm256_set1_epi32((int)x);
}
static inline __m256i sums_load_int16(const uint32_t *p)
{
    return pairs_load(p);
}
static inline __m256i sums_zero_int16(void)
{
    return _mm256_setzero_si256();
}
static inline __m256i sums_add_int16(__m256i sums, __m256i a, __m256i b)
{
    return _mm256_add_epi32(sums, _mm256_madd_epi16(a, b));
}
static inline Vec sums_real_int16(__m256i sums)
{
    return _mm256_cvtepi32_ps(sums);
}
static inline __m256i join_int16(Vec a, Vec b)
{
    return lower_halves(_mm256_cvtps_epi32(a), _mm256_cvtps_epi32(b));
}
static inline __m256i join_codes_int16(__m256i a, __m256i b)
{
    return lower_halves(a, b);
}
static inline __m256i halves_int16(Vec a, Vec b)
{
    return _mm256_packs_epi32(_mm256_cvtps_epi32(a), _mm256_cvtps_epi32(b));
}

#include "core/kernels_pair_body.h"

/* ---- bf16 ------------------------------------------------------------------------------------- */

#define TILE(name) name##_bf16
#define TABLE      kernels_bf16_avx2
#define KIND       "bf16"
#define SCALED     false
#define ELEMENTS   __m256i
#define SUMS       __m256

static inline __m256i elements_load_bf16(const uint32_t *p)
{
    return pairs_load(p);
}
static inline __m256i elements_load_part_bf16(const uint32_t *p, Mask m)
{
    return _mm256_maskload_epi32((const int *)(const void *)p, m);
}
static inline __m256i elements_set_bf16(uint32_t x)
{
    return _mm256_set1_epi32((int)x);
}
static inline __m256 sums_load_bf16(const uint32_t *p)
{
    return _mm256_castsi256_ps(pairs_load(p));
}
static inline __m256 sums_zero_bf16(void)
{
    return _mm256_setzero_ps();
}
static inline __m256 low_bf16(__m256i v)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(v, 16));
}
static inline __m256 high_bf16(__m256i v)
{
    return _mm256_castsi256_ps(_mm256_and_si256(v, _mm256_set1_epi32((int)0xffff0000)));
}
static inline __m256 sums_add_bf16(__m256 sums, __m256i a, __m256i b)
{
    sums = _mm256_fmadd_ps(low_bf16(a), low_bf16(b), sums);
    return _mm256_fmadd_ps(high_bf16(a), high_bf16(b), sums);
}
static inline Vec sums_real_bf16(__m256 sums)
{
    return sums;
}
/* Rounds to even in the upper half; the lower half is any number. */
static inline __m256i rounded_bf16(Vec v)
{
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i up = _mm256_add_epi32(bits, _mm256_add_epi32(_mm256_set1_epi32(0x7fff), odd));
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    const __m256 nan = _mm256_cmp_ps(v, v, _CMP_UNORD_Q);
    return _mm256_blendv_epi8(up, quiet, _mm256_castps_si256(nan));
}
static inline __m256i join_bf16(Vec a, Vec b)
{
    return upper_halves(rounded_bf16(a), rounded_bf16(b));
}
static inline __m256i join_codes_bf16(__m256i a, __m256i b)
{
    return upper_halves(_mm256_castps_si256(_mm256_cvtepi32_ps(a)),
                        _mm256_castps_si256(_mm256_cvtepi32_ps(b)));
}
static inline __m256i halves_bf16(Vec a, Vec b)
{
    return _mm256_packus_epi32(_mm256_srli_epi32(rounded_bf16(a), 16),
                               _mm256_srli_epi32(rounded_bf16(b), 16));
}

#include "core/kernels_pair_body.h"

#else
typedef int KernelsPairAvx2; /* an empty file is not C */
#endif
