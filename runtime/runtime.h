/* Runs a .hone model: integers only, in the caller's memory.
 *
 *     static HoneRtModel model;
 *     int status = hone_rt_open(&model, blob, blob_bytes, &hone_rt_kernels_ref);
 *     if (status != HONE_RT_OK) return hone_rt_status_text(status);
 *     if (hone_rt_prepare(&model, arena, sizeof arena) != HONE_RT_OK) ... arena too small ...
 *     hone_rt_run(&model, pixels, logits);                 // as often as you like
 *     class = hone_rt_argmax(logits, hone_rt_output(&model)->c);
 *
 * Opening checks everything, so that running cannot go wrong: a truncated, corrupt or hostile file
 * gets a status, never a crash. No malloc, no float, no stdio, nothing global is written; compiles
 * with -std=c99 -ffreestanding and needs memcpy and memset. To build: this folder's open.c, crc.c,
 * check.c, check_op.c, check_layers.c, check_parts.c, run.c, run_layers.c, kernels_ref.c and
 * kernels_layers_ref.c; hosts add host.c and the other kernels_*.c; models of sounds frontend.c.
 *
 * The blob (flash, mapped file, array) starts at a multiple of 4 and stays unchanged for as long
 * as the model is used. A model belongs to one thread at a time; several models may share a blob.
 * Input and output are int8 codes, NHWC, one image; real = scale * (code - zero_point) with the
 * scale and zero point of hone_rt_input and hone_rt_output. For images the code is pixel - 128.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_RUNTIME_RUNTIME_H
#define HONE_RUNTIME_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#include "kernels.h"
#include "program.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_RT_STATUSES(X)                                                                        \
    X(OK, "no error")                                                                              \
    X(ERR_ALIGNMENT, "the model does not start at a multiple of 4")                                \
    X(ERR_TRUNCATED, "the file is shorter than it says, or than its header")                       \
    X(ERR_MAGIC, "not a .hone file")                                                               \
    X(ERR_VERSION, "a format version this runtime does not know")                                  \
    X(ERR_CRC, "the checksum is wrong: the file is damaged")                                       \
    X(ERR_SECTION, "a section is missing, misplaced, of a wrong size or required and unknown")     \
    X(ERR_HEADER, "a header field is out of range")                                                \
    X(ERR_TENSOR, "a tensor is out of range")                                                      \
    X(ERR_OP, "an op is unknown or one of its fields is out of range")                             \
    X(ERR_SHAPE, "the shapes around an op do not fit")                                             \
    X(ERR_CONSTANT, "an op's weights, bias or multipliers are misplaced or out of range")          \
    X(ERR_OVERFLOW, "an accumulator could overflow")                                               \
    X(ERR_ORDER, "a tensor is used before it is written, or written twice")                        \
    X(ERR_OVERLAP, "tensors that live at the same time overlap in the arena")                      \
    X(ERR_ARENA, "the arena is too small")                                                         \
    X(ERR_FRONTEND, "a field or a table of the audio front end is out of range")                   \
    X(ERR_STATE, "the model is not open or not prepared")

typedef enum HoneRtStatus {
#define HONE_RT_STATUS_ENUM(name, text) HONE_RT_##name,
    HONE_RT_STATUSES(HONE_RT_STATUS_ENUM)
#undef HONE_RT_STATUS_ENUM
} HoneRtStatus;

/* An open model. The fields are the runtime's; a zeroed model is closed. */
typedef struct HoneRtModel {
    HoneRtProgram program;
    const HoneRtKernels *kernels;
    uint8_t *activations; /* NULL until prepared */
    uint8_t *scratch;
    uint32_t *places; /* of each op's weights in packed, in units of 64 bytes */
    uint8_t *packed;  /* weights in the kernels' form, op after op */
} HoneRtModel;

/* One sentence, a constant; "unknown status" for anything else. */
const char *hone_rt_status_text(HoneRtStatus status);

/* Checks blob[bytes] completely and opens it; *model then points into it. bytes may exceed the
 * file's own length (flash pages). kernels is one of the tables of kernels.h. Owns nothing: there
 * is no close. On failure the model is closed (zeroed). */
HoneRtStatus hone_rt_open(HoneRtModel *model, const void *blob, size_t bytes,
                          const HoneRtKernels *kernels);

/* The bytes of an optional section (a tag made by HONE_RT_TAG) in a file that hone_rt_open
 * accepted, and their number; NULL and 0 where the file has none. They start at a multiple of 16 of
 * the blob. */
const void *hone_rt_section(const void *blob, uint32_t tag, size_t *bytes);

/* As hone_rt_open for a program in memory, as the exporter builds it: checks all but file matters.
 * The arrays must outlive the model; tensors, ops and constants start at multiples of 4. */
HoneRtStatus hone_rt_open_program(HoneRtModel *model, const HoneRtProgram *program,
                                  const HoneRtKernels *kernels);

/* Bytes of arena the model needs with its kernels: activations, scratch and packed weights, plus
 * what aligning them takes; 0 for a closed model or when it would exceed SIZE_MAX. */
size_t hone_rt_arena_bytes(const HoneRtModel *model);

/* Divides the arena and packs the weights into it. The arena is the caller's, at any address, used
 * by this model only until it is no longer run. HONE_RT_ERR_ARENA when it is too small. */
HoneRtStatus hone_rt_prepare(HoneRtModel *model, void *arena, size_t bytes);

/* Called after each op: its index, its output tensor's id and codes, n = h * w * c of them. */
typedef void (*HoneRtTrace)(void *context, uint32_t op, uint32_t tensor, const int8_t *data,
                            size_t n);

/* Runs one image. input [h][w][c] codes or NULL when they were written to hone_rt_input_codes;
 * output [h][w][c] codes or NULL to read them at hone_rt_output_codes. Any alignment. */
HoneRtStatus hone_rt_run(HoneRtModel *model, const int8_t *input, int8_t *output);

/* As hone_rt_run, and shows every intermediate tensor: finds the first layer that differs. */
HoneRtStatus hone_rt_run_traced(HoneRtModel *model, const int8_t *input, int8_t *output,
                                HoneRtTrace trace, void *context);

/* For hosts with threads: a run is its ops in order, and an op is its rows in any order, by anybody.
 * hone_rt_rows: rows that an op can be divided into, 1 where it cannot; 0 for an index too large.
 * hone_rt_run_rows: rows [begin, end) of an op, 0 <= begin <= end <= hone_rt_rows. The model is
 * prepared; concurrent calls have scratches of their own, of hone_rt_scratch_bytes, any alignment. */
int hone_rt_rows(const HoneRtModel *model, uint32_t op);
size_t hone_rt_scratch_bytes(const HoneRtModel *model);
void hone_rt_run_rows(const HoneRtModel *model, uint32_t op, int begin, int end, void *scratch);

/* Where a prepared model reads its input and leaves its output, in the arena; NULL otherwise. The
 * input is valid from writing to running (running overwrites it), the output until the next run. */
int8_t *hone_rt_input_codes(HoneRtModel *model);
const int8_t *hone_rt_output_codes(const HoneRtModel *model);

/* Shape, zero point and scale of the input and the output of an open model. */
const HoneRtTensor *hone_rt_input(const HoneRtModel *model);
const HoneRtTensor *hone_rt_output(const HoneRtModel *model);

/* Names of an op and of a tensor; "" where there is none or the index is too large. */
const char *hone_rt_op_name(const HoneRtModel *model, uint32_t op);
const char *hone_rt_tensor_name(const HoneRtModel *model, uint32_t tensor);

/* Index of the largest of n >= 1 codes; the lowest index among equals. */
uint32_t hone_rt_argmax(const int8_t *codes, uint32_t n);

#ifdef __cplusplus
}
#endif

#endif
