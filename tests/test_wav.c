/* Tests of WAVE files: every format, every kind of damage. SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"
#include "datasets/wav.h"
#include "tests/allocations.h"
#include "tests/expect.h"
#include "tests/suites.h"
#include "tests/wav_file.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_data(WavBytes *w, const void *bytes, size_t count)
{
    wav_add(w, "data", 4);
    wav_add_number(w, (uint32_t)count, 4);
    wav_add(w, bytes, count);
}

static void expect(const WavBytes *w, int rate, const float *samples, int count)
{
    Error e = {0};
    WavClip clip;
    OK(wav_parse(&clip, w->v, w->count, "a.wav", &e));
    ck_assert_int_eq(clip.rate, rate);
    ck_assert_int_eq(clip.count, count);
    for (int i = 0; i < count; i++)
        ck_assert_msg(clip.samples[i] == samples[i], "sample %d is %.9g, not %.9g", i,
                      (double)clip.samples[i], (double)samples[i]);
    wav_release(&clip);
}

START_TEST(formats)
{
    static const float wanted[] = {-1, 0, 0.5f, -0.25f};
    static const unsigned char u8[] = {0, 128, 192, 96}, s16[] = {0, 0x80, 0, 0, 0, 0x40, 0, 0xe0},
                               s24[] = {0, 0, 0x80, 0, 0, 0, 0, 0, 0x40, 0, 0, 0xe0},
                               s32[] = {0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0xe0};
    const struct {
        int tag, bits;
        const void *data;
    } cases[] = {{1, 8, u8}, {1, 16, s16}, {1, 24, s24}, {1, 32, s32}, {3, 32, wanted}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        WavBytes w;
        wav_begin(&w);
        wav_format(&w, cases[i].tag, 1, 11025, cases[i].bits);
        put_data(&w, cases[i].data, (size_t)cases[i].bits / 2);
        wav_end(&w);
        expect(&w, 11025, wanted, 4);
    }
}
END_TEST

START_TEST(channels_are_averaged)
{
    static const int16_t stereo[] = {16384, 0, -32768, -32768, 8192, -8192};
    static const float wanted[] = {0.25f, -1, 0};
    WavBytes w;
    wav_begin(&w);
    wav_format(&w, 1, 2, 8000, 16);
    put_data(&w, stereo, sizeof stereo);
    wav_end(&w);
    expect(&w, 8000, wanted, 3);
}
END_TEST

/* Data first, unknown chunks of odd size between, bytes behind the RIFF chunk. */
START_TEST(chunks_in_any_order)
{
    static const unsigned char u8[] = {0, 128, 192};
    static const float wanted[] = {-1, 0, 0.5f};
    WavBytes w;
    wav_begin(&w);
    wav_add(&w, "LIST\5\0\0\0abcde", 13);
    wav_add_number(&w, 0, 1);
    put_data(&w, u8, sizeof u8);
    wav_add_number(&w, 0, 1);
    wav_add(&w, "fact\0\0\0\0", 8);
    wav_format(&w, 1, 1, 8000, 8);
    wav_end(&w);
    wav_add(&w, "behind", 6);
    expect(&w, 8000, wanted, 3);
    /* An odd last chunk without the byte that should follow it. */
    wav_begin(&w);
    wav_format(&w, 1, 1, 8000, 8);
    put_data(&w, u8, sizeof u8);
    wav_end(&w);
    expect(&w, 8000, wanted, 3);
}
END_TEST

START_TEST(extensible)
{
    static const float wanted[] = {0.75f, -0.5f};
    WavBytes w;
    wav_begin(&w);
    wav_format(&w, 0xfffe, 1, 48000, 32);
    w.v[16] = 40; /* the chunk's size */
    wav_add_number(&w, 22, 2);
    wav_add_number(&w, 32, 2);
    wav_add_number(&w, 4, 4);
    wav_add(&w, "\3\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71", 16);
    put_data(&w, wanted, sizeof wanted);
    wav_end(&w);
    expect(&w, 48000, wanted, 2);
}
END_TEST

/* ---- damage ---------------------------------------------------------------------------------- */

static void refused(const WavBytes *w, const char *sentence)
{
    Error e = {0};
    WavClip clip;
    ck_assert_int_eq(wav_parse(&clip, w->v, w->count, "a.wav", &e), HONE_ERR_DATA);
    ck_assert_str_eq(e.text, sentence);
    ck_assert_ptr_null(clip.samples);
}

/* Ten samples of 16 bits; the format's fields start at byte 20, data's header at 36. */
static WavBytes good(void)
{
    static const int16_t samples[10] = {1, 2, 3};
    WavBytes w;
    wav_make(&w, 8000, samples, 10);
    return w;
}

/* The good file with a number of so many bytes written at a place. */
static WavBytes changed(size_t at, uint32_t value, int bytes)
{
    WavBytes w = good();
    for (int i = 0; i < bytes; i++, value >>= 8)
        w.v[at + (size_t)i] = (unsigned char)value;
    return w;
}

START_TEST(headers_that_lie)
{
    const struct {
        size_t at;
        uint32_t value;
        int bytes;
        const char *sentence;
    } cases[] = {
        {0, 'X', 1, "'a.wav' is not a WAVE file: byte 0 is not 'RIFF'"},
        {8, 'X', 1, "'a.wav' is not a WAVE file: byte 8 is not 'WAVE'"},
        {4, 1000, 4,
         "'a.wav', byte 4: the header promises 1000 bytes, 56 follow: the file is truncated"},
        {4, 30, 4, "'a.wav', byte 36: a chunk's header is cut off"},
        {12, 'X', 1, "'a.wav' has no chunk 'fmt '"},
        {36, 'X', 1, "'a.wav' has no chunk 'data'"},
        {16, 0xfffffff0u, 4,
         "'a.wav', byte 12: the chunk says it has 4294967280 bytes, 44 are left"},
        {40, 21, 4, "'a.wav', byte 36: the chunk says it has 21 bytes, 20 are left"},
        {40, 0x80000000u, 4,
         "'a.wav', byte 36: the chunk says it has 2147483648 bytes, 20 are left"},
        {20, 2, 2,
         "'a.wav', byte 20: format 2 with 16 bits; read are PCM (1) of 8, 16, 24, 32 bits and "
         "float "
         "(3) of 32"},
        {34, 12, 2,
         "'a.wav', byte 20: format 1 with 12 bits; read are PCM (1) of 8, 16, 24, 32 bits and "
         "float "
         "(3) of 32"},
        {20, 0xfffe, 2,
         "'a.wav', byte 20: format 65534 with 16 bits; read are PCM (1) of 8, 16, 24, 32 bits and "
         "float (3) of 32"},
        {22, 0, 2, "'a.wav', byte 22: 0 channels; 1 to 64 are read"},
        {22, 65535, 2, "'a.wav', byte 22: 65535 channels; 1 to 64 are read"},
        {24, 0, 4, "'a.wav', byte 24: 0 samples per second"},
        {24, 0xffffffffu, 4, "'a.wav', byte 24: 4294967295 samples per second"},
        {32, 4, 2, "'a.wav', byte 32: blocks of 4 bytes, but 1 channels of 16 bits take 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        WavBytes w = changed(cases[i].at, cases[i].value, cases[i].bytes);
        refused(&w, cases[i].sentence);
    }
}
END_TEST

START_TEST(shapes_that_cannot_be)
{
    static const unsigned char three[] = {1, 2, 3};
    WavBytes w = {.count = 0};
    refused(&w, "'a.wav' has 0 bytes, which is less than the header of a WAVE file (12)");
    wav_begin(&w);
    wav_end(&w);
    refused(&w, "'a.wav' has no chunk 'fmt '");
    wav_format(&w, 1, 1, 8000, 16);
    wav_format(&w, 1, 1, 8000, 16);
    wav_end(&w);
    refused(&w, "'a.wav', byte 36: a second chunk 'fmt '");
    wav_begin(&w);
    wav_add(&w, "fmt \4\0\0\0\1\0\1\0", 12);
    put_data(&w, three, 2);
    wav_end(&w);
    refused(&w, "'a.wav', byte 20: a format of 4 bytes, 16 are the least");
    wav_begin(&w);
    wav_format(&w, 1, 1, 8000, 16);
    put_data(&w, three, 3);
    wav_end(&w);
    refused(&w, "'a.wav', byte 44: 3 bytes are no whole number of blocks of 2");
    wav_begin(&w);
    wav_format(&w, 1, 1, 8000, 16);
    put_data(&w, three, 0);
    wav_end(&w);
    refused(&w, "'a.wav', byte 44: the recording is empty");
}
END_TEST

START_TEST(floats_must_be_finite)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        const float samples[] = {0, 1, bad[i]};
        WavBytes w;
        wav_begin(&w);
        wav_format(&w, 3, 1, 8000, 32);
        put_data(&w, samples, sizeof samples);
        wav_end(&w);
        refused(&w, "'a.wav', byte 52: sample 2 is not a finite number");
    }
}
END_TEST

/* Every file that a few random bytes or a cut make of a good one is read or refused. */
START_TEST(random_damage)
{
    Rng rng = rng_at(5, RNG_TEST, 0, 0);
    int read = 0;
    for (int round = 0; round < 20000; round++) {
        WavBytes w = good();
        Error e = {0};
        WavClip clip;
        for (uint32_t n = rng_below(&rng, 4); n > 0; n--)
            w.v[rng_below(&rng, 48)] = (unsigned char)rng_u32(&rng);
        w.count = rng_below(&rng, 2) ? w.count : rng_below(&rng, (uint32_t)w.count);
        unsigned char *exact = malloc(w.count + 1); /* so that a sanitizer sees its end */
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, w.v, w.count);
        int status = wav_parse(&clip, exact, w.count, "a.wav", &e);
        ck_assert(status == HONE_OK || (status == HONE_ERR_DATA && clip.samples == NULL));
        read += status == HONE_OK;
        wav_release(&clip);
        free(exact);
    }
    ck_assert_int_gt(read, 1000);
}
END_TEST

static int read_and_release(void *path, Error *e)
{
    WavClip clip;
    int status = wav_read(&clip, path, e);
    wav_release(&clip);
    return status;
}

START_TEST(files)
{
    Error e = {0};
    WavClip clip;
    char path[300], text[480];
    WavFolder f = wav_folder_make();
    WavBytes w = good();
    wav_folder_write(&f, "a.wav", w.v, w.count);
    snprintf(path, sizeof path, "%s/a.wav", f.path);
    OK(wav_read(&clip, path, &e));
    ck_assert_int_eq(clip.count, 10);
    wav_release(&clip);
    allocations_fail_each(read_and_release, path, 1);
    snprintf(path, sizeof path, "%s/b.wav", f.path);
    snprintf(text, sizeof text, "cannot open '%s': No such file or directory", path);
    ck_assert_int_eq(wav_read(&clip, path, &e), HONE_ERR_IO);
    ck_assert_str_eq(e.text, text);
    wav_folder_remove(&f);
}
END_TEST

Suite *suite_wav(void)
{
    Suite *s = suite_create("wav");
    TCase *reading = tcase_create("reading");
    tcase_add_test(reading, formats);
    tcase_add_test(reading, channels_are_averaged);
    tcase_add_test(reading, chunks_in_any_order);
    tcase_add_test(reading, extensible);
    tcase_add_test(reading, files);
    suite_add_tcase(s, reading);
    TCase *damage = tcase_create("damage");
    tcase_add_test(damage, headers_that_lie);
    tcase_add_test(damage, shapes_that_cannot_be);
    tcase_add_test(damage, floats_must_be_finite);
    tcase_add_test(damage, random_damage);
    suite_add_tcase(s, damage);
    return s;
}
