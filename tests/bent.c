/* Programs to be bent: see bent.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/bent.h"

#include "runtime/crc.h"

#include <stdlib.h>
#include <string.h>

#define LARGEST_ARENA ((size_t)1 << 22)

void bent_init(Bent *b, const uint8_t *file, size_t bytes)
{
    HoneRtModel model;
    b->file = malloc(bytes);
    ck_assert_ptr_nonnull(b->file);
    memcpy(b->file, file, bytes);
    ck_assert_int_eq(hone_rt_open(&model, b->file, bytes, &hone_rt_kernels_ref), HONE_RT_OK);
    b->p = model.program;
    ck_assert(b->p.tensor_count <= BENT_ROOM && b->p.op_count <= BENT_ROOM);
    memcpy(b->tensors, b->p.tensors, b->p.tensor_count * sizeof b->tensors[0]);
    memcpy(b->ops, b->p.ops, b->p.op_count * sizeof b->ops[0]);
    b->constants = malloc(b->p.constants_bytes);
    ck_assert_ptr_nonnull(b->constants);
    memcpy(b->constants, b->p.constants, b->p.constants_bytes);
    b->p.tensors = b->tensors;
    b->p.ops = b->ops;
    b->p.constants = b->constants;
}

void bent_release(Bent *b)
{
    free(b->constants);
    free(b->file);
}

HoneRtStatus bent_open(const Bent *b)
{
    HoneRtModel model;
    const HoneRtStatus status = hone_rt_open_program(&model, &b->p, &hone_rt_kernels_ref);
    ck_assert((status == HONE_RT_OK) == (model.kernels != NULL));
    return status;
}

void bent_repair_crc(uint8_t *file, size_t bytes)
{
    const uint32_t crc = hone_rt_file_crc(file, bytes);
    memcpy(file + offsetof(HoneRtHeader, crc), &crc, sizeof crc);
}

void bent_run_any(HoneRtModel *model)
{
    const size_t bytes = hone_rt_arena_bytes(model);
    ck_assert_uint_gt(bytes, 0);
    if (bytes > LARGEST_ARENA)
        return;
    void *arena = malloc(bytes);
    ck_assert_ptr_nonnull(arena);
    ck_assert_int_eq(hone_rt_prepare(model, arena, bytes), HONE_RT_OK);
    memset(hone_rt_input_codes(model), 1, hone_rt_elements(hone_rt_input(model)));
    ck_assert_int_eq(hone_rt_run(model, NULL, NULL), HONE_RT_OK);
    free(arena);
}

int bent_flip_every_bit(const uint8_t *file, size_t bytes, const HoneRtKernels *k)
{
    uint8_t *copy = malloc(bytes);
    int opened = 0;
    ck_assert_ptr_nonnull(copy);
    for (size_t bit = 0; bit < 8 * bytes; bit++) {
        HoneRtModel model;
        memcpy(copy, file, bytes);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        bent_repair_crc(copy, bytes);
        if (hone_rt_open(&model, copy, bytes, k) == HONE_RT_OK) {
            opened++;
            bent_run_any(&model);
        }
    }
    free(copy);
    return opened;
}
