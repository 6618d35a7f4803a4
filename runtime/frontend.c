/* The audio front end in integers: see frontend.h.
 *
 * The frame is scaled so that its loudest sample would have 29 bits; the FFT (radix 2, half the length:
 * even samples are real parts, odd ones imaginary parts) halves at every stage, so nothing grows.
 * Powers are exact 62-bit integers, band sums exact in two words, the logarithm is a table of 65
 * entries with linear interpolation; how far the frame was scaled is subtracted from it. Real FFT
 * by a complex one of half the length: Sorensen et al., "Real-valued fast Fourier transform
 * algorithms", IEEE Trans. ASSP 35, 1987. SPDX-License-Identifier: Apache-2.0 */
#include "frontend.h"

#include "libc.h"

typedef char record_is_96_bytes[sizeof(HoneRtFrontRecord) == 96 ? 1 : -1];
typedef char band_is_8_bytes[sizeof(HoneRtFrontBand) == 8 ? 1 : -1];

enum {
    PCM_BITS = 15,
    SINE_BITS = 30, /* of the sine and the window */
    TOP_BITS = 29,  /* of the largest sample going into the FFT */
    SILENT = 16,    /* one more than a frame can be scaled up */
    DCT_BITS = 15,
    LOG_STEPS = 6, /* the table of logarithms has 2^6 + 1 entries */
    MAX_SHIFT = 62,
    MAX_RATE = 1 << 24,
    MAX_ZERO_POINT = 32768
};

/* ---- opening ---- */

static uint32_t round4(uint32_t n)
{
    return (n + 3) & ~(uint32_t)3;
}

static int power_of_two(uint32_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static int sizes_fit(const HoneRtFrontRecord *r)
{
    return hone_rt_within(r->fft, HONE_RT_FRONT_MIN_FFT, HONE_RT_FRONT_MAX_FFT) &&
           power_of_two(r->fft) && hone_rt_within(r->frame, 1, r->fft) && r->hop >= 1 &&
           hone_rt_within(r->clip, r->frame, HONE_RT_FRONT_MAX_CLIP) &&
           r->frames == 1 + (r->clip - r->frame) / r->hop &&
           hone_rt_within(r->mels, 1, HONE_RT_FRONT_MAX_MELS) &&
           hone_rt_within(r->coefficients, 1, r->mels) &&
           hone_rt_within(r->weight_count, r->mels, r->mels * (r->fft / 2 + 1));
}

static int kinds_fit(const HoneRtFrontRecord *r)
{
    return r->version == HONE_RT_FRONT_VERSION && r->place <= HONE_RT_FRONT_ONSET &&
           r->kind <= HONE_RT_FRONT_MFCC && r->mel_scale <= HONE_RT_FRONT_SLANEY &&
           r->area_norm <= 1 && (r->kind == HONE_RT_FRONT_MFCC || r->coefficients == r->mels) &&
           r->reserved[0] == 0 && r->reserved[1] == 0;
}

static int numbers_fit(const HoneRtFrontRecord *r)
{
    return hone_rt_within(r->rate, 1, MAX_RATE) &&
           hone_rt_within(r->zero_point, -MAX_ZERO_POINT, MAX_ZERO_POINT - 1) &&
           hone_rt_within(r->multiplier, 0, 1 << 30) && hone_rt_within(r->shift, 1, MAX_SHIFT) &&
           hone_rt_within(r->floor_q16, -(128 << 16), 128 << 16);
}

/* Every band lies inside the spectrum, and all weights are used. */
static int bands_fit(const HoneRtFrontend *f)
{
    const HoneRtFrontRecord *r = f->record;
    uint32_t used = 0;
    for (uint32_t b = 0; b < r->mels; b++) {
        const HoneRtFrontBand *band = &f->bands[b];
        if (band->count == 0 || (uint32_t)band->first + band->count > r->fft / 2 + 1 ||
            band->offset_q16 < -(256 << 16) || band->offset_q16 > 256 << 16)
            return 0;
        used += band->count;
    }
    return used == r->weight_count;
}

#define SINE_SLACK ((int64_t)1 << 33)

/* The values that sums and products rely on. */
static int tables_fit(const HoneRtFrontend *f)
{
    const HoneRtFrontRecord *r = f->record;
    const uint32_t quarter = r->fft / 4;
    for (uint32_t i = 0; i <= quarter; i++) {
        /* cos^2 + sin^2 = 1 but for rounding: the FFT's bounds rest on it. */
        const int64_t s = f->sine[i], c = f->sine[quarter - i];
        const int64_t off = s * s + c * c - ((int64_t)1 << 2 * SINE_BITS);
        if (s < 0 || s > 1 << SINE_BITS || off > SINE_SLACK || off < -SINE_SLACK)
            return 0;
    }
    for (uint32_t i = 0; i < r->frame; i++)
        if (f->window[i] < 0 || f->window[i] > 1 << SINE_BITS)
            return 0;
    for (uint32_t i = 0; i < r->weight_count; i++)
        if (f->weights[i] > 1 << 15)
            return 0;
    return 1;
}

HoneRtStatus hone_rt_frontend_open(HoneRtFrontend *f, const void *section, size_t bytes)
{
    const HoneRtFrontRecord *r = section;
    const uint8_t *at = section;
    uint32_t sine_bytes, band_bytes, window_bytes, weight_bytes, dct_bytes;
    memset(f, 0, sizeof *f);
    if ((uintptr_t)section % 4 != 0)
        return HONE_RT_ERR_ALIGNMENT;
    if (section == NULL || bytes < sizeof *r)
        return HONE_RT_ERR_TRUNCATED;
    if (!sizes_fit(r) || !kinds_fit(r) || !numbers_fit(r))
        return HONE_RT_ERR_FRONTEND;
    sine_bytes = (r->fft / 4 + 1) * (uint32_t)sizeof(int32_t);
    band_bytes = r->mels * (uint32_t)sizeof(HoneRtFrontBand);
    window_bytes = r->frame * (uint32_t)sizeof(int32_t);
    weight_bytes = round4(r->weight_count * (uint32_t)sizeof(uint16_t));
    dct_bytes = r->kind == HONE_RT_FRONT_MFCC
                    ? round4(r->coefficients * r->mels * (uint32_t)sizeof(int16_t))
                    : 0;
    if (bytes != sizeof *r + sine_bytes + band_bytes + window_bytes + weight_bytes + dct_bytes)
        return HONE_RT_ERR_TRUNCATED;
    f->record = r;
    at += sizeof *r;
    f->sine = (const int32_t *)(const void *)at;
    at += sine_bytes;
    f->bands = (const HoneRtFrontBand *)(const void *)at;
    at += band_bytes;
    f->window = (const int32_t *)(const void *)at;
    at += window_bytes;
    f->weights = (const uint16_t *)(const void *)at;
    at += weight_bytes;
    f->dct = dct_bytes > 0 ? (const int16_t *)(const void *)at : NULL;
    if (bands_fit(f) && tables_fit(f))
        return HONE_RT_OK;
    memset(f, 0, sizeof *f);
    return HONE_RT_ERR_FRONTEND;
}

size_t hone_rt_frontend_scratch_bytes(const HoneRtFrontend *f)
{
    return (size_t)(f->record->fft + f->record->mels) * sizeof(int32_t);
}

/* ---- the spectrum ---- */

/* 2^30 cos and sin of 2 pi k / fft, 0 <= k <= fft/2, from the quarter wave. */
static int32_t cosine(const HoneRtFrontend *f, uint32_t k)
{
    const uint32_t quarter = f->record->fft / 4;
    return k <= quarter ? f->sine[quarter - k] : -f->sine[k - quarter];
}

static int32_t sine(const HoneRtFrontend *f, uint32_t k)
{
    const uint32_t quarter = f->record->fft / 4;
    return k <= quarter ? f->sine[k] : f->sine[2 * quarter - k];
}

/* Windows pcm into x[fft], scaled by 2^(29 + up) from [-1, 1), |x| <= 2^29; returns up, 0..15, or
 * SILENT. */
static int load_frame(const HoneRtFrontend *f, const int16_t *pcm, int32_t *x)
{
    const uint32_t frame = f->record->frame;
    int32_t most = 0;
    int up = 0;
    for (uint32_t i = 0; i < frame; i++) {
        const int32_t size = pcm[i] < 0 ? -pcm[i] : pcm[i];
        most = size > most ? size : most;
    }
    if (most == 0)
        return SILENT;
    while (most << (up + 1) <= 1 << PCM_BITS)
        up++;
    /* From 2^(15 + 30) to 2^(29 + up). */
    const int down = PCM_BITS + SINE_BITS - TOP_BITS - up;
    for (uint32_t i = 0; i < frame; i++)
        x[i] = (int32_t)(((int64_t)pcm[i] * f->window[i] + ((int64_t)1 << (down - 1))) >> down);
    memset(x + frame, 0, (f->record->fft - frame) * sizeof *x);
    return up;
}

/* Puts the complex numbers z[n] in the order of their indices' bits read backwards. */
static void reverse_bits(int32_t *z, uint32_t n)
{
    for (uint32_t i = 1, j = 0; i < n; i++) {
        uint32_t bit = n >> 1;
        for (; j & bit; bit >>= 1)
            j ^= bit;
        j |= bit;
        if (i < j) {
            const int32_t re = z[2 * i], im = z[2 * i + 1];
            z[2 * i] = z[2 * j];
            z[2 * i + 1] = z[2 * j + 1];
            z[2 * j] = re;
            z[2 * j + 1] = im;
        }
    }
}

/* round(v / 2^30) */
static int32_t unscale(int64_t v)
{
    return (int32_t)((v + ((int64_t)1 << (SINE_BITS - 1))) >> SINE_BITS);
}

/* z := FFT(z) / n for n = fft/2 complex numbers. Moduli never grow: below 2^29.5 and what rounding
 * adds, so a sum of two parts fits 31 bits. */
static void transform(const HoneRtFrontend *f, int32_t *z)
{
    const uint32_t n = f->record->fft / 2;
    reverse_bits(z, n);
    for (uint32_t half = 1; half < n; half *= 2)
        for (uint32_t j = 0; j < half; j++) {
            const int64_t c = cosine(f, j * (n / half)), s = sine(f, j * (n / half));
            for (uint32_t k = j; k < n; k += 2 * half) {
                int32_t *a = z + (size_t)2 * k, *b = a + (size_t)2 * half;
                const int32_t re = unscale(c * b[0] + s * b[1]);
                const int32_t im = unscale(c * b[1] - s * b[0]);
                b[0] = (a[0] - re) >> 1;
                b[1] = (a[1] - im) >> 1;
                a[0] = (a[0] + re) >> 1;
                a[1] = (a[1] + im) >> 1;
            }
        }
}

/* |X_k|^2, below 2^63, X = FFT of the real samples, over fft/2: from z and its mirror image. */
static uint64_t power_at(const HoneRtFrontend *f, const int32_t *z, uint32_t k)
{
    const uint32_t n = f->record->fft / 2;
    const int32_t *a = z + (size_t)2 * (k == n ? 0 : k);
    const int32_t *b = z + (size_t)2 * (k == 0 ? 0 : n - k);
    const int64_t even_re = (int64_t)a[0] + b[0], even_im = (int64_t)a[1] - b[1];
    const int64_t odd_re = (int64_t)a[1] + b[1], odd_im = (int64_t)b[0] - a[0];
    const int64_t c = cosine(f, k), s = sine(f, k);
    const int64_t turned_re = (c * odd_re + s * odd_im) >> SINE_BITS;
    const int64_t turned_im = (c * odd_im - s * odd_re) >> SINE_BITS;
    const int64_t re = (even_re + turned_re) / 2, im = (even_im + turned_im) / 2;
    return (uint64_t)(re * re) + (uint64_t)(im * im);
}

/* ---- bands and logarithms ---- */

/* 65536 log2(v), v > 0, to within 6 of 65536. */
static int32_t log2_q16(uint64_t v)
{
    /* 65536 log2(1 + i / 64) */
    static const uint32_t table[(1 << LOG_STEPS) + 1] = {
        0,     1466,  2909,  4331,  5732,  7112,  8473,  9814,  11136, 12440, 13727, 14996, 16248,
        17484, 18704, 19909, 21098, 22272, 23433, 24579, 25711, 26830, 27936, 29029, 30109, 31178,
        32234, 33279, 34312, 35334, 36346, 37346, 38336, 39316, 40286, 41246, 42196, 43137, 44068,
        44990, 45904, 46809, 47705, 48593, 49472, 50344, 51207, 52063, 52911, 53751, 54584, 55410,
        56229, 57040, 57845, 58643, 59434, 60219, 60997, 61769, 62534, 63294, 64047, 64794, 65536,
    };
    int32_t exponent = 63;
    uint32_t mantissa, step, rest;
    for (int bits = 32; bits > 0; bits /= 2)
        if (v >> (64 - bits) == 0) {
            v <<= bits;
            exponent -= bits;
        }
    mantissa = (uint32_t)(v >> 32) & 0x7fffffffu;
    step = mantissa >> (31 - LOG_STEPS);
    rest = mantissa >> (15 - LOG_STEPS) & 0xffffu;
    return exponent * 65536 +
           (int32_t)(table[step] + ((table[step + 1] - table[step]) * rest >> 16));
}

/* 65536 log2 of sum w_k |X_k|^2; up: how far the frame was scaled. The sum has up to 90 bits: it is
 * kept in two words of 32-bit halves. */
static int32_t band_log(const HoneRtFrontend *f, const HoneRtFrontBand *band,
                        const uint16_t *weights, const int32_t *z, int up)
{
    uint64_t high = 0, low = 0;
    int32_t exponent = 0;
    for (uint32_t k = 0; k < band->count; k++) {
        const uint64_t power = power_at(f, z, band->first + k);
        high += (power >> 32) * weights[k];
        low += (power & 0xffffffffu) * weights[k];
    }
    high += low >> 32;
    if (high >> 31 != 0)
        exponent = 32;
    else
        high = high << 32 | (low & 0xffffffffu);
    if (high == 0)
        return f->record->floor_q16;
    const int32_t log = log2_q16(high) + (exponent - 2 * up) * 65536 + band->offset_q16;
    return log > f->record->floor_q16 ? log : f->record->floor_q16;
}

static int8_t code_of(const HoneRtFrontRecord *r, int64_t v)
{
    const int64_t code =
        ((v * r->multiplier + ((int64_t)1 << (r->shift - 1))) >> r->shift) + r->zero_point;
    return (int8_t)(code < -128 ? -128 : code > 127 ? 127 : code);
}

void hone_rt_frontend_frame(const HoneRtFrontend *f, const int16_t *pcm, void *scratch,
                            int8_t *codes)
{
    const HoneRtFrontRecord *r = f->record;
    int32_t *x = scratch, *logs = x + r->fft;
    const uint16_t *weights = f->weights;
    const int up = load_frame(f, pcm, x);
    if (up != SILENT)
        transform(f, x);
    for (uint32_t b = 0; b < r->mels; b++) {
        logs[b] = up == SILENT ? r->floor_q16 : band_log(f, &f->bands[b], weights, x, up);
        weights += f->bands[b].count;
    }
    for (uint32_t i = 0; i < r->coefficients; i++) {
        int64_t v = logs[i];
        if (f->dct != NULL) {
            const int16_t *row = f->dct + (size_t)i * r->mels;
            v = (int64_t)1 << (DCT_BITS - 1);
            for (uint32_t b = 0; b < r->mels; b++)
                v += (int64_t)row[b] * logs[b];
            v >>= DCT_BITS;
        }
        codes[i] = code_of(r, v);
    }
}
