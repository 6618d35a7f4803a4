/* Log-mel and MFCC features: see mel.h. SPDX-License-Identifier: Apache-2.0 */
#include "datasets/mel.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/frontend.h"

static const char *const kinds[] = {
    [HONE_RT_FRONT_LOG_MEL] = "log_mel", [HONE_RT_FRONT_MFCC] = "mfcc", NULL};
static const char *const scales[] = {
    [HONE_RT_FRONT_HTK] = "htk", [HONE_RT_FRONT_SLANEY] = "slaney", NULL};

const OptionTable mel_options = {
    .name = "features",
    .help = "what is computed of a recording",
    .size = sizeof(MelOptions),
    .options =
        (const Option[]){
            OPTION_CHOICE("kind", MelOptions, kind, kinds, "log_mel",
                          "energies of mel bands in decibels, or their cosine transform"),
            OPTION_REAL("frame_ms", MelOptions, frame_ms, "ms", 1, 1000, "32", "length of a frame"),
            OPTION_REAL("hop_ms", MelOptions, hop_ms, "ms", 1, 1000, "16",
                        "from one frame's start to the next"),
            OPTION_INT("frame", MelOptions, frame, "samples", 0, HONE_RT_FRONT_MAX_FFT, "0",
                       "length of a frame; 0: by frame_ms"),
            OPTION_INT("hop", MelOptions, hop, "samples", 0, 1 << 20, "0",
                       "from one frame's start to the next; 0: by hop_ms"),
            OPTION_INT("fft", MelOptions, fft, "samples", 0, HONE_RT_FRONT_MAX_FFT, "0",
                       "length of the FFT, a power of two; 0: the smallest that holds a frame"),
            OPTION_INT("mels", MelOptions, mels, "bands", 1, HONE_RT_FRONT_MAX_MELS, "40",
                       "mel bands"),
            OPTION_INT("coefficients", MelOptions, coefficients, "", 1, HONE_RT_FRONT_MAX_MELS,
                       "10", "cosine coefficients kept, of mfcc"),
            OPTION_REAL("low_hz", MelOptions, low_hz, "Hz", 0, 100000, "20",
                        "lower edge of the first band"),
            OPTION_REAL("high_hz", MelOptions, high_hz, "Hz", 0, 100000, "0",
                        "upper edge of the last band; 0: half the rate"),
            OPTION_CHOICE("scale", MelOptions, scale, scales, "htk", "formula of the mel scale"),
            OPTION_BOOL("area_norm", MelOptions, area_norm, "false",
                        "bands of equal area instead of equal height"),
            OPTION_REAL_OPEN("floor", MelOptions, floor, "", 0, 1, OPTION_OPEN_MIN, "1.0e-10",
                             "least energy of a band, full scale being 1"),
            OPTION_END,
        },
};

static int to_samples(int64_t samples, double ms, int rate)
{
    return samples > 0 ? (int)samples : (int)floor(ms * rate / 1000 + 0.5);
}

static int power_above(int n)
{
    int fft = HONE_RT_FRONT_MIN_FFT;
    while (fft < n)
        fft *= 2;
    return fft;
}

static int check_lengths(const MelSpec *s, Error *e)
{
    if (s->frame < 1 || s->hop < 1)
        return error_set(e, HONE_ERR_CONFIG,
                         "features.%s is less than one sample at %d samples per second",
                         s->frame < 1 ? "frame_ms" : "hop_ms", s->rate);
    if (s->fft < HONE_RT_FRONT_MIN_FFT || s->fft > HONE_RT_FRONT_MAX_FFT ||
        (s->fft & (s->fft - 1)) != 0)
        return error_set(e, HONE_ERR_CONFIG, "features.fft %d is not a power of two in %d..%d",
                         s->fft, HONE_RT_FRONT_MIN_FFT, HONE_RT_FRONT_MAX_FFT);
    if (s->frame > s->fft)
        return error_set(e, HONE_ERR_CONFIG,
                         "features.fft %d is shorter than a frame of %d samples", s->fft, s->frame);
    if (s->frame > s->clip)
        return error_set(e, HONE_ERR_CONFIG,
                         "features: a frame of %d samples is longer than a clip of %d", s->frame,
                         s->clip);
    return HONE_OK;
}

static int check_bands(const MelSpec *s, Error *e)
{
    if (s->coefficients > s->mels)
        return error_set(e, HONE_ERR_CONFIG, "features.coefficients %d are more than the %d bands",
                         s->coefficients, s->mels);
    if (!((double)s->high_hz <= s->rate / 2.0) || !(s->low_hz < s->high_hz))
        return error_set(e, HONE_ERR_CONFIG,
                         "features: the bands reach from %g to %g Hz, which is not within 0 to %g",
                         (double)s->low_hz, (double)s->high_hz, s->rate / 2.0);
    return HONE_OK;
}

int mel_spec(MelSpec *spec, const MelOptions *o, int rate, int64_t clip, Error *e)
{
    if (clip > HONE_RT_FRONT_MAX_CLIP)
        return error_set(e, HONE_ERR_CONFIG, "a clip of %" PRId64 " samples is longer than %d",
                         clip, HONE_RT_FRONT_MAX_CLIP);
    *spec =
        (MelSpec){.kind = o->kind,
                  .rate = rate,
                  .clip = (int)clip,
                  .frame = to_samples(o->frame, o->frame_ms, rate),
                  .hop = to_samples(o->hop, o->hop_ms, rate),
                  .mels = (int)o->mels,
                  .coefficients = (int)(o->kind == HONE_RT_FRONT_MFCC ? o->coefficients : o->mels),
                  .scale = o->scale,
                  .area_norm = o->area_norm,
                  .low_hz = (float)o->low_hz,
                  .high_hz = (float)(o->high_hz > 0 ? o->high_hz : rate / 2.0),
                  .floor = (float)o->floor};
    spec->fft = o->fft > 0 ? (int)o->fft : power_above(spec->frame);
    int status = check_lengths(spec, e);
    if (status == HONE_OK)
        status = check_bands(spec, e);
    if (status == HONE_OK)
        spec->frames = 1 + (spec->clip - spec->frame) / spec->hop;
    return status;
}

/* ---- computing ---- */

static int alloc_tables(Mel *m, Error *e)
{
    const MelSpec *s = &m->spec;
    size_t dct = s->kind == HONE_RT_FRONT_MFCC ? (size_t)s->coefficients * (size_t)s->mels : 0;
    m->window = malloc((size_t)s->frame * sizeof *m->window);
    m->dct = dct > 0 ? malloc(dct * sizeof *m->dct) : NULL;
    if (!m->window || (dct > 0 && !m->dct))
        return error_memory(e, "a front end", ((size_t)s->frame + dct) * sizeof *m->window);
    for (int i = 0; i < s->frame; i++)
        m->window[i] = 0.5 - 0.5 * cos(2 * 3.14159265358979323846 * i / s->frame);
    if (m->dct)
        dct_table(m->dct, s->coefficients, s->mels);
    return HONE_OK;
}

int mel_new(Mel **mel, const MelSpec *spec, Error *e)
{
    *mel = NULL;
    Mel *m = calloc(1, sizeof *m);
    if (!m)
        return error_memory(e, "a front end", sizeof *m);
    m->spec = *spec;
    MelBankSpec bank = {.rate = spec->rate,
                        .fft = spec->fft,
                        .bands = spec->mels,
                        .low_hz = (double)spec->low_hz,
                        .high_hz = (double)spec->high_hz,
                        .htk = spec->scale == HONE_RT_FRONT_HTK,
                        .area_norm = spec->area_norm};
    int status = fft_init(&m->fft, spec->fft, e);
    if (status == HONE_OK)
        status = mel_bank_init(&m->bank, &bank, e);
    if (status == HONE_OK)
        status = alloc_tables(m, e);
    if (status != HONE_OK) {
        mel_free(m);
        return status;
    }
    *mel = m;
    return HONE_OK;
}

void mel_free(Mel *m)
{
    if (!m)
        return;
    fft_release(&m->fft);
    mel_bank_release(&m->bank);
    free(m->window);
    free(m->dct);
    free(m);
}

size_t mel_scratch(const Mel *m)
{
    return (size_t)m->spec.fft + (size_t)m->spec.fft / 2 + 1 + (size_t)m->spec.mels;
}

/* Decibels of the bands of one spectrum. */
static void add_bands(const Mel *m, const double *power, double *out)
{
    for (int b = 0; b < m->spec.mels; b++) {
        const MelBand *band = &m->bank.band[b];
        double sum = 0;
        for (int k = 0; k < band->count; k++)
            sum += band->weights[k] * power[band->first + k];
        out[b] = 10 * log10(sum > (double)m->spec.floor ? sum : (double)m->spec.floor);
    }
}

static void frame_values(const Mel *m, const double *bands, float *values)
{
    const MelSpec *s = &m->spec;
    for (int i = 0; i < s->coefficients; i++) {
        double v = bands[i];
        if (m->dct) {
            v = 0;
            for (int b = 0; b < s->mels; b++)
                v += m->dct[i * s->mels + b] * bands[b];
        }
        values[i] = (float)v;
    }
}

void mel_clip(const Mel *m, const float *clip, double *scratch, float *values)
{
    const MelSpec *s = &m->spec;
    double *x = scratch, *power = x + s->fft, *bands = power + s->fft / 2 + 1;
    for (int t = 0; t < s->frames; t++) {
        const float *from = clip + (size_t)t * (size_t)s->hop;
        for (int i = 0; i < s->frame; i++)
            x[i] = m->window[i] * (double)from[i];
        memset(x + s->frame, 0, (size_t)(s->fft - s->frame) * sizeof *x);
        fft_power(&m->fft, x, power);
        add_bands(m, power, bands);
        frame_values(m, bands, values + (size_t)t * (size_t)s->coefficients);
    }
}
