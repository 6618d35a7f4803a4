/* The section FRNT: see front.h. Its integers, with w the weights of a band, W the largest of them:
 *
 *     weights[k] = round(2^15 w_k / W)
 *     sum        = sum weights[k] |X_k|^2, X the FFT of 2^(29 + up) window x, divided by fft/2
 *     log2(S)    = log2(sum) - 2 up + offset,  offset = log2(W) - 15 - 58 + 2 log2(fft/2)
 *     code       = log2(S) * multiplier / 2^shift,  multiplier / 2^shift = 10 log10(2) / scale / 2^16
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "datasets/front.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/frontend.h"

#define DB_PER_OCTAVE 3.01029995663981195 /* 10 log10(2) */
#define SINE_ONE      1073741824.0        /* 2^30 */
#define UNIT_Q15      32768.0

static uint32_t bits_of(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static float real_of(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static int32_t round_real(double v)
{
    return (int32_t)floor(v + 0.5);
}

FrontGrid front_grid(double lo, double hi)
{
    assert(lo < hi);
    FrontGrid g = {.scale = (float)((hi - lo) / 255)};
    double zero_point = floor(-128 - lo / (double)g.scale + 0.5);
    /* Saturates where lo is far from 0 against the range; front_pack refuses what does not fit. */
    g.zero_point = zero_point > 1e9    ? 1000000000
                   : zero_point < -1e9 ? -1000000000
                                       : (int)zero_point;
    return g;
}

uint8_t front_byte(const FrontGrid *grid, float value)
{
    double code = floor((double)value / (double)grid->scale + 0.5) + grid->zero_point;
    return (uint8_t)(code < -128 ? 0 : code > 127 ? 255 : code + 128);
}

static double largest(const MelBand *band)
{
    double most = 0;
    for (int k = 0; k < band->count; k++)
        most = band->weights[k] > most ? band->weights[k] : most;
    return most;
}

/* ---- packing ---- */

static int make_record(HoneRtFrontRecord *r, const Mel *m, int place, FrontGrid grid, Error *e)
{
    const MelSpec *s = &m->spec;
    int exponent;
    double ratio = DB_PER_OCTAVE / (double)grid.scale / 65536;
    if (grid.zero_point < -32768 || grid.zero_point > 32767 || !(ratio < 1) || !(ratio > 1e-9))
        return error_set(e, HONE_ERR_CONFIG,
                         "the grid of the features, scale %g and zero point %d, is out of range",
                         (double)grid.scale, grid.zero_point);
    *r = (HoneRtFrontRecord){.version = HONE_RT_FRONT_VERSION,
                             .rate = (uint32_t)s->rate,
                             .clip = (uint32_t)s->clip,
                             .place = (uint32_t)place,
                             .frame = (uint32_t)s->frame,
                             .hop = (uint32_t)s->hop,
                             .fft = (uint32_t)s->fft,
                             .frames = (uint32_t)s->frames,
                             .mels = (uint32_t)s->mels,
                             .coefficients = (uint32_t)s->coefficients,
                             .kind = (uint32_t)s->kind,
                             .mel_scale = (uint32_t)s->scale,
                             .area_norm = s->area_norm,
                             .low_hz_bits = bits_of(s->low_hz),
                             .high_hz_bits = bits_of(s->high_hz),
                             .floor_bits = bits_of(s->floor),
                             .scale_bits = bits_of(grid.scale),
                             .zero_point = grid.zero_point,
                             .floor_q16 = round_real(65536 * log2((double)s->floor)),
                             .weight_count = (uint32_t)m->bank.weight_count};
    double mantissa = frexp(ratio, &exponent); /* in [1/2, 1) */
    r->multiplier = round_real(mantissa * SINE_ONE);
    r->shift = (uint32_t)(30 - exponent);
    return HONE_OK;
}

static size_t round4(size_t n)
{
    return (n + 3) / 4 * 4;
}

/* Fills the tables behind the record; returns where they end. */
static unsigned char *put_tables(const Mel *m, unsigned char *at)
{
    const MelSpec *s = &m->spec;
    int32_t *sine = (int32_t *)(void *)at;
    for (int k = 0; k <= s->fft / 4; k++)
        sine[k] = round_real(SINE_ONE * m->fft.turn[2 * k + 1]);
    at += ((size_t)s->fft / 4 + 1) * sizeof *sine;
    HoneRtFrontBand *bands = (HoneRtFrontBand *)(void *)at;
    at += (size_t)s->mels * sizeof *bands;
    int32_t *window = (int32_t *)(void *)at;
    for (int i = 0; i < s->frame; i++)
        window[i] = round_real(SINE_ONE * m->window[i]);
    at += (size_t)s->frame * sizeof *window;
    uint16_t *weights = (uint16_t *)(void *)at;
    for (int b = 0; b < s->mels; b++) {
        const MelBand *band = &m->bank.band[b];
        double most = largest(band);
        double offset = log2(most) - 73 + 2 * log2(s->fft / 2.0);
        bands[b] = (HoneRtFrontBand){(uint16_t)band->first, (uint16_t)band->count,
                                     round_real(65536 * offset)};
        for (int k = 0; k < band->count; k++)
            *weights++ = (uint16_t)round_real(UNIT_Q15 * band->weights[k] / most);
    }
    at += round4((size_t)m->bank.weight_count * sizeof *weights);
    if (!m->dct)
        return at;
    int16_t *dct = (int16_t *)(void *)at;
    size_t count = (size_t)s->coefficients * (size_t)s->mels;
    for (size_t i = 0; i < count; i++) {
        int32_t v = round_real(UNIT_Q15 * m->dct[i]);
        dct[i] = (int16_t)(v > INT16_MAX ? INT16_MAX : v); /* 1.0 of a single band */
    }
    return at + round4(count * sizeof *dct);
}

int front_pack(const Mel *m, int place, FrontGrid grid, unsigned char **bytes, size_t *count,
               Error *e)
{
    const MelSpec *s = &m->spec;
    HoneRtFrontRecord record;
    HoneRtFrontend opened;
    *bytes = NULL;
    *count = 0;
    int status = make_record(&record, m, place, grid, e);
    if (status != HONE_OK)
        return status;
    size_t dct = m->dct ? round4((size_t)s->coefficients * (size_t)s->mels * sizeof(int16_t)) : 0;
    size_t room = sizeof record + ((size_t)s->fft / 4 + 1) * sizeof(int32_t) +
                  (size_t)s->mels * sizeof(HoneRtFrontBand) + (size_t)s->frame * sizeof(int32_t) +
                  round4((size_t)m->bank.weight_count * sizeof(uint16_t)) + dct;
    unsigned char *made = calloc(1, room);
    if (!made)
        return error_memory(e, "the front end of an artifact", room);
    memcpy(made, &record, sizeof record);
    const unsigned char *end = put_tables(m, made + sizeof record);
    assert(end == made + room);
    (void)end;
    HoneRtStatus checked = hone_rt_frontend_open(&opened, made, room);
    if (checked != HONE_RT_OK) {
        free(made);
        return error_set(e, HONE_ERR_CONFIG, "the runtime refuses the front end: %s",
                         hone_rt_status_text(checked));
    }
    *bytes = made;
    *count = room;
    return HONE_OK;
}

/* ---- unpacking ---- */

/* The reals, which the runtime does not look at. */
static int check_reals(const MelSpec *s, float scale, Error *e)
{
    if (s->low_hz >= 0 && s->low_hz < s->high_hz && (double)s->high_hz <= s->rate / 2.0 &&
        s->floor > 0 && s->floor <= 1 && scale > 0 && scale < 1e9f)
        return HONE_OK;
    return error_set(e, HONE_ERR_DATA,
                     "the artifact's front end is damaged: bands from %g to %g Hz, floor %g, "
                     "scale %g",
                     (double)s->low_hz, (double)s->high_hz, (double)s->floor, (double)scale);
}

int front_unpack(Front *front, const void *section, size_t count, Error *e)
{
    HoneRtFrontend opened;
    *front = (Front){0};
    HoneRtStatus checked = hone_rt_frontend_open(&opened, section, count);
    if (checked != HONE_RT_OK)
        return error_set(e, HONE_ERR_DATA, "the artifact's front end is damaged: %s",
                         hone_rt_status_text(checked));
    const HoneRtFrontRecord *r = opened.record;
    MelSpec spec = {.kind = (int)r->kind,
                    .rate = (int)r->rate,
                    .clip = (int)r->clip,
                    .frame = (int)r->frame,
                    .hop = (int)r->hop,
                    .fft = (int)r->fft,
                    .frames = (int)r->frames,
                    .mels = (int)r->mels,
                    .coefficients = (int)r->coefficients,
                    .scale = (int)r->mel_scale,
                    .area_norm = r->area_norm != 0,
                    .low_hz = real_of(r->low_hz_bits),
                    .high_hz = real_of(r->high_hz_bits),
                    .floor = real_of(r->floor_bits)};
    front->place = (int)r->place;
    front->grid = (FrontGrid){real_of(r->scale_bits), r->zero_point};
    int status = check_reals(&spec, front->grid.scale, e);
    return status == HONE_OK ? mel_new(&front->mel, &spec, e) : status;
}

void front_release(Front *front)
{
    mel_free(front->mel);
    *front = (Front){0};
}
