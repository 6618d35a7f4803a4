/* Mel filter banks and the discrete cosine transform, as librosa 0.11 defines them (filters.mel,
 * feature.mfcc). SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_DATASETS_MELBANK_H
#define HONE_DATASETS_MELBANK_H

#include <stdbool.h>

#include "core/error.h"

/* htk: mel = 2595 log10(1 + f / 700) (Young et al., "The HTK Book"); else Slaney's "Auditory
 * toolbox", 1998: linear up to 1000 Hz (200/3 Hz per mel), then logarithmic (ln 6.4 / 27 per mel). */
double mel_of_hz(double hz, bool htk);
double mel_to_hz(double mel, bool htk);

typedef struct MelBand {
    int first, count;      /* bins of the power spectrum, count >= 1 */
    const double *weights; /* [count] */
} MelBand;

typedef struct MelBank {
    int bands;
    MelBand *band;
    double *weights; /* of all bands, one after the other */
    int weight_count;
} MelBank;

typedef struct MelBankSpec {
    double rate; /* samples per second */
    int fft;
    int bands;
    double low_hz, high_hz; /* 0 <= low < high <= rate / 2 */
    bool htk;
    bool area_norm; /* each triangle divided by half its base in Hz, so that its area is 1 */
} MelBankSpec;

/* Triangles over the bins k * rate / fft, whose corners are equally spaced in mel. Errors:
 * HONE_ERR_CONFIG for a band so narrow that no bin lies in it; HONE_ERR_MEMORY. */
HONE_CHECKED int mel_bank_init(MelBank *b, const MelBankSpec *spec, Error *e);
void mel_bank_release(MelBank *b);

/* table[i][b] = sqrt((i ? 2 : 1) / bands) cos(pi i (2 b + 1) / (2 bands)): DCT-II, orthonormal.
 * table [coefficients][bands]. */
void dct_table(double *table, int coefficients, int bands);

#endif
