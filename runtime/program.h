/* The integer program: a quantized network as data. The exporter builds one, every writer (.hone,
 * C source, ...) consumes it, the runtime executes it.
 *
 * A .hone file is these structs, little-endian, one after the other: docs/FORMAT.md spells out
 * every byte. All fields have a fixed width and there is no padding, so memory and file are the
 * same thing and the runtime runs straight from flash or from a mapped file.
 *
 *     +--------+---------------+---------+-----+------------------------+---------+
 *     | header | section table | tensors | ops | constants (weights...) | strings |
 *     +--------+---------------+---------+-----+------------------------+---------+   16-aligned
 *
 * Conventions: tensors are int8, one image, NHWC; real value = scale * (code - zero_point). Ops
 * are listed in the order of execution; each tensor is written by one op (or is the program's
 * input) and lives at a fixed offset of the activation arena, planned offline. The numbers
 * (rounding, clamp) are those of fixed.h. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_RUNTIME_PROGRAM_H
#define HONE_RUNTIME_PROGRAM_H

#include <stdint.h>

#define HONE_RT_MAGIC   0x454e4f48u /* the bytes 'H' 'O' 'N' 'E' */
#define HONE_RT_VERSION 1u
#define HONE_RT_NONE    0xffffffffu /* no tensor, no name, no constant */

/* Sections and every constant start at a multiple of this. */
enum { HONE_RT_ALIGN = 16 };

/* Limits of a valid program: they keep every index, offset and sum of the runtime inside int32. */
enum {
    HONE_RT_MAX_DIM = 1 << 24,      /* h, w, c */
    HONE_RT_MAX_ELEMENTS = 1 << 24, /* h * w * c of a tensor, pads of its consumer included */
    HONE_RT_MAX_WINDOW = 255,       /* kernel, stride, dilation */
    HONE_RT_MAX_SPAN = 4096,        /* (kernel - 1) * dilation + 1 */
    HONE_RT_MAX_COUNT = 4096,       /* tensors; ops */
    HONE_RT_MAX_SECTIONS = 64,
    HONE_RT_MAX_BYTES = 1 << 30 /* a file; an activation arena */
};

/* What an op computes. acc is an exact int32, rescale and clamp are fixed.h's.
 *     CONV       acc = bias + sum (x - zx) * w over the taps inside the image
 *                w [out_c][kernel_h][kernel_w][in_c]; in groups: in_c / groups, and output channel o
 *                reads the input channels of part o / (out_c / groups) alone
 *     DEPTHWISE  the same, output channel o reads input channel o / multiplier
 *                w [kernel_h][kernel_w][out_c]
 *     DENSE      the input flattened to [h * w * c]; w [out_c][h * w * c]; output 1 x 1 x out_c
*     ADD        y = ((x1 - z1) * m1 + (x2 - z2) * m2 + 2^(k-1)) >> k, + zy; shapes equal; D31:
 *                HoneRtAddD31
 *     MEAN       acc = sum over h, w of (x - zx), per channel; output 1 x 1 x c
 *     MUL        acc = (x1 - z1) * (x2 - z2); x2 is of x1's shape or 1 x 1 x c
 *     TABLE      y = table[x + 128]: any function of one number
 *     SOFTMAX    over the channels of each pixel, see fixed.h
 * and those that keep the grid of what they read:
 *     MAXPOOL    the largest of the taps inside the image
 *     AVGPOOL    their average, see fixed.h
 *     CONCAT     the channels of up to 8 inputs, one input behind the other
 *     PAD        zx around the image, pad_top and so on
 *     UPSAMPLE   each pixel stride_h x stride_w times
 *     RESHAPE    the same codes as another shape */
enum {
    HONE_RT_OP_CONV = 1,
    HONE_RT_OP_DEPTHWISE = 2,
    HONE_RT_OP_DENSE = 3,
    HONE_RT_OP_ADD = 4,
    HONE_RT_OP_MEAN = 5,
    HONE_RT_OP_MUL = 6,
    HONE_RT_OP_MAXPOOL = 7,
    HONE_RT_OP_AVGPOOL = 8,
    HONE_RT_OP_TABLE = 9,
    HONE_RT_OP_CONCAT = 10,
    HONE_RT_OP_PAD = 11,
    HONE_RT_OP_UPSAMPLE = 12,
    HONE_RT_OP_SOFTMAX = 13,
    HONE_RT_OP_RESHAPE = 14
};

/* Inputs of an op: CONCAT's; the others have one or two. */
enum { HONE_RT_MAX_INPUTS = 8 };
/* Codes that an int8 can be, hence entries of a table. */
enum { HONE_RT_TABLE = 256 };

/* How weights are stored. */
enum { HONE_RT_WEIGHTS_INT8 = 0 /* reserved: 1 = two int4 per byte, 2 = codebook indices */ };

typedef struct HoneRtTensor { /* 32 bytes */
    uint32_t name;            /* offset in the strings, or HONE_RT_NONE */
    uint32_t h, w, c;         /* n is 1 */
    int32_t zero_point;       /* [-128, 127] */
    uint32_t scale_bits;      /* float32 bits of the scale: information, not used to run */
    uint32_t offset;          /* first byte in the activation arena */
    uint32_t reserved;        /* 0 */
} HoneRtTensor;

typedef struct HoneRtOp { /* 96 bytes */
    uint16_t kind;        /* HONE_RT_OP_... */
    uint16_t weight_type; /* HONE_RT_WEIGHTS_INT8 */
    uint32_t name;        /* offset in the strings, or HONE_RT_NONE */
    uint32_t inputs[2];   /* tensor ids; HONE_RT_NONE where there is none */
    uint32_t output;      /* tensor id */
    /* CONV, DEPTHWISE, MAXPOOL, AVGPOOL (dilation 1); PAD its pads, UPSAMPLE its strides; else 0. */
    uint16_t kernel_h, kernel_w;
    uint16_t stride_h, stride_w;
    uint16_t dilation_h, dilation_w;
    uint16_t pad_top, pad_left, pad_bottom, pad_right;
    uint16_t multiplier; /* DEPTHWISE: out_c / in_c */
    uint16_t groups;     /* CONV: 2 or more groups, 0 for one */
    /* Byte offsets in the constants, multiples of HONE_RT_ALIGN, or HONE_RT_NONE. */
    uint32_t weights; /* CONV, DEPTHWISE, DENSE: int8 in [-127, 127]; TABLE: int8[256] */
    uint32_t bias;    /* CONV, DEPTHWISE, DENSE: int32[out_c], or NONE for zeros */
    /* Multipliers of fixed.h, n of them: out_c; MEAN, MUL: 1; ADD: none (HONE_RT_NONE), in D31 3.
     * S24: n packed words; D31: n multipliers, then n shifts, int32. SOFTMAX: uint32[256] of
     * exponentials. Else NONE */
    uint32_t requant;
    int32_t lo, hi;       /* the activation: clamp of the output codes, -128 <= lo <= hi <= 127; all
                             codes from MAXPOOL on, where nothing is left to clamp */
    int32_t m1, m2, k;    /* ADD in S24: see HoneRtAdd; CONCAT: inputs 2 to 4; else 0 */
    uint32_t reserved[5]; /* CONCAT: inputs 5 to 7, 0, 0; else 0 */
} HoneRtOp;

/* One entry of the section table. A reader skips an unknown section unless it is required. */
typedef struct HoneRtSection { /* 16 bytes */
    uint32_t tag;              /* HONE_RT_SECTION_... */
    uint32_t flags;            /* HONE_RT_SECTION_REQUIRED or 0 */
    uint32_t offset;           /* from the first byte of the file, multiple of HONE_RT_ALIGN */
    uint32_t bytes;            /* without the padding that follows */
} HoneRtSection;

#define HONE_RT_TAG(a, b, c, d)                                                                    \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define HONE_RT_SECTION_TENSORS   HONE_RT_TAG('T', 'E', 'N', 'S')
#define HONE_RT_SECTION_OPS       HONE_RT_TAG('O', 'P', 'S', ' ')
#define HONE_RT_SECTION_CONSTANTS HONE_RT_TAG('C', 'O', 'N', 'S')
#define HONE_RT_SECTION_STRINGS   HONE_RT_TAG('S', 'T', 'R', 'S')
#define HONE_RT_SECTION_REQUIRED  1u

/* The first bytes of a file; the section table follows. */
typedef struct HoneRtHeader {  /* 48 bytes */
    uint32_t magic;            /* HONE_RT_MAGIC */
    uint32_t version;          /* HONE_RT_VERSION */
    uint32_t bytes;            /* of the whole file */
    uint32_t crc;              /* CRC-32 of the whole file with this field taken as 0 */
    uint32_t profile;          /* HONE_RT_S24 or HONE_RT_D31, of fixed.h */
    uint32_t input, output;    /* tensor ids */
    uint32_t activation_bytes; /* every tensor lies below it */
    uint32_t class_count;      /* elements of the output of a classifier, else 0 */
    uint32_t section_count;    /* entries of the section table */
    uint32_t reserved[2];      /* 0 */
} HoneRtHeader;

/* A program in memory. The arrays are borrowed: the exporter points them at its own, the runtime at
 * the file. Strings are zero-terminated UTF-8, the pool's last byte is 0. */
typedef struct HoneRtProgram {
    uint32_t profile;
    uint32_t input, output;
    uint32_t activation_bytes;
    uint32_t class_count;
    const HoneRtTensor *tensors;
    uint32_t tensor_count;
    const HoneRtOp *ops;
    uint32_t op_count;
    const uint8_t *constants;
    uint32_t constants_bytes;
    const char *strings;
    uint32_t strings_bytes;
} HoneRtProgram;

/* Groups of a CONV. */
static inline uint32_t hone_rt_groups(const HoneRtOp *op)
{
    return op->groups == 0 ? 1 : op->groups;
}

/* h * w * c. */
static inline uint32_t hone_rt_elements(const HoneRtTensor *t)
{
    return t->h * t->w * t->c;
}

/* Input i of an op, i < HONE_RT_MAX_INPUTS; HONE_RT_NONE where it has none. */
static inline uint32_t hone_rt_op_input(const HoneRtOp *op, int i)
{
    const uint32_t more[] = {(uint32_t)op->m1, (uint32_t)op->m2, (uint32_t)op->k,
                             op->reserved[0],  op->reserved[1],  op->reserved[2]};
    if (i < 2)
        return op->inputs[i];
    return op->kind == HONE_RT_OP_CONCAT ? more[i - 2] : HONE_RT_NONE;
}

/* Whether an op reads each code before it writes that of the same place, and no other. */
static inline int hone_rt_op_in_place(const HoneRtOp *op)
{
    return op->kind == HONE_RT_OP_ADD || op->kind == HONE_RT_OP_MUL ||
           op->kind == HONE_RT_OP_TABLE || op->kind == HONE_RT_OP_RESHAPE;
}

/* The zero-terminated name at a string offset; "" for HONE_RT_NONE. */
static inline const char *hone_rt_string(const HoneRtProgram *p, uint32_t offset)
{
    return offset == HONE_RT_NONE ? "" : p->strings + offset;
}

#endif
