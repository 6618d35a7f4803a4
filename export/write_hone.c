/* Writing .hone: see write_hone.h. Sections follow the header in the order tensors, ops, constants,
 * strings, then the optional ones; each starts at a multiple of 16 and the gaps are zero.
 * SPDX-License-Identifier: Apache-2.0 */
#include "export/write_hone.h"

#include "runtime/runtime.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The structs of program.h are the file; that holds where numbers are little-endian. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the writer copies little-endian structs");
_Static_assert(sizeof(HoneRtHeader) == 48 && sizeof(HoneRtSection) == 16 &&
                   sizeof(HoneRtTensor) == 32 && sizeof(HoneRtOp) == 96,
               "the structs have the sizes of the format");

enum { SECTIONS = 4, SECTIONS_MAX = SECTIONS + WRITE_SECTIONS_MAX };

static size_t round_up(size_t n)
{
    return (n + HONE_RT_ALIGN - 1) / HONE_RT_ALIGN * HONE_RT_ALIGN;
}

/* CRC-32 of IEEE 802.3 (reflected polynomial edb88320), bit by bit: a file is written once. */
static uint32_t crc32_of(const unsigned char *bytes, size_t count)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1u)));
    }
    return ~crc;
}

/* Has the runtime look at what was written, as it will when the file is opened. */
static int check(const unsigned char *bytes, size_t count, Error *e)
{
    HoneRtModel model;
    HoneRtStatus status = hone_rt_open(&model, bytes, count, &hone_rt_kernels_ref);
    if (status == HONE_RT_OK)
        return HONE_OK;
    return error_set(e, HONE_ERR_DATA, "the runtime refuses the written artifact: %s",
                     hone_rt_status_text(status));
}

/* The sections of a file: the program's, which are required, and then the others. */
typedef struct Sections {
    WriteSection part[SECTIONS_MAX];
    HoneRtSection table[SECTIONS_MAX];
    uint32_t count;
    size_t end; /* of the file */
} Sections;

static void lay_out(Sections *s, const HoneRtProgram *p, const WriteSection *extra, size_t count)
{
    assert(count <= WRITE_SECTIONS_MAX);
    *s = (Sections){
        .part = {{HONE_RT_SECTION_TENSORS, p->tensors, p->tensor_count * sizeof *p->tensors},
                 {HONE_RT_SECTION_OPS, p->ops, p->op_count * sizeof *p->ops},
                 {HONE_RT_SECTION_CONSTANTS, p->constants, p->constants_bytes},
                 {HONE_RT_SECTION_STRINGS, p->strings, p->strings_bytes}},
        .count = SECTIONS};
    for (size_t i = 0; i < count; i++)
        if (extra[i].bytes > 0)
            s->part[s->count++] = extra[i];
    s->end = round_up(sizeof(HoneRtHeader) + s->count * sizeof(HoneRtSection));
    for (uint32_t i = 0; i < s->count; i++) {
        s->table[i] = (HoneRtSection){s->part[i].tag, i < SECTIONS ? HONE_RT_SECTION_REQUIRED : 0,
                                      (uint32_t)s->end, (uint32_t)s->part[i].bytes};
        s->end = round_up(s->end + s->part[i].bytes);
    }
}

int write_hone_bytes(const HoneRtProgram *program, const WriteSection *extra, size_t extra_count,
                     unsigned char **bytes, size_t *count, Error *e)
{
    Sections s;
    *bytes = NULL;
    *count = 0;
    lay_out(&s, program, extra, extra_count);
    size_t total = s.end;
    unsigned char *file = calloc(1, total);
    if (!file)
        return error_memory(e, "an artifact", total);
    HoneRtHeader header = {.magic = HONE_RT_MAGIC,
                           .version = HONE_RT_VERSION,
                           .bytes = (uint32_t)total,
                           .profile = program->profile,
                           .input = program->input,
                           .output = program->output,
                           .activation_bytes = program->activation_bytes,
                           .class_count = program->class_count,
                           .section_count = s.count};
    memcpy(file, &header, sizeof header);
    memcpy(file + sizeof header, s.table, s.count * sizeof *s.table);
    for (uint32_t i = 0; i < s.count; i++)
        if (s.part[i].bytes > 0)
            memcpy(file + s.table[i].offset, s.part[i].data, s.part[i].bytes);
    header.crc = crc32_of(file, total); /* the field itself is still zero */
    memcpy(file, &header, sizeof header);
    int status = check(file, total, e);
    if (status != HONE_OK) {
        free(file);
        return status;
    }
    *bytes = file;
    *count = total;
    return HONE_OK;
}
