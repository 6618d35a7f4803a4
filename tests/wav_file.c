/* WAVE files of tests: see wav_file.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/wav_file.h"

#include "tests/run_fixture.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void wav_add(WavBytes *w, const void *bytes, size_t count)
{
    ck_assert_uint_le(count, sizeof w->v - w->count);
    memcpy(w->v + w->count, bytes, count);
    w->count += count;
}

void wav_add_number(WavBytes *w, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++, value >>= 8) {
        unsigned char byte = (unsigned char)value;
        wav_add(w, &byte, 1);
    }
}

void wav_begin(WavBytes *w)
{
    w->count = 0;
    wav_add(w, "RIFF\0\0\0\0WAVE", 12);
}

void wav_end(WavBytes *w)
{
    size_t count = w->count;
    w->count = 4;
    wav_add_number(w, (uint32_t)(count - 8), 4);
    w->count = count;
}

void wav_format(WavBytes *w, int tag, int channels, int rate, int bits)
{
    int block = channels * bits / 8;
    wav_add(w, "fmt ", 4);
    wav_add_number(w, 16, 4);
    wav_add_number(w, (uint32_t)tag, 2);
    wav_add_number(w, (uint32_t)channels, 2);
    wav_add_number(w, (uint32_t)rate, 4);
    wav_add_number(w, (uint32_t)(rate * block), 4);
    wav_add_number(w, (uint32_t)block, 2);
    wav_add_number(w, (uint32_t)bits, 2);
}

void wav_make(WavBytes *w, int rate, const int16_t *samples, int count)
{
    wav_begin(w);
    wav_format(w, 1, 1, rate, 16);
    wav_add(w, "data", 4);
    wav_add_number(w, (uint32_t)count * 2, 4);
    for (int i = 0; i < count; i++)
        wav_add_number(w, (uint16_t)samples[i], 2);
    wav_end(w);
}

WavFolder wav_folder_make(void)
{
    WavFolder f;
    folder_make(f.path);
    return f;
}

void wav_folder_write(const WavFolder *f, const char *name, const void *bytes, size_t count)
{
    char path[256];
    const char *slash = strrchr(name, '/');
    if (slash) {
        snprintf(path, sizeof path, "%s/%.*s", f->path, (int)(slash - name), name);
        ck_assert(mkdir(path, 0777) == 0 || errno == EEXIST);
    }
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    FILE *out = fopen(path, "wb");
    ck_assert_msg(out != NULL, "%s", path);
    ck_assert_uint_eq(fwrite(bytes, 1, count, out), count);
    ck_assert_int_eq(fclose(out), 0);
}

void wav_folder_remove(const WavFolder *f)
{
    folder_remove(f->path);
}
