/* RIFF/WAVE: see wav.h. A file is 'RIFF' size 'WAVE', then chunks: a tag of 4 bytes, a size, so many
 * bytes and one more where the size is odd. The walk notes where 'fmt ' and 'data' are; decoding
 * comes after it, so their order does not matter. SPDX-License-Identifier: Apache-2.0 */
#include "datasets/wav.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

enum {
    RIFF_HEADER = 12,
    CHUNK_HEADER = 8,
    FORMAT_BYTES = 16,     /* of 'fmt ', at least */
    EXTENSIBLE_BYTES = 40, /* of WAVEFORMATEXTENSIBLE */
    TAG_PCM = 1,
    TAG_FLOAT = 3,
    TAG_EXTENSIBLE = 0xfffe,
    CHANNELS_MAX = 64,
    RATE_MAX = 1 << 24
};

typedef struct Chunk {
    const unsigned char *at; /* behind its header; NULL: not seen */
    size_t bytes;
} Chunk;

typedef struct Reader {
    const unsigned char *file;
    size_t count;
    const char *name;
    Chunk format, data;
    int tag, channels, bits;
    uint32_t rate;
    size_t frame_bytes; /* one sample of every channel */
} Reader;

static uint32_t u16_at(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t u32_at(const unsigned char *p)
{
    return u16_at(p) | u16_at(p + 2) << 16;
}

/* ---- chunks ---- */

static int check_riff(const Reader *r, Error *e)
{
    if (r->count < RIFF_HEADER)
        return error_set(e, HONE_ERR_DATA,
                         "'%s' has %zu bytes, which is less than the header of a WAVE file (%d)",
                         r->name, r->count, RIFF_HEADER);
    if (memcmp(r->file, "RIFF", 4) != 0 || memcmp(r->file + 8, "WAVE", 4) != 0)
        return error_set(e, HONE_ERR_DATA, "'%s' is not a WAVE file: byte %d is not '%s'", r->name,
                         memcmp(r->file, "RIFF", 4) != 0 ? 0 : 8,
                         memcmp(r->file, "RIFF", 4) != 0 ? "RIFF" : "WAVE");
    uint32_t said = u32_at(r->file + 4);
    if (said > r->count - CHUNK_HEADER)
        return error_set(e, HONE_ERR_DATA,
                         "'%s', byte 4: the header promises %" PRIu32
                         " bytes, %zu follow: the file is truncated",
                         r->name, said, r->count - CHUNK_HEADER);
    return HONE_OK;
}

/* Notes a chunk whose header is at byte `at`. */
static int take_chunk(Reader *r, size_t at, size_t bytes, Error *e)
{
    const unsigned char *header = r->file + at;
    Chunk *chunk = memcmp(header, "fmt ", 4) == 0   ? &r->format
                   : memcmp(header, "data", 4) == 0 ? &r->data
                                                    : NULL;
    if (!chunk)
        return HONE_OK;
    if (chunk->at)
        return error_set(e, HONE_ERR_DATA, "'%s', byte %zu: a second chunk '%.4s'", r->name, at,
                         (const char *)header);
    *chunk = (Chunk){header + CHUNK_HEADER, bytes};
    return HONE_OK;
}

static int walk_chunks(Reader *r, Error *e)
{
    int status = HONE_OK;
    size_t end = CHUNK_HEADER + (size_t)u32_at(r->file + 4);
    for (size_t at = RIFF_HEADER; at < end && status == HONE_OK;) {
        if (end - at < CHUNK_HEADER)
            return error_set(e, HONE_ERR_DATA, "'%s', byte %zu: a chunk's header is cut off",
                             r->name, at);
        size_t bytes = u32_at(r->file + at + 4);
        if (bytes > end - at - CHUNK_HEADER)
            return error_set(e, HONE_ERR_DATA,
                             "'%s', byte %zu: the chunk says it has %zu bytes, %zu are left",
                             r->name, at, bytes, end - at - CHUNK_HEADER);
        status = take_chunk(r, at, bytes, e);
        at += CHUNK_HEADER + bytes + (bytes & 1);
    }
    if (status == HONE_OK && (!r->format.at || !r->data.at))
        status = error_set(e, HONE_ERR_DATA, "'%s' has no chunk '%s'", r->name,
                           r->format.at ? "data" : "fmt ");
    return status;
}

/* ---- the format ---- */

static size_t place_of(const Reader *r, const unsigned char *at)
{
    return (size_t)(at - r->file);
}

static bool known_format(const Reader *r)
{
    return (r->tag == TAG_PCM &&
            (r->bits == 8 || r->bits == 16 || r->bits == 24 || r->bits == 32)) ||
           (r->tag == TAG_FLOAT && r->bits == 32);
}

static int read_format(Reader *r, Error *e)
{
    const unsigned char *f = r->format.at;
    size_t at = place_of(r, f);
    if (r->format.bytes < FORMAT_BYTES)
        return error_set(e, HONE_ERR_DATA,
                         "'%s', byte %zu: a format of %zu bytes, %d are the least", r->name, at,
                         r->format.bytes, FORMAT_BYTES);
    r->tag = (int)u16_at(f);
    r->channels = (int)u16_at(f + 2);
    r->rate = u32_at(f + 4);
    r->bits = (int)u16_at(f + 14);
    if (r->tag == TAG_EXTENSIBLE && r->format.bytes >= EXTENSIBLE_BYTES)
        r->tag = (int)u16_at(f + 24); /* the first field of the sub-format's GUID */
    if (!known_format(r))
        return error_set(
            e, HONE_ERR_DATA,
            "'%s', byte %zu: format %d with %d bits; read are PCM (1) of 8, 16, 24, 32 "
            "bits and float (3) of 32",
            r->name, at, r->tag, r->bits);
    if (r->channels < 1 || r->channels > CHANNELS_MAX)
        return error_set(e, HONE_ERR_DATA, "'%s', byte %zu: %d channels; 1 to %d are read", r->name,
                         at + 2, r->channels, CHANNELS_MAX);
    if (r->rate < 1 || r->rate > RATE_MAX)
        return error_set(e, HONE_ERR_DATA, "'%s', byte %zu: %" PRIu32 " samples per second",
                         r->name, at + 4, r->rate);
    r->frame_bytes = (size_t)r->channels * (size_t)r->bits / 8;
    if (u16_at(f + 12) != r->frame_bytes)
        return error_set(e, HONE_ERR_DATA,
                         "'%s', byte %zu: blocks of %d bytes, but %d channels of %d bits take %zu",
                         r->name, at + 12, (int)u16_at(f + 12), r->channels, r->bits,
                         r->frame_bytes);
    return HONE_OK;
}

static int check_data(const Reader *r, Error *e)
{
    size_t at = place_of(r, r->data.at);
    assert(r->frame_bytes > 0);
    if (r->data.bytes == 0)
        return error_set(e, HONE_ERR_DATA, "'%s', byte %zu: the recording is empty", r->name, at);
    if (r->data.bytes % r->frame_bytes != 0)
        return error_set(e, HONE_ERR_DATA,
                         "'%s', byte %zu: %zu bytes are no whole number of blocks of %zu", r->name,
                         at, r->data.bytes, r->frame_bytes);
    return HONE_OK;
}

/* ---- samples ---- */

/* One sample of one channel; floats may be anything. */
static float sample_at(const Reader *r, const unsigned char *p)
{
    float v;
    uint32_t word;
    switch (r->bits) {
    case 8: /* the only unsigned one */
        return (float)((int)p[0] - 128) / 128;
    case 16:
        return (float)(int16_t)u16_at(p) / 32768;
    case 24: /* as the upper bytes of a word */
        word = (uint32_t)p[0] << 8 | u16_at(p + 1) << 16;
        return (float)((double)(int32_t)word / 2147483648.0);
    default:
        word = u32_at(p);
        if (r->tag == TAG_PCM)
            return (float)((double)(int32_t)word / 2147483648.0);
        memcpy(&v, &word, sizeof v);
        return v;
    }
}

static int decode(const Reader *r, WavClip *clip, Error *e)
{
    const unsigned char *p = r->data.at;
    size_t sample_bytes = (size_t)r->bits / 8;
    for (int64_t i = 0; i < clip->count; i++) {
        double sum = 0;
        for (int c = 0; c < r->channels; c++, p += sample_bytes) {
            float v = sample_at(r, p);
            if (!isfinite(v))
                return error_set(e, HONE_ERR_DATA,
                                 "'%s', byte %zu: sample %" PRId64 " is not a finite number",
                                 r->name, place_of(r, p), i);
            sum += (double)v;
        }
        clip->samples[i] = (float)(sum / r->channels);
    }
    return HONE_OK;
}

int wav_parse(WavClip *clip, const unsigned char *bytes, size_t count, const char *name, Error *e)
{
    Reader r = {.file = bytes, .count = count, .name = name};
    *clip = (WavClip){0};
    int status = check_riff(&r, e);
    if (status == HONE_OK)
        status = walk_chunks(&r, e);
    if (status == HONE_OK)
        status = read_format(&r, e);
    if (status == HONE_OK)
        status = check_data(&r, e);
    if (status != HONE_OK)
        return status;
    assert(r.frame_bytes > 0 && r.data.bytes >= r.frame_bytes);
    clip->count = (int64_t)(r.data.bytes / r.frame_bytes);
    clip->rate = (int)r.rate;
    clip->samples = malloc((size_t)clip->count * sizeof *clip->samples);
    if (!clip->samples)
        status = error_memory(e, name, (size_t)clip->count * sizeof *clip->samples);
    else
        status = decode(&r, clip, e);
    if (status != HONE_OK)
        wav_release(clip);
    return status;
}

int wav_read(WavClip *clip, const char *path, Error *e)
{
    unsigned char *bytes;
    size_t count;
    *clip = (WavClip){0};
    int status = file_read(path, WAV_BYTES_MAX, &bytes, &count, e);
    if (status == HONE_OK)
        status = wav_parse(clip, bytes, count, path, e);
    free(bytes);
    return status;
}

void wav_release(WavClip *clip)
{
    free(clip->samples);
    *clip = (WavClip){0};
}
