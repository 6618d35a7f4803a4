/* The float kernels of fused nodes on vectors: the rest of kernels_body.h, by its rules. Sweeps that
 * need no sums go row by row; sums keep a few vectors of channels in registers over all rows.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_KERNELS_FUSED_BODY_H
#define HONE_CORE_KERNELS_FUSED_BODY_H

/* Arrays that no cache holds: the processor's own prefetching does not reach far enough where there
 * is work to do on each line. Bytes that a sweep of one array is ahead, and one of two. */
enum { AHEAD_OF_ONE = 4096, AHEAD_OF_TWO = 1024 };

ALWAYS_INLINE void fetch(const void *p, const int bytes)
{
    __builtin_prefetch((const char *)p + bytes, 0, 3);
}

/* ---- statistics ---- */

ALWAYS_INLINE void statistics_block(size_t rows, size_t ld, const float *x, const float *pivot,
                                    float *sum, float *square, float *lo, float *hi, size_t n,
                                    const int count)
{
    Vec p[BLOCK], s[BLOCK], q[BLOCK], least[BLOCK], most[BLOCK];
    for (int j = 0; j < count; j++) {
        p[j] = vec_load(pivot + j * LANES, part(n, j));
        s[j] = vec_load(sum + j * LANES, part(n, j));
        q[j] = vec_load(square + j * LANES, part(n, j));
        least[j] = vec_load(lo + j * LANES, part(n, j));
        most[j] = vec_load(hi + j * LANES, part(n, j));
    }
    for (size_t r = 0; r < rows; r++, x += ld) {
        for (int j = 0; j < count; j++) {
            const Vec v = vec_load(x + j * LANES, part(n, j)), d = v - p[j];
            s[j] = s[j] + d;
            q[j] = q[j] + d * d;
            least[j] = vec_min(v, least[j]);
            most[j] = vec_max(v, most[j]);
        }
    }
    for (int j = 0; j < count; j++) {
        vec_store(sum + j * LANES, s[j], part(n, j));
        vec_store(square + j * LANES, q[j], part(n, j));
        vec_store(lo + j * LANES, least[j], part(n, j));
        vec_store(hi + j * LANES, most[j], part(n, j));
    }
}

static void KERNEL(channel_statistics)(size_t rows, int c, const float *x, const float *pivot,
                                       float *sum, float *square, float *lo, float *hi)
{
    const size_t n = (size_t)c, step = rows_at_once(rows, n);
#define STATISTICS_CASE(count)                                                                     \
    case count:                                                                                    \
        statistics_block(here, n, x + i, pivot + i, sum + i, square + i, lo + i, hi + i, left,     \
                         count);                                                                   \
        break;
    for (size_t r = 0; r < rows; r += step, x += step * n) {
        const size_t here = rows - r < step ? rows - r : step;
        FOR_BLOCKS(n, STATISTICS_CASE)
    }
#undef STATISTICS_CASE
}

ALWAYS_INLINE void extent_block(size_t rows, size_t ld, const float *x, float *lo, float *hi,
                                size_t n)
{
    Vec least = vec_load(lo, n), most = vec_load(hi, n);
    for (size_t r = 0; r < rows; r++, x += ld) {
        const Vec v = vec_load(x, n);
        least = vec_min(v, least);
        most = vec_max(v, most);
    }
    vec_store(lo, least, n);
    vec_store(hi, most, n);
}

static void KERNEL(channel_extent)(size_t rows, int c, const float *x, float *lo, float *hi)
{
    size_t n = (size_t)c, i = 0;
    for (; i + LANES <= n; i += LANES)
        extent_block(rows, n, x + i, lo + i, hi + i, LANES);
    if (i < n)
        extent_block(rows, n, x + i, lo + i, hi + i, n - i);
}

/* ---- codes ---- */

/* Quantizing t = v / scale together with an activation of v, before the zero point is added. With
 * f(t) = rint(t), monotone: f of a clamped number is f clamped to f of the bounds, and a code is the
 * rounded clamp as well as the clamp of the rounded. Nothing was clipped where v lies above `above`
 * and f(t) from lo on; one of the two implies the other, so one test is enough. */
typedef struct QuantizeBounds {
    float inverse, low, high; /* the code is rint(min(max(t, low), high)) */
    float above, below;       /* tests of v, infinite where t is tested ... */
    float least, most;        /* ... to lie in [least, most] */
    bool test_v_low, test_v_high;
} QuantizeBounds;

static float clip(float v, float low, float high)
{
    return v < low ? low : v > high ? high : v;
}

/* The least t with rint(t) >= n: n - 1/2 rounds to n when n is even. */
static float rounding_up_to(float n)
{
    const float half = n - 0.5f;
    return fmodf(n, 2) == 0 ? half : nextafterf(half, INFINITY);
}

static QuantizeBounds bounds_of(float scale, int32_t zero_point, int32_t lo, int32_t hi, float low,
                                float high)
{
    const float first = (float)(lo - zero_point), last = (float)(hi - zero_point);
    QuantizeBounds b = {.inverse = 1.0f / scale, .above = low, .below = high};
    const float under = rintf(low * b.inverse), over = rintf(high * b.inverse);
    b.low = clip(under, first, last);
    b.high = clip(over, first, last);
    b.least = rounding_up_to(first);
    b.most = -rounding_up_to(-last);
    b.test_v_low = under >= first;
    b.test_v_high = over <= last;
    return b;
}

/* n <= LANES values v to codes; returns the bits of those that nothing clipped. */
ALWAYS_INLINE unsigned quantize_part(const QuantizeBounds *b, Vec v, int32_t zero_point, int8_t *q,
                                     size_t n, const bool v_low, const bool v_high)
{
    const Vec t = v * vec_set(b->inverse);
    vec_store_codes(q, vec_min(vec_max(t, vec_set(b->low)), vec_set(b->high)), zero_point, n);
    const unsigned from = v_low ? vec_above(v, vec_set(b->above)) : vec_from(t, vec_set(b->least));
    return v_high ? from & vec_below(v, vec_set(b->below)) : from & vec_to(t, vec_set(b->most));
}

ALWAYS_INLINE void quantize_rows(const ChannelQuantize *p, const QuantizeBounds *b, size_t rows,
                                 const float *x, int8_t *q, uint8_t *mask, const bool v_low,
                                 const bool v_high)
{
    const size_t n = (size_t)p->channels;
#define QUANTIZE_STEP(i, count)                                                                    \
    do {                                                                                           \
        fetch(x + (i), AHEAD_OF_ONE);                                                              \
        const Vec v = vec_load(p->slope + (i), count) * vec_load(x + (i), count) +                 \
                      vec_load(p->shift + (i), count);                                             \
        const unsigned bits = quantize_part(b, v, p->zero_point, q + (i), count, v_low, v_high);   \
        if (mask)                                                                                  \
            bits_store(mask + (i) / 8, bits, count);                                               \
    } while (0)
    for (size_t r = 0; r < rows; r++, x += n, q += n) {
        FOR_VECTORS(n, QUANTIZE_STEP);
        mask = mask ? mask + MASK_ROW_BYTES(n) : NULL;
    }
#undef QUANTIZE_STEP
}

static void KERNEL(channel_quantize)(const ChannelQuantize *p, size_t rows, const float *x,
                                     int8_t *q, uint8_t *mask)
{
    const QuantizeBounds b = bounds_of(p->scale, p->zero_point, p->lo, p->hi, p->low, p->high);
    if (b.test_v_low && b.test_v_high)
        quantize_rows(p, &b, rows, x, q, mask, true, true);
    else if (b.test_v_low)
        quantize_rows(p, &b, rows, x, q, mask, true, false);
    else if (b.test_v_high)
        quantize_rows(p, &b, rows, x, q, mask, false, true);
    else
        quantize_rows(p, &b, rows, x, q, mask, false, false);
}

/* What an addition keeps in registers: extremes before the activation, which is monotone. */
typedef struct AddState {
    Vec least, most;
} AddState;

ALWAYS_INLINE unsigned add_part(const AddQuantize *p, const QuantizeBounds *b, AddState *s,
                                const int8_t *x, const int8_t *y, int8_t *q, size_t n,
                                const bool v_low, const bool v_high)
{
    const Vec v = vec_set(p->a_scale) * vec_load_codes(x, p->a_zero, n) +
                  vec_set(p->b_scale) * vec_load_codes(y, p->b_zero, n);
    s->least = vec_least(v, s->least, n);
    s->most = vec_most(v, s->most, n);
    return quantize_part(b, v, p->zero_point, q, n, v_low, v_high);
}

ALWAYS_INLINE void add_codes(const AddQuantize *p, const QuantizeBounds *b, size_t n,
                             const int8_t *x, const int8_t *y, int8_t *q, uint8_t *mask,
                             AddState *s, const bool v_low, const bool v_high)
{
#define SUM_CODES_STEP(i, count)                                                                   \
    do {                                                                                           \
        fetch(x + (i), AHEAD_OF_TWO);                                                              \
        fetch(y + (i), AHEAD_OF_TWO);                                                              \
        const unsigned bits = add_part(p, b, s, x + (i), y + (i), q + (i), count, v_low, v_high);  \
        if (mask)                                                                                  \
            bits_store(mask + (i) / 8, bits, count);                                               \
    } while (0)
    FOR_VECTORS(n, SUM_CODES_STEP);
#undef SUM_CODES_STEP
}

static void KERNEL(add_quantize)(const AddQuantize *p, size_t n, const int8_t *a, const int8_t *b,
                                 int8_t *q, uint8_t *mask, float *lo, float *hi)
{
    const QuantizeBounds to = bounds_of(p->scale, p->zero_point, p->lo, p->hi, p->low, p->high);
    AddState s = {vec_set(INFINITY), vec_set(-INFINITY)};
    float least[LANES], most[LANES];
    if (to.test_v_low && to.test_v_high)
        add_codes(p, &to, n, a, b, q, mask, &s, true, true);
    else if (to.test_v_low)
        add_codes(p, &to, n, a, b, q, mask, &s, true, false);
    else if (to.test_v_high)
        add_codes(p, &to, n, a, b, q, mask, &s, false, true);
    else
        add_codes(p, &to, n, a, b, q, mask, &s, false, false);
    vec_store(least, s.least, LANES);
    vec_store(most, s.most, LANES);
    for (int j = 0; j < LANES; j++) {
        const float low = clip(least[j], p->low, p->high), high = clip(most[j], p->low, p->high);
        *lo = low < *lo ? low : *lo;
        *hi = high > *hi ? high : *hi;
    }
}

/* ---- gradients ---- */

ALWAYS_INLINE Vec masked(const float *dy, const uint8_t *mask, size_t n)
{
    return vec_keep(vec_load(dy, n), bits_load(mask, n));
}

ALWAYS_INLINE void masked_sums_block(size_t rows, size_t ld, size_t mask_ld, const float *dy,
                                     const uint8_t *mask, const float *x, const float *pivot,
                                     float *sum_dy, float *sum_dyx, size_t n, const int count)
{
    Vec p[BLOCK], s[BLOCK], q[BLOCK];
    for (int j = 0; j < count; j++) {
        p[j] = vec_load(pivot + j * LANES, part(n, j));
        s[j] = vec_load(sum_dy + j * LANES, part(n, j));
        q[j] = vec_load(sum_dyx + j * LANES, part(n, j));
    }
    for (size_t r = 0; r < rows; r++, dy += ld, x += ld, mask += mask_ld) {
        for (int j = 0; j < count; j++) {
            fetch(dy + j * LANES, AHEAD_OF_TWO);
            fetch(x + j * LANES, AHEAD_OF_TWO);
            const Vec d = masked(dy + j * LANES, mask + j * LANES / 8, part(n, j));
            s[j] = s[j] + d;
            q[j] = q[j] + d * (vec_load(x + j * LANES, part(n, j)) - p[j]);
        }
    }
    for (int j = 0; j < count; j++) {
        vec_store(sum_dy + j * LANES, s[j], part(n, j));
        vec_store(sum_dyx + j * LANES, q[j], part(n, j));
    }
}

static void KERNEL(masked_grad_sums)(size_t rows, int c, const float *dy, const uint8_t *mask,
                                     const float *x, const float *pivot, float *sum_dy,
                                     float *sum_dyx)
{
    const size_t n = (size_t)c, ld = MASK_ROW_BYTES(n), step = rows_at_once(rows, n);
#define SUMS_CASE(count)                                                                           \
    case count:                                                                                    \
        masked_sums_block(here, n, ld, dy + i, mask + i / 8, x + i, pivot + i, sum_dy + i,         \
                          sum_dyx + i, left, count);                                               \
        break;
    for (size_t r = 0; r < rows; r += step, dy += step * n, x += step * n, mask += step * ld) {
        const size_t here = rows - r < step ? rows - r : step;
        FOR_BLOCKS(n, SUMS_CASE)
    }
#undef SUMS_CASE
}

/* Channels [i, i + n) of rows [row, row + rows). */
ALWAYS_INLINE void masked_grad_block(const MaskedGrad *p, size_t row, size_t rows, size_t i,
                                     size_t n, const int count, const bool map)
{
    const float *dy = p->dy + row * p->ld + i, *x = map ? p->x + row * p->ld + i : NULL;
    const uint8_t *mask = p->mask + row * p->mask_ld + i / 8;
    float *y = p->y + row * p->y_ld + i;
    Vec slope[BLOCK], of_x[BLOCK], shift[BLOCK], most[BLOCK];
    for (int j = 0; j < count; j++) {
        const size_t at = i + (size_t)j * LANES;
        slope[j] = map ? vec_load(p->slope + at, part(n, j)) : vec_set(1);
        of_x[j] = map ? vec_load(p->of_x + at, part(n, j)) : vec_set(0);
        shift[j] = map ? vec_load(p->shift + at, part(n, j)) : vec_set(0);
        most[j] = p->peak ? vec_load(p->peak + at, part(n, j)) : vec_set(0);
    }
    for (size_t r = 0; r < rows; r++, dy += p->ld, mask += p->mask_ld, y += p->y_ld) {
        for (int j = 0; j < count; j++) {
            Vec v = masked(dy + j * LANES, mask + j * LANES / 8, part(n, j));
            if (map)
                v = slope[j] * v + of_x[j] * vec_load(x + j * LANES, part(n, j)) + shift[j];
            vec_store(y + j * LANES, v, part(n, j));
            most[j] = vec_peak(v, most[j]);
        }
        x = map ? x + p->ld : NULL;
    }
    for (int j = 0; p->peak && j < count; j++)
        vec_store(p->peak + i + (size_t)j * LANES, most[j], part(n, j));
}

static void KERNEL(masked_grad)(const MaskedGrad *p, size_t rows)
{
    const size_t n = (size_t)p->channels, step = rows_at_once(rows, n);
#define MAP_CASE(count)                                                                            \
    case count:                                                                                    \
        masked_grad_block(p, r, here, i, left, count, true);                                       \
        break;
#define KEEP_CASE(count)                                                                           \
    case count:                                                                                    \
        masked_grad_block(p, r, here, i, left, count, false);                                      \
        break;
    for (size_t r = 0; r < rows; r += step) {
        const size_t here = rows - r < step ? rows - r : step;
        if (p->slope) {
            FOR_BLOCKS(n, MAP_CASE)
        } else {
            FOR_BLOCKS(n, KEEP_CASE)
        }
    }
#undef MAP_CASE
#undef KEEP_CASE
}

#endif
