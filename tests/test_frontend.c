/* Tests of the audio front end of devices: its integers against the float front end, and the section
 * of the artifact that describes both. With HONE_DATA set it hears the Free Spoken Digit Dataset as
 * well. SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"
#include "datasets/clip.h"
#include "datasets/front.h"
#include "datasets/listing.h"
#include "datasets/wav.h"
#include "runtime/frontend.h"
#include "tests/expect.h"
#include "tests/mel_case.h"
#include "tests/mel_fixture.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CASES = sizeof mel_cases / sizeof mel_cases[0] };

/* ---- the integers of a device ---------------------------------------------------------------- */

typedef struct Device {
    unsigned char *bytes;
    size_t count;
    HoneRtFrontend f;
    FrontGrid grid;
} Device;

static Device device_of(const Mel *m, FrontGrid grid)
{
    Error e = {0};
    Device d = {.grid = grid};
    OK(front_pack(m, HONE_RT_FRONT_CENTRE, grid, &d.bytes, &d.count, &e));
    ck_assert_int_eq(hone_rt_frontend_open(&d.f, d.bytes, d.count), HONE_RT_OK);
    return d;
}

/* Codes that differ, by how much: [0] not at all, [1] by one, [2] by more. */
typedef struct Differences {
    int64_t by[3];
} Differences;

static void compare(const Mel *m, const Device *d, const int16_t *pcm, Differences *found)
{
    const MelSpec *s = &m->spec;
    float *v = mel_values_of(m, pcm);
    int8_t codes[HONE_RT_FRONT_MAX_MELS];
    int32_t *scratch = malloc(hone_rt_frontend_scratch_bytes(&d->f));
    ck_assert_ptr_nonnull(scratch);
    for (int t = 0; t < s->frames; t++) {
        hone_rt_frontend_frame(&d->f, pcm + (size_t)t * (size_t)s->hop, scratch, codes);
        for (int i = 0; i < s->coefficients; i++) {
            int wanted = front_byte(&d->grid, v[t * s->coefficients + i]) - 128;
            int apart = abs(codes[i] - wanted);
            found->by[apart < 2 ? apart : 2]++;
        }
    }
    free(scratch);
    free(v);
}

/* What docs/NUMERICS.md promises. */
static void check_differences(const Differences *d, const char *what)
{
    int64_t all = d->by[0] + d->by[1] + d->by[2];
    ck_assert_int_gt(all, 0);
    ck_assert_msg(d->by[2] == 0 && d->by[1] * 100 <= all,
                  "%s: of %lld codes %lld are off by one, %lld by more", what, (long long)all,
                  (long long)d->by[1], (long long)d->by[2]);
}

static FrontGrid grid_of(const MelSpec *s)
{
    return s->kind == HONE_RT_FRONT_MFCC ? front_grid(-450, 150) : front_grid(-100, 30);
}

START_TEST(device_agrees_on_the_fixture)
{
    const struct MelCase *c = &mel_cases[_i];
    Mel *m = mel_make(&c->spec);
    Device d = device_of(m, grid_of(&c->spec));
    Differences found = {{0}};
    compare(m, &d, mel_pcm, &found);
    check_differences(&found, c->name);
    free(d.bytes);
    mel_free(m);
}
END_TEST

/* A tone, a chirp or noise, from full scale down to one step, and the two largest squares. */
static void synthesize(int kind, double amplitude, int16_t *pcm, int count)
{
    Rng rng = rng_at(3, RNG_TEST, (uint64_t)kind, 0);
    for (int i = 0; i < count; i++) {
        double t = i / 8000.0, v = 0;
        if (kind == 0)
            v = sin(2 * 3.14159265358979323846 * 1234.5 * t);
        else if (kind == 1)
            v = sin(2 * 3.14159265358979323846 * (50 * t + 12000 * t * t));
        else if (kind == 2)
            v = 2 * (double)rng_uniform(&rng) - 1;
        else
            v = kind == 3 ? -1 : i / 40 % 2 == 0 ? 1 : -1;
        v = floor(v * amplitude * 32768 + 0.5);
        pcm[i] = (int16_t)(v > 32767 ? 32767 : v < -32768 ? -32768 : v);
    }
}

START_TEST(device_agrees_on_synthetic_sounds)
{
    static const double amplitudes[] = {1, 0.3, 0.01, 3e-4, 3e-5};
    int16_t pcm[MEL_PCM];
    for (int c = 0; c < CASES; c++) {
        Mel *m = mel_make(&mel_cases[c].spec);
        Device d = device_of(m, grid_of(&mel_cases[c].spec));
        Differences found = {{0}};
        for (int kind = 0; kind < 5; kind++)
            for (int a = 0; a < 5; a++) {
                synthesize(kind, amplitudes[a], pcm, MEL_PCM);
                compare(m, &d, pcm, &found);
            }
        check_differences(&found, mel_cases[c].name);
        free(d.bytes);
        mel_free(m);
    }
}
END_TEST

/* The largest FFT and the smallest, one band, one coefficient. */
START_TEST(device_agrees_at_the_limits)
{
    static const MelSpec specs[] = {{.kind = HONE_RT_FRONT_LOG_MEL,
                                     .rate = 48000,
                                     .clip = 8192,
                                     .frame = 4096,
                                     .hop = 1000,
                                     .fft = 4096,
                                     .frames = 5,
                                     .mels = 256,
                                     .coefficients = 256,
                                     .high_hz = 24000,
                                     .scale = HONE_RT_FRONT_SLANEY,
                                     .floor = 1e-10f},
                                    {.kind = HONE_RT_FRONT_MFCC,
                                     .rate = 8000,
                                     .clip = 160,
                                     .frame = 16,
                                     .hop = 16,
                                     .fft = 16,
                                     .frames = 10,
                                     .mels = 1,
                                     .coefficients = 1,
                                     .high_hz = 4000,
                                     .floor = 1e-10f},
                                    {.kind = HONE_RT_FRONT_LOG_MEL,
                                     .rate = 8000,
                                     .clip = 160,
                                     .frame = 1,
                                     .hop = 1,
                                     .fft = 16,
                                     .frames = 160,
                                     .mels = 2,
                                     .coefficients = 2,
                                     .high_hz = 4000,
                                     .floor = 1.0f}};
    int16_t pcm[8192];
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        Mel *m = mel_make(&specs[i]);
        Device d = device_of(m, front_grid(-120, 60));
        Differences found = {{0}};
        synthesize(1, 0.5, pcm, specs[i].clip);
        compare(m, &d, pcm, &found);
        synthesize(2, 0.5, pcm, specs[i].clip);
        compare(m, &d, pcm, &found);
        check_differences(&found, "a limit");
        free(d.bytes);
        mel_free(m);
    }
}
END_TEST

START_TEST(device_agrees_on_spoken_digits)
{
    Error e = {0};
    char folder[512], path[1024];
    Listing files;
    const char *root = getenv("HONE_DATA");
    snprintf(folder, sizeof folder, "%s/fsdd/recordings", root != NULL ? root : "");
    if (root == NULL || access(folder, R_OK) != 0) {
        puts("test_frontend: the spoken digits are skipped: fsdd/recordings is not in HONE_DATA");
        return;
    }
    OK(listing_read(&files, folder, ".wav", &e));
    ck_assert_uint_eq(files.count, 3000);
    for (int c = 0; c < CASES; c += 2) { /* those of 8 kHz */
        Mel *m = mel_make(&mel_cases[c].spec);
        Device d = device_of(m, grid_of(&mel_cases[c].spec));
        Differences found = {{0}};
        for (size_t i = 0; i < files.count; i += 60) {
            WavClip wav;
            float clip[MEL_PCM];
            int16_t pcm[MEL_PCM];
            snprintf(path, sizeof path, "%s/%s", folder, files.names[i]);
            OK(wav_read(&wav, path, &e));
            clip_cut(&wav, clip_begin(HONE_RT_FRONT_CENTRE, &wav, MEL_PCM), clip, MEL_PCM);
            for (int k = 0; k < MEL_PCM; k++)
                pcm[k] = (int16_t)(clip[k] * 32768);
            compare(m, &d, pcm, &found);
            wav_release(&wav);
        }
        check_differences(&found, mel_cases[c].name);
        printf("test_frontend: %s of spoken digits: %lld codes equal, %lld off by one\n",
               mel_cases[c].name, (long long)found.by[0], (long long)found.by[1]);
        free(d.bytes);
        mel_free(m);
    }
    listing_release(&files);
}
END_TEST

/* ---- the grid and the section ---------------------------------------------------------------- */

START_TEST(grids_reach_from_end_to_end)
{
    static const double ends[][2] = {{-100, 30}, {-7, -2}, {2, 9}, {0, 1}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        FrontGrid g = front_grid(ends[i][0], ends[i][1]);
        ck_assert_int_le(front_byte(&g, (float)ends[i][0]), 1);
        ck_assert_int_ge(front_byte(&g, (float)ends[i][1]), 254);
        ck_assert_int_eq(front_byte(&g, -1e30f), 0);
        ck_assert_int_eq(front_byte(&g, 1e30f), 255);
    }
}
END_TEST

START_TEST(section_goes_round)
{
    for (int c = 0; c < CASES; c++) {
        Error e = {0};
        Mel *m = mel_make(&mel_cases[c].spec);
        Device d = device_of(m, grid_of(&mel_cases[c].spec));
        Front front;
        OK(front_unpack(&front, d.bytes, d.count, &e));
        ck_assert_int_eq(front.place, HONE_RT_FRONT_CENTRE);
        ck_assert_int_eq(front.grid.zero_point, d.grid.zero_point);
        ck_assert(front.grid.scale == d.grid.scale);
        float *a = mel_values_of(m, mel_pcm), *b = mel_values_of(front.mel, mel_pcm);
        ck_assert_mem_eq(a, b, mel_value_count(m) * sizeof *a);
        free(a);
        free(b);
        front_release(&front);
        free(d.bytes);
        mel_free(m);
    }
}
END_TEST

START_TEST(grid_out_of_range)
{
    Error e = {0};
    unsigned char *bytes;
    size_t count;
    Mel *m = mel_make(&mel_cases[0].spec);
    FrontGrid far = front_grid(1000, 1001);
    ck_assert_int_eq(front_pack(m, 0, far, &bytes, &count, &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text,
                     "the grid of the features, scale 0.00392157 and zero point -255128, is "
                     "out of range");
    ck_assert_ptr_null(bytes);
    mel_free(m);
}
END_TEST

/* Writes value over word number `word` of the section and opens it. */
static HoneRtStatus open_changed(const Device *d, size_t word, uint32_t value)
{
    HoneRtFrontend f;
    uint32_t *copy = malloc(d->count);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, d->bytes, d->count);
    copy[word] = value;
    HoneRtStatus status = hone_rt_frontend_open(&f, copy, d->count);
    ck_assert((status == HONE_RT_OK) == (f.record != NULL));
    free(copy);
    return status;
}

START_TEST(damaged_sections_are_refused)
{
    Mel *m = mel_make(&mel_cases[2].spec); /* MFCC: all tables */
    Device d = device_of(m, grid_of(&mel_cases[2].spec));
    HoneRtFrontend f;
    ck_assert_int_eq(hone_rt_frontend_open(&f, NULL, 0), HONE_RT_ERR_TRUNCATED);
    ck_assert_int_eq(hone_rt_frontend_open(&f, d.bytes + 1, d.count), HONE_RT_ERR_ALIGNMENT);
    ck_assert_int_eq(hone_rt_frontend_open(&f, d.bytes, 95), HONE_RT_ERR_TRUNCATED);
    ck_assert_int_eq(hone_rt_frontend_open(&f, d.bytes, d.count - 4), HONE_RT_ERR_TRUNCATED);
    ck_assert_int_eq(hone_rt_frontend_open(&f, d.bytes, d.count + 4), HONE_RT_ERR_TRUNCATED);
    static const uint32_t bad[][2] = {/* word of the record, value */
                                      {0, 2},
                                      {1, 0},
                                      {1, 1u << 25},
                                      {2, 199},
                                      {2, 1u << 25},
                                      {3, 3},
                                      {4, 0},
                                      {4, 257},
                                      {5, 0},
                                      {6, 0},
                                      {6, 255},
                                      {6, 8},
                                      {6, 8192},
                                      {7, 12},
                                      {8, 0},
                                      {8, 257},
                                      {8, 9},
                                      {9, 0},
                                      {9, 25},
                                      {10, 2},
                                      {10, 0},
                                      {11, 2},
                                      {12, 2},
                                      {17, 40000},
                                      {18, 1 << 24},
                                      {19, (uint32_t)-1},
                                      {19, (1u << 30) + 1},
                                      {20, 0},
                                      {20, 63},
                                      {21, 0},
                                      {21, 1u << 20},
                                      {22, 1},
                                      {23, 1}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(open_changed(&d, bad[i][0], bad[i][1]) == HONE_RT_ERR_FRONTEND,
                      "word %u as %u", bad[i][0], bad[i][1]);
    size_t sine = 24, bands = sine + 65, window = bands + 48, weights = window + 200;
    ck_assert_int_eq(open_changed(&d, sine, (1u << 30) + 1), HONE_RT_ERR_FRONTEND);
    ck_assert_int_eq(open_changed(&d, sine + 64, 0x80000000u), HONE_RT_ERR_FRONTEND);
    ck_assert_int_eq(open_changed(&d, sine + 20, 1u << 30), HONE_RT_ERR_FRONTEND);
    ck_assert_int_eq(open_changed(&d, bands, 1), HONE_RT_ERR_FRONTEND); /* no bins */
    ck_assert_int_eq(open_changed(&d, bands, 128 | 2u << 16), HONE_RT_ERR_FRONTEND);
    ck_assert_int_eq(open_changed(&d, bands, 0 | 9u << 16), HONE_RT_ERR_FRONTEND);
    ck_assert_int_eq(open_changed(&d, bands + 1, 0x7fffffffu), HONE_RT_ERR_FRONTEND);
    ck_assert_int_eq(open_changed(&d, window, (1u << 30) + 1), HONE_RT_ERR_FRONTEND);
    ck_assert_int_eq(open_changed(&d, window + 199, 0x80000000u), HONE_RT_ERR_FRONTEND);
    ck_assert_int_eq(open_changed(&d, weights, 0x8001u), HONE_RT_ERR_FRONTEND);
    ck_assert_str_eq(hone_rt_status_text(HONE_RT_ERR_FRONTEND),
                     "a field or a table of the audio front end is out of range");
    free(d.bytes);
    mel_free(m);
}
END_TEST

START_TEST(damaged_reals_are_refused)
{
    Error e = {0};
    Front front;
    Mel *m = mel_make(&mel_cases[0].spec);
    Device d = device_of(m, grid_of(&mel_cases[0].spec));
    uint32_t nan_bits = 0x7fc00000u;
    memcpy(d.bytes + 14 * sizeof nan_bits, &nan_bits, sizeof nan_bits); /* the upper edge */
    ck_assert_int_eq(front_unpack(&front, d.bytes, d.count, &e), HONE_ERR_DATA);
    ck_assert_str_eq(e.text, "the artifact's front end is damaged: bands from 20 to nan Hz, floor "
                             "1e-10, scale 0.509804");
    e = (Error){0};
    ck_assert_int_eq(front_unpack(&front, d.bytes, 90, &e), HONE_ERR_DATA);
    ck_assert_str_eq(e.text, "the artifact's front end is damaged: the file is shorter than it "
                             "says, or than its header");
    front_release(&front);
    free(d.bytes);
    mel_free(m);
}
END_TEST

Suite *suite_frontend(void)
{
    Suite *s = suite_create("frontend");
    TCase *integer = tcase_create("integer");
    tcase_add_loop_test(integer, device_agrees_on_the_fixture, 0, CASES);
    tcase_add_test(integer, device_agrees_on_synthetic_sounds);
    tcase_add_test(integer, device_agrees_at_the_limits);
    tcase_add_test(integer, device_agrees_on_spoken_digits);
    suite_add_tcase(s, integer);
    TCase *section = tcase_create("section");
    tcase_add_test(section, grids_reach_from_end_to_end);
    tcase_add_test(section, section_goes_round);
    tcase_add_test(section, grid_out_of_range);
    tcase_add_test(section, damaged_sections_are_refused);
    tcase_add_test(section, damaged_reals_are_refused);
    suite_add_tcase(s, section);
    return s;
}
