/* Mel filter banks: see melbank.h. SPDX-License-Identifier: Apache-2.0 */
#include "datasets/melbank.h"

#include <math.h>
#include <stdlib.h>

#define LINEAR_HZ (200.0 / 3)           /* Slaney: Hz per mel below the knee */
#define KNEE_HZ   1000.0                /* its knee */
#define KNEE_MEL  (KNEE_HZ / LINEAR_HZ) /* 15 */
#define LOG_STEP  (log(6.4) / 27)       /* of ln(f) per mel above it */

double mel_of_hz(double hz, bool htk)
{
    if (htk)
        return 2595 * log10(1 + hz / 700);
    return hz < KNEE_HZ ? hz / LINEAR_HZ : KNEE_MEL + log(hz / KNEE_HZ) / LOG_STEP;
}

double mel_to_hz(double mel, bool htk)
{
    if (htk)
        return 700 * (pow(10, mel / 2595) - 1);
    return mel < KNEE_MEL ? mel * LINEAR_HZ : KNEE_HZ * exp(LOG_STEP * (mel - KNEE_MEL));
}

/* Corner i of spec->bands + 2, in Hz. */
static double corner(const MelBankSpec *spec, int i)
{
    double low = mel_of_hz(spec->low_hz, spec->htk), high = mel_of_hz(spec->high_hz, spec->htk);
    return mel_to_hz(low + (high - low) * i / (spec->bands + 1), spec->htk);
}

/* Writes the weights of band i that are not 0 to out; sets first and count. */
static void draw_band(const MelBankSpec *spec, int i, MelBand *band, double *out)
{
    double left = corner(spec, i), peak = corner(spec, i + 1), right = corner(spec, i + 2);
    double norm = spec->area_norm ? 2 / (right - left) : 1;
    *band = (MelBand){.weights = out};
    for (int k = 0; k <= spec->fft / 2; k++) {
        double hz = spec->rate * k / spec->fft;
        double rise = (hz - left) / (peak - left), fall = (right - hz) / (right - peak);
        double weight = rise < fall ? rise : fall;
        if (!(weight > 0))
            continue;
        if (band->count == 0)
            band->first = k;
        out[band->count++] = weight * norm;
    }
}

int mel_bank_init(MelBank *b, const MelBankSpec *spec, Error *e)
{
    /* A bin lies in two bands at most. */
    size_t most = ((size_t)spec->fft / 2 + 1) * 2;
    *b = (MelBank){.bands = spec->bands,
                   .band = calloc((size_t)spec->bands, sizeof *b->band),
                   .weights = malloc(most * sizeof *b->weights)};
    if (!b->band || !b->weights) {
        mel_bank_release(b);
        return error_memory(e, "mel bands", most * sizeof *b->weights);
    }
    for (int i = 0; i < spec->bands; i++) {
        draw_band(spec, i, &b->band[i], b->weights + b->weight_count);
        b->weight_count += b->band[i].count;
        if (b->band[i].count == 0) {
            mel_bank_release(b);
            return error_set(e, HONE_ERR_CONFIG,
                             "mel band %d of %d, %.1f to %.1f Hz, holds no bin of an FFT of %d at "
                             "%.0f Hz: take fewer bands or a longer FFT",
                             i + 1, spec->bands, corner(spec, i), corner(spec, i + 2), spec->fft,
                             spec->rate);
        }
    }
    return HONE_OK;
}

void mel_bank_release(MelBank *b)
{
    free(b->band);
    free(b->weights);
    *b = (MelBank){0};
}

void dct_table(double *table, int coefficients, int bands)
{
    for (int i = 0; i < coefficients; i++)
        for (int b = 0; b < bands; b++)
            table[i * bands + b] = sqrt((i > 0 ? 2.0 : 1.0) / bands) *
                                   cos(3.14159265358979323846 * i * (2 * b + 1) / (2.0 * bands));
}
