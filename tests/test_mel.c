/* Tests of the float front end of audio, against librosa. What a device computes instead is in
 * test_frontend.c. SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"
#include "datasets/front.h"
#include "runtime/frontend.h"
#include "tests/expect.h"
#include "tests/mel_case.h"
#include "tests/mel_fixture.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

enum { CASES = sizeof mel_cases / sizeof mel_cases[0] };

/* ---- against librosa ------------------------------------------------------------------------- */

START_TEST(as_librosa_computes)
{
    const struct MelCase *c = &mel_cases[_i];
    Mel *m = mel_make(&c->spec);
    float *v = mel_values_of(m, mel_pcm);
    for (size_t i = 0; i < mel_value_count(m); i++)
        ck_assert_msg(fabsf(v[i] - c->values[i]) < 1e-4f, "%s: value %zu is %.6f, librosa's %.6f",
                      c->name, i, (double)v[i], (double)c->values[i]);
    free(v);
    mel_free(m);
}
END_TEST

START_TEST(spectrum_is_the_sum)
{
    enum { N = 16 };
    Error e = {0};
    Fft f;
    double x[N], copy[N], power[N / 2 + 1];
    Rng rng = rng_at(1, RNG_TEST, 0, 0);
    OK(fft_init(&f, N, &e));
    for (int i = 0; i < N; i++)
        x[i] = copy[i] = rng_normal(&rng);
    fft_power(&f, x, power);
    for (int k = 0; k <= N / 2; k++) {
        double re = 0, im = 0;
        for (int t = 0; t < N; t++) {
            re += copy[t] * cos(2 * 3.14159265358979323846 * k * t / N);
            im -= copy[t] * sin(2 * 3.14159265358979323846 * k * t / N);
        }
        ck_assert_double_eq_tol(power[k], re * re + im * im, 1e-12);
    }
    fft_release(&f);
}
END_TEST

START_TEST(silence_is_the_floor)
{
    int16_t pcm[MEL_PCM] = {0};
    Mel *m = mel_make(&mel_cases[0].spec);
    float *v = mel_values_of(m, pcm);
    for (size_t i = 0; i < mel_value_count(m); i++)
        ck_assert_float_eq_tol(v[i], -100.0f, 1e-4f);
    free(v);
    mel_free(m);
}
END_TEST

START_TEST(mel_scales_invert)
{
    for (int htk = 0; htk < 2; htk++)
        for (int hz = 0; hz < 24000; hz += 37)
            ck_assert_double_eq_tol(mel_to_hz(mel_of_hz(hz, htk), htk), hz, 1e-8);
    ck_assert_double_eq_tol(mel_of_hz(1000, true), 999.9855, 1e-3); /* by design of the scale */
    ck_assert_double_eq_tol(mel_of_hz(1000, false), 15, 1e-12);
}
END_TEST

START_TEST(options_become_samples)
{
    Error e = {0};
    MelSpec s;
    MelOptions o = {.frame_ms = 25, .hop_ms = 10, .mels = 40, .coefficients = 10, .floor = 1e-10};
    OK(option_table_check(&mel_options, &e));
    OK(mel_spec(&s, &o, 16000, 16000, &e));
    ck_assert_int_eq(s.frame, 400);
    ck_assert_int_eq(s.hop, 160);
    ck_assert_int_eq(s.fft, 512);
    ck_assert_int_eq(s.frames, 98);
    ck_assert_int_eq(s.coefficients, 40); /* log-mel: all bands */
    ck_assert(s.high_hz == 8000.0f);
    o.kind = HONE_RT_FRONT_MFCC;
    o.frame = 480;
    o.hop = 320;
    OK(mel_spec(&s, &o, 16000, 16000, &e));
    ck_assert_int_eq(s.frames, 49); /* the 49x10 of MLPerf Tiny */
    ck_assert_int_eq(s.coefficients, 10);
}
END_TEST

START_TEST(options_refused)
{
    const MelOptions good = {
        .frame_ms = 32, .hop_ms = 16, .mels = 20, .coefficients = 10, .floor = 1e-10};
    MelOptions o[8];
    for (int i = 0; i < 8; i++)
        o[i] = good;
    o[0].fft = 500;
    o[1].fft = 128;
    o[2].frame = 2000;
    o[2].fft = 2048;
    o[3].kind = HONE_RT_FRONT_MFCC;
    o[3].coefficients = 21;
    o[4].high_hz = 4100;
    o[5].low_hz = 3000;
    o[5].high_hz = 3000;
    o[6].hop_ms = 0.01;
    o[7].fft = 8192;
    static const char *const sentences[] = {
        "features.fft 500 is not a power of two in 16..4096",
        "features.fft 128 is shorter than a frame of 256 samples",
        "features: a frame of 2000 samples is longer than a clip of 1000",
        "features.coefficients 21 are more than the 20 bands",
        "features: the bands reach from 0 to 4100 Hz, which is not within 0 to 4000",
        "features: the bands reach from 3000 to 3000 Hz, which is not within 0 to 4000",
        "features.hop_ms is less than one sample at 8000 samples per second",
        "features.fft 8192 is not a power of two in 16..4096"};
    for (int i = 0; i < 8; i++) {
        Error e = {0};
        MelSpec s;
        ck_assert_int_eq(mel_spec(&s, &o[i], 8000, 1000, &e), HONE_ERR_CONFIG);
        ck_assert_str_eq(e.text, sentences[i]);
    }
    Error e = {0};
    MelSpec s;
    ck_assert_int_eq(mel_spec(&s, &good, 8000, 1 << 25, &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, "a clip of 33554432 samples is longer than 16777216");
}
END_TEST

START_TEST(bands_too_narrow)
{
    Error e = {0};
    Mel *m;
    MelSpec s = mel_cases[0].spec;
    s.mels = s.coefficients = 128;
    ck_assert_int_eq(mel_new(&m, &s, &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, "mel band 5 of 128, 63.1 to 85.6 Hz, holds no bin of an FFT of 256 at "
                             "8000 Hz: take fewer bands or a longer FFT");
    ck_assert_ptr_null(m);
}
END_TEST

Suite *suite_mel(void)
{
    Suite *s = suite_create("mel");
    TCase *real = tcase_create("float");
    tcase_add_loop_test(real, as_librosa_computes, 0, CASES);
    tcase_add_test(real, spectrum_is_the_sum);
    tcase_add_test(real, silence_is_the_floor);
    tcase_add_test(real, mel_scales_invert);
    tcase_add_test(real, options_become_samples);
    tcase_add_test(real, options_refused);
    tcase_add_test(real, bands_too_narrow);
    suite_add_tcase(s, real);
    return s;
}
