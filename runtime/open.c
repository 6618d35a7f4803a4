/* Opening a model: the file's header and section table, and what an open model tells. The program
 * inside is check.c's business. SPDX-License-Identifier: Apache-2.0 */
#include "crc.h"
#include "internal.h"
#include "libc.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the runtime reads little-endian files in place: it needs a little-endian machine"
#endif

/* The records are read in place: no padding may creep in. */
typedef char header_is_48_bytes[sizeof(HoneRtHeader) == 48 ? 1 : -1];
typedef char section_is_16_bytes[sizeof(HoneRtSection) == 16 ? 1 : -1];
typedef char tensor_is_32_bytes[sizeof(HoneRtTensor) == 32 ? 1 : -1];
typedef char op_is_96_bytes[sizeof(HoneRtOp) == 96 ? 1 : -1];

enum { BLOB_ALIGN = 4 };

const char *hone_rt_status_text(HoneRtStatus status)
{
    static const char *const texts[] = {
#define HONE_RT_STATUS_TEXT(name, text) text,
        HONE_RT_STATUSES(HONE_RT_STATUS_TEXT)
#undef HONE_RT_STATUS_TEXT
    };
    const size_t index = (size_t)status;
    return index < sizeof texts / sizeof texts[0] ? texts[index] : "unknown status";
}

/* Whether a file of our kind is there as a whole. */
static HoneRtStatus check_whole(const void *blob, size_t bytes, HoneRtHeader *h)
{
    if (blob == NULL || (uintptr_t)blob % BLOB_ALIGN != 0)
        return HONE_RT_ERR_ALIGNMENT;
    if (bytes < sizeof *h)
        return HONE_RT_ERR_TRUNCATED;
    memcpy(h, blob, sizeof *h);
    if (h->magic != HONE_RT_MAGIC)
        return HONE_RT_ERR_MAGIC;
    if (h->version != HONE_RT_VERSION)
        return HONE_RT_ERR_VERSION;
    if (h->bytes < sizeof *h || h->bytes > bytes)
        return HONE_RT_ERR_TRUNCATED;
    return hone_rt_file_crc(blob, h->bytes) == h->crc ? HONE_RT_OK : HONE_RT_ERR_CRC;
}

static HoneRtStatus check_header(const void *blob, size_t bytes, HoneRtHeader *h)
{
    const HoneRtStatus status = check_whole(blob, bytes, h);
    if (status != HONE_RT_OK)
        return status;
    if (h->bytes > HONE_RT_MAX_BYTES || h->reserved[0] != 0 || h->reserved[1] != 0)
        return HONE_RT_ERR_HEADER;
    if (h->section_count > HONE_RT_MAX_SECTIONS ||
        h->section_count * sizeof(HoneRtSection) > h->bytes - sizeof *h)
        return HONE_RT_ERR_SECTION;
    return HONE_RT_OK;
}

/* The sections of a program, and where each was found. */
enum { TENSORS, OPS, CONSTANTS, STRINGS, KNOWN };

typedef struct SectionKind {
    uint32_t tag;
    uint32_t record_bytes; /* the section holds a whole number of them */
} SectionKind;

static const SectionKind kinds[KNOWN] = {
    {HONE_RT_SECTION_TENSORS, sizeof(HoneRtTensor)},
    {HONE_RT_SECTION_OPS, sizeof(HoneRtOp)},
    {HONE_RT_SECTION_CONSTANTS, 1},
    {HONE_RT_SECTION_STRINGS, 1},
};

/* One section that starts at or after *end, which it moves. */
static HoneRtStatus check_section(const HoneRtSection *s, uint32_t file_bytes, uint32_t *end,
                                  const HoneRtSection *found[KNOWN])
{
    int kind = 0;
    if (s->offset % HONE_RT_ALIGN != 0 || s->offset < *end || s->offset > file_bytes ||
        s->bytes > file_bytes - s->offset || s->flags > HONE_RT_SECTION_REQUIRED)
        return HONE_RT_ERR_SECTION;
    *end = s->offset + s->bytes;
    while (kind < KNOWN && kinds[kind].tag != s->tag)
        kind++;
    if (kind == KNOWN)
        return s->flags == HONE_RT_SECTION_REQUIRED ? HONE_RT_ERR_SECTION : HONE_RT_OK;
    if (found[kind] != NULL || s->bytes % kinds[kind].record_bytes != 0)
        return HONE_RT_ERR_SECTION;
    found[kind] = s;
    return HONE_RT_OK;
}

static HoneRtStatus find_sections(const uint8_t *file, const HoneRtHeader *h,
                                  const HoneRtSection *found[KNOWN])
{
    const HoneRtSection *table = (const HoneRtSection *)(const void *)(file + sizeof *h);
    uint32_t end = (uint32_t)(sizeof *h + h->section_count * sizeof *table);
    for (uint32_t i = 0; i < h->section_count; i++) {
        const HoneRtStatus status = check_section(&table[i], h->bytes, &end, found);
        if (status != HONE_RT_OK)
            return status;
    }
    for (int kind = 0; kind < KNOWN; kind++)
        if (found[kind] == NULL)
            return HONE_RT_ERR_SECTION;
    return HONE_RT_OK;
}

/* The program inside a checked file. */
static HoneRtProgram view(const uint8_t *file, const HoneRtHeader *h,
                          const HoneRtSection *const found[KNOWN])
{
    HoneRtProgram p;
    p.profile = h->profile;
    p.input = h->input;
    p.output = h->output;
    p.activation_bytes = h->activation_bytes;
    p.class_count = h->class_count;
    p.tensors = (const HoneRtTensor *)(const void *)(file + found[TENSORS]->offset);
    p.tensor_count = found[TENSORS]->bytes / kinds[TENSORS].record_bytes;
    p.ops = (const HoneRtOp *)(const void *)(file + found[OPS]->offset);
    p.op_count = found[OPS]->bytes / kinds[OPS].record_bytes;
    p.constants = file + found[CONSTANTS]->offset;
    p.constants_bytes = found[CONSTANTS]->bytes;
    p.strings = (const char *)(file + found[STRINGS]->offset);
    p.strings_bytes = found[STRINGS]->bytes;
    return p;
}

HoneRtStatus hone_rt_open(HoneRtModel *model, const void *blob, size_t bytes,
                          const HoneRtKernels *kernels)
{
    const HoneRtSection *found[KNOWN] = {NULL, NULL, NULL, NULL};
    HoneRtHeader h;
    HoneRtStatus status;
    memset(model, 0, sizeof *model);
    status = check_header(blob, bytes, &h);
    if (status == HONE_RT_OK)
        status = find_sections(blob, &h, found);
    if (status == HONE_RT_OK) {
        const HoneRtProgram program = view(blob, &h, found);
        status = hone_rt_open_program(model, &program, kernels);
    }
    return status;
}

const void *hone_rt_section(const void *blob, uint32_t tag, size_t *bytes)
{
    const HoneRtHeader *h = blob;
    const HoneRtSection *table = (const HoneRtSection *)(const void *)(h + 1);
    *bytes = 0;
    for (uint32_t i = 0; i < h->section_count; i++)
        if (table[i].tag == tag) {
            *bytes = table[i].bytes;
            return (const uint8_t *)blob + table[i].offset;
        }
    return NULL;
}

HoneRtStatus hone_rt_open_program(HoneRtModel *model, const HoneRtProgram *program,
                                  const HoneRtKernels *kernels)
{
    const HoneRtStatus status = hone_rt_check_program(program);
    memset(model, 0, sizeof *model);
    if (status == HONE_RT_OK) {
        model->program = *program;
        model->kernels = kernels;
    }
    return status;
}

const HoneRtTensor *hone_rt_input(const HoneRtModel *model)
{
    const HoneRtProgram *p = &model->program;
    return p->tensors == NULL ? NULL : &p->tensors[p->input];
}

const HoneRtTensor *hone_rt_output(const HoneRtModel *model)
{
    const HoneRtProgram *p = &model->program;
    return p->tensors == NULL ? NULL : &p->tensors[p->output];
}

const char *hone_rt_op_name(const HoneRtModel *model, uint32_t op)
{
    const HoneRtProgram *p = &model->program;
    return op < p->op_count ? hone_rt_string(p, p->ops[op].name) : "";
}

const char *hone_rt_tensor_name(const HoneRtModel *model, uint32_t tensor)
{
    const HoneRtProgram *p = &model->program;
    return tensor < p->tensor_count ? hone_rt_string(p, p->tensors[tensor].name) : "";
}

uint32_t hone_rt_argmax(const int8_t *codes, uint32_t n)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (codes[i] > codes[best])
            best = i;
    return best;
}
