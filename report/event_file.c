/* TensorBoard's event files: see event_file.h. SPDX-License-Identifier: Apache-2.0 */
#include "report/event_file.h"

#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 1200, NAMES_MAX = 100 };

/* ---- bytes ---- */

static void put_fixed(Text *t, uint64_t value, int bytes)
{
    char b[8];
    for (int i = 0; i < bytes; i++)
        b[i] = (char)(value >> 8 * i & 0xff);
    text_add_bytes(t, b, (size_t)bytes);
}

/* Seven bits to a byte, the lowest first; all but the last byte have their highest bit set. */
static void put_varint(Text *t, uint64_t value)
{
    char b[10];
    size_t n = 0;
    do {
        b[n++] = (char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value > 0);
    text_add_bytes(t, b, n);
}

/* What follows a field's number in its key. */
enum { WIRE_VARINT = 0, WIRE_DOUBLE = 1, WIRE_BYTES = 2, WIRE_FLOAT = 5 };

static void put_key(Text *t, int field, int wire)
{
    put_varint(t, (uint64_t)field << 3 | (uint64_t)wire);
}

static void put_double(Text *t, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_fixed(t, bits, 8);
}

static void put_double_field(Text *t, int field, double value)
{
    put_key(t, field, WIRE_DOUBLE);
    put_double(t, value);
}

static void put_bytes_field(Text *t, int field, const char *bytes, size_t count)
{
    put_key(t, field, WIRE_BYTES);
    put_varint(t, count);
    text_add_bytes(t, bytes, count);
}

/* A message that is a field of another: made in a text of its own, which this empties. */
static void put_message_field(Text *t, int field, Text *message)
{
    put_bytes_field(t, field, text_string(message), message->length);
    t->failed = t->failed || message->failed;
    message->length = 0;
}

/* ---- records ---- */

/* CRC-32C (Castagnoli), reflected polynomial 0x82f63b78. */
static uint32_t crc32c(const char *bytes, size_t count)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < count; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static void put_masked_crc(Text *t, const char *bytes, size_t count)
{
    const uint32_t crc = crc32c(bytes, count);
    put_fixed(t, (crc >> 15 | crc << 17) + 0xa282ead8u, 4);
}

static void put_record(Text *t, const Text *data)
{
    char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (char)((uint64_t)data->length >> 8 * i & 0xff);
    text_add_bytes(t, length, sizeof length);
    put_masked_crc(t, length, sizeof length);
    text_add_bytes(t, text_string(data), data->length);
    put_masked_crc(t, text_string(data), data->length);
    t->failed = t->failed || data->failed;
}

/* ---- events ---- */

static double wall_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static Text *begin_event(EventFile *f, int64_t step)
{
    f->event.length = 0;
    put_double_field(&f->event, 1, wall_time());
    put_key(&f->event, 2, WIRE_VARINT);
    put_varint(&f->event, (uint64_t)step);
    return &f->event;
}

/* Makes an event of f->value. */
static void add_value(EventFile *f, int64_t step)
{
    begin_event(f, step);
    put_message_field(&f->summary, 1, &f->value);
    put_message_field(&f->event, 5, &f->summary);
    put_record(&f->pending, &f->event);
}

void event_scalar(EventFile *f, int64_t step, const char *tag, double value)
{
    Text *v = &f->value;
    const float real = (float)value;
    uint32_t bits;
    memcpy(&bits, &real, sizeof bits);
    put_bytes_field(v, 1, tag, strlen(tag));
    put_key(v, 2, WIRE_FLOAT);
    put_fixed(v, bits, 4);
    add_value(f, step);
}

void event_histogram(EventFile *f, int64_t step, const char *tag, const Histogram *h)
{
    for (int i = 0; i < HISTOGRAM_BINS; i++) {
        put_double(&f->limits, histogram_edge(h, i + 1));
        put_double(&f->counts, (double)h->bins[i]);
    }
    put_double_field(&f->histo, 1, h->low);
    put_double_field(&f->histo, 2, h->high);
    put_double_field(&f->histo, 3, (double)h->count);
    put_double_field(&f->histo, 4, h->sum);
    put_double_field(&f->histo, 5, h->squares);
    put_message_field(&f->histo, 6, &f->limits);
    put_message_field(&f->histo, 7, &f->counts);
    put_bytes_field(&f->value, 1, tag, strlen(tag));
    put_message_field(&f->value, 5, &f->histo);
    add_value(f, step);
}

/* ---- the file ---- */

/* TensorBoard reads any file with "tfevents" in its name, in the order of the names. */
static int create(EventFile *f, const char *folder, Error *e)
{
    char host[64] = "host", path[PATH_BYTES];
    gethostname(host, sizeof host - 1);
    for (int i = 0; f->file < 0 && i < NAMES_MAX; i++) {
        int length = snprintf(path, sizeof path, "%s/events.out.tfevents.%lld.%s.%ld.%d", folder,
                              (long long)wall_time(), host, (long)getpid(), i);
        if (length >= (int)sizeof path)
            return error_set(e, HONE_ERR_CONFIG, "the path '%s' is too long", folder);
        f->file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (f->file < 0 && errno != EEXIST)
            break;
    }
    if (f->file < 0)
        return error_errno(e, HONE_ERR_IO, "cannot create %s", path);
    f->path = strdup(path);
    return f->path ? HONE_OK : error_memory(e, "an event file", strlen(path));
}

int event_file_open(EventFile *f, const char *folder, int64_t step, Error *e)
{
    static const char version[] = "brain.Event:2";
    *f = (EventFile){.file = -1};
    int status = create(f, folder, e);
    if (status == HONE_OK) {
        put_bytes_field(begin_event(f, 0), 3, version, sizeof version - 1);
        put_record(&f->pending, &f->event);
        put_key(&f->value, 1, WIRE_VARINT); /* status: START */
        put_varint(&f->value, 1);
        put_message_field(begin_event(f, step), 7, &f->value);
        put_record(&f->pending, &f->event);
        status = event_file_flush(f, e);
    }
    if (status != HONE_OK)
        event_file_close(f);
    return status;
}

void event_file_close(EventFile *f)
{
    if (f->file >= 0)
        close(f->file);
    free(f->path);
    Text *const texts[] = {&f->pending, &f->event,  &f->summary, &f->value,
                           &f->histo,   &f->limits, &f->counts};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        text_release(texts[i]);
    *f = (EventFile){.file = -1};
}

int event_file_flush(EventFile *f, Error *e)
{
    if (text_failed(&f->pending))
        return error_memory(e, "TensorBoard's events", f->pending.room);
    if (!file_write_fully(f->file, text_string(&f->pending), f->pending.length))
        return error_errno(e, HONE_ERR_IO, "cannot write %s", f->path);
    f->pending.length = 0;
    return HONE_OK;
}
