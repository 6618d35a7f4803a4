/* Power spectra of real frames, lengths a power of two, in double.
 *
 *     Fft f;
 *     if (fft_init(&f, 512, e) != HONE_OK) ...
 *     fft_power(&f, frame, power);          // frame [512] is overwritten, power [257]
 *     fft_release(&f);
 *
 * The same bits wherever sine, cosine and arithmetic have the same bits: the order of the operations
 * is fixed. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_DATASETS_FFT_H
#define HONE_DATASETS_FFT_H

#include "core/error.h"

typedef struct Fft {
    int n;        /* real samples: a power of two, at least 4 */
    double *turn; /* [n/2 + 1][2]: cos and sin of 2 pi k / n */
} Fft;

HONE_CHECKED int fft_init(Fft *f, int n, Error *e);
void fft_release(Fft *f);

/* power[k] = |sum_t x[t] exp(-2 pi i k t / n)|^2 for k = 0 .. n/2. x [n] is scratch afterwards. */
void fft_power(const Fft *f, double *x, double *power);

#endif
