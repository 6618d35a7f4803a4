/* A real FFT by a complex one of half the length, radix 2, decimation in time: even samples are real
 * parts, odd ones imaginary parts, and the two spectra are told apart at the end. Sorensen et al.,
 * "Real-valued fast Fourier transform algorithms", IEEE Trans. ASSP 35, 1987.
 * SPDX-License-Identifier: Apache-2.0 */
#include "datasets/fft.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

int fft_init(Fft *f, int n, Error *e)
{
    assert(n >= 4 && (n & (n - 1)) == 0);
    size_t bytes = ((size_t)n / 2 + 1) * 2 * sizeof *f->turn;
    *f = (Fft){.n = n, .turn = malloc(bytes)};
    if (!f->turn)
        return error_memory(e, "the factors of an FFT", bytes);
    for (int k = 0; k <= n / 2; k++) {
        double angle = 2 * 3.14159265358979323846 * k / n;
        f->turn[2 * k] = cos(angle);
        f->turn[2 * k + 1] = sin(angle);
    }
    return HONE_OK;
}

void fft_release(Fft *f)
{
    free(f->turn);
    *f = (Fft){0};
}

static void swap(double *a, double *b)
{
    double kept = *a;
    *a = *b;
    *b = kept;
}

/* Puts the complex numbers z[n] in the order of their indices' bits read backwards. */
static void reverse_bits(double *z, int n)
{
    for (int i = 1, j = 0; i < n; i++) {
        int bit = n >> 1;
        for (; j & bit; bit >>= 1)
            j ^= bit;
        j |= bit;
        if (i < j) {
            swap(&z[2 * i], &z[2 * j]);
            swap(&z[2 * i + 1], &z[2 * j + 1]);
        }
    }
}

/* The complex FFT of z[n/2], in place. */
static void transform(const Fft *f, double *z)
{
    int n = f->n / 2;
    reverse_bits(z, n);
    for (int half = 1; half < n; half *= 2) {
        int stride = n / half; /* of the factors, which are those of 2n */
        for (int k = 0; k < n; k += 2 * half) {
            double *a = z + 2 * k, *b = a + 2 * half;
            const double *turn = f->turn;
            for (int j = 0; j < half; j++, turn += 2 * stride, a += 2, b += 2) {
                double re = turn[0] * b[0] + turn[1] * b[1];
                double im = turn[0] * b[1] - turn[1] * b[0];
                b[0] = a[0] - re;
                b[1] = a[1] - im;
                a[0] += re;
                a[1] += im;
            }
        }
    }
}

void fft_power(const Fft *f, double *x, double *power)
{
    int n = f->n / 2;
    transform(f, x);
    for (int k = 0; k <= n; k++) {
        const double *a = x + 2 * (k % n), *b = x + 2 * ((n - k) % n), *turn = f->turn + 2 * k;
        double even_re = a[0] + b[0], even_im = a[1] - b[1];
        double odd_re = a[1] + b[1], odd_im = b[0] - a[0];
        double re = (even_re + turn[0] * odd_re + turn[1] * odd_im) / 2;
        double im = (even_im + turn[0] * odd_im - turn[1] * odd_re) / 2;
        power[k] = re * re + im * im;
    }
}
