/* Tests of runtime/: the oracle's model runs bit for bit at every kernel level; damaged and hostile
 * files are refused or run harmlessly, never crash (meaningful under the address sanitizer); and
 * each rule of check.c and check_op.c refuses what it is there for.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runtime/crc.h"
#include "runtime/runtime.h"
#include "tests/bent.h"
#include "tests/levels.h"
#include "tests/oracle/fixtures.h"
#include "tests/suites.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* ---- helpers -------------------------------------------------------------------------------- */

/* A copy of `bytes` bytes of the oracle's file in a heap block of just that size. */
static uint8_t *copy_file(size_t bytes)
{
    uint8_t *copy = malloc(bytes > 0 ? bytes : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, model_file, bytes);
    return copy;
}

enum { X, A, D, P, S, V, Y };                          /* its tensors */
enum { STEM, DEPTHWISE, PROJECT, JOIN, POOL, LOGITS }; /* its ops */

/* ---- running -------------------------------------------------------------------------------- */

static const int8_t *const layer_codes[] = {model_a, model_d, model_p, model_s, model_v, model_y};
static const size_t layer_bytes[] = {sizeof model_a, sizeof model_d, sizeof model_p,
                                     sizeof model_s, sizeof model_v, sizeof model_y};

static void compare_layer(void *context, uint32_t op, uint32_t tensor, const int8_t *data, size_t n)
{
    uint32_t *seen = context;
    ck_assert_uint_eq(op, *seen);
    ck_assert_uint_eq(tensor, op + 1);
    ck_assert_uint_eq(n, layer_bytes[op]);
    ck_assert_msg(memcmp(data, layer_codes[op], n) == 0, "op %u differs from the oracle", op);
    ++*seen;
}

START_TEST(every_layer_equals_oracle)
{
    const HoneRtKernels *k = hone_rt_kernels_for_host(levels[_i]);
    if (k == NULL)
        return;
    uint8_t *file = copy_file(sizeof model_file);
    HoneRtModel model;
    ck_assert_int_eq(hone_rt_open(&model, file, sizeof model_file, k), HONE_RT_OK);
    const size_t bytes = hone_rt_arena_bytes(&model);
    for (size_t skew = 0; skew < 3; skew++) { /* the arena may lie anywhere */
        char *arena = malloc(bytes + skew);
        int8_t y[sizeof model_y];
        uint32_t seen = 0;
        ck_assert_ptr_nonnull(arena);
        ck_assert_int_eq(hone_rt_prepare(&model, arena + skew, bytes), HONE_RT_OK);
        for (int again = 0; again < 2; again++, seen = 0) {
            ck_assert_int_eq(hone_rt_run_traced(&model, model_x, y, compare_layer, &seen),
                             HONE_RT_OK);
            ck_assert_uint_eq(seen, COUNT(layer_codes));
            ck_assert_mem_eq(y, model_y, sizeof y);
        }
        free(arena);
    }
    free(file);
}
END_TEST

/* Row by row from the last to the first, in a scratch of one's own. */
START_TEST(rows_in_any_order)
{
    const HoneRtKernels *k = hone_rt_kernels_for_host(levels[_i]);
    if (k == NULL)
        return;
    uint8_t *file = copy_file(sizeof model_file);
    HoneRtModel model;
    ck_assert_int_eq(hone_rt_open(&model, file, sizeof model_file, k), HONE_RT_OK);
    const size_t bytes = hone_rt_arena_bytes(&model), scratch_bytes = hone_rt_scratch_bytes(&model);
    char *arena = malloc(bytes), *scratch = malloc(scratch_bytes + 1);
    ck_assert(arena != NULL && scratch != NULL);
    ck_assert_int_eq(hone_rt_prepare(&model, arena, bytes), HONE_RT_OK);
    memcpy(hone_rt_input_codes(&model), model_x, sizeof model_x);
    for (uint32_t op = 0; op < model.program.op_count; op++) {
        const HoneRtTensor *y = &model.program.tensors[model.program.ops[op].output];
        const int rows = hone_rt_rows(&model, op);
        ck_assert_int_eq(rows, (int)y->h); /* means and dense layers have one */
        for (int row = rows; row > 0; row--)
            hone_rt_run_rows(&model, op, row - 1, row, scratch + 1);
        hone_rt_run_rows(&model, op, rows, rows, scratch + 1); /* none */
        ck_assert_mem_eq(model.activations + y->offset, layer_codes[op], layer_bytes[op]);
    }
    ck_assert_int_eq(hone_rt_rows(&model, model.program.op_count), 0);
    free(arena);
    free(scratch);
    free(file);
}
END_TEST

START_TEST(codes_in_place)
{
    uint8_t *file = copy_file(sizeof model_file);
    HoneRtModel model;
    ck_assert_int_eq(hone_rt_open(&model, file, sizeof model_file, &hone_rt_kernels_ref),
                     HONE_RT_OK);
    ck_assert_ptr_null(hone_rt_input_codes(&model));
    ck_assert_ptr_null(hone_rt_output_codes(&model));
    const size_t bytes = hone_rt_arena_bytes(&model);
    void *arena = malloc(bytes);
    ck_assert_ptr_nonnull(arena);
    ck_assert_int_eq(hone_rt_prepare(&model, arena, bytes), HONE_RT_OK);
    memcpy(hone_rt_input_codes(&model), model_x, sizeof model_x);
    ck_assert_int_eq(hone_rt_run(&model, NULL, NULL), HONE_RT_OK);
    ck_assert_mem_eq(hone_rt_output_codes(&model), model_y, sizeof model_y);
    free(arena);
    free(file);
}
END_TEST

START_TEST(accessors)
{
    uint8_t *file = copy_file(sizeof model_file);
    HoneRtModel model;
    ck_assert_int_eq(hone_rt_open(&model, file, sizeof model_file, &hone_rt_kernels_ref),
                     HONE_RT_OK);
    ck_assert_uint_eq(hone_rt_input(&model)->h, 9);
    ck_assert_uint_eq(hone_rt_input(&model)->w, 8);
    ck_assert_uint_eq(hone_rt_input(&model)->c, 3);
    ck_assert_uint_eq(hone_rt_input(&model)->scale_bits, 0x3d4ccccdu); /* 0.05 */
    ck_assert_int_eq(hone_rt_output(&model)->zero_point, 7);
    ck_assert_uint_eq(model.program.class_count, 10);
    ck_assert_str_eq(hone_rt_op_name(&model, STEM), "stem");
    ck_assert_str_eq(hone_rt_op_name(&model, LOGITS), "logits");
    ck_assert_str_eq(hone_rt_op_name(&model, 6), "");
    ck_assert_str_eq(hone_rt_tensor_name(&model, S), "s");
    ck_assert_str_eq(hone_rt_tensor_name(&model, HONE_RT_NONE), "");
    free(file);
}
END_TEST

START_TEST(wrong_use)
{
    uint8_t *file = copy_file(sizeof model_file);
    HoneRtModel model = {0};
    int8_t y[sizeof model_y];
    char arena[8];
    ck_assert_uint_eq(hone_rt_arena_bytes(&model), 0);
    ck_assert_ptr_null(hone_rt_input(&model));
    ck_assert_ptr_null(hone_rt_output(&model));
    ck_assert_int_eq(hone_rt_prepare(&model, arena, sizeof arena), HONE_RT_ERR_STATE);
    ck_assert_int_eq(hone_rt_run(&model, model_x, y), HONE_RT_ERR_STATE);
    ck_assert_int_eq(hone_rt_open(&model, file, sizeof model_file, &hone_rt_kernels_ref),
                     HONE_RT_OK);
    ck_assert_int_eq(hone_rt_run(&model, model_x, y), HONE_RT_ERR_STATE);
    ck_assert_int_eq(hone_rt_prepare(&model, arena, sizeof arena), HONE_RT_ERR_ARENA);
    ck_assert_int_eq(hone_rt_prepare(&model, NULL, (size_t)1 << 30), HONE_RT_ERR_ARENA);
    ck_assert_int_eq(hone_rt_run(&model, model_x, y), HONE_RT_ERR_STATE);
    free(file);
}
END_TEST

START_TEST(argmax_and_texts)
{
    static const int8_t codes[] = {-3, 5, 5, -128};
    ck_assert_uint_eq(hone_rt_argmax(codes, 4), 1);
    ck_assert_uint_eq(hone_rt_argmax(codes, 1), 0);
    ck_assert_str_eq(hone_rt_status_text(HONE_RT_OK), "no error");
    ck_assert_str_eq(hone_rt_status_text((HoneRtStatus)99), "unknown status");
    ck_assert_uint_eq(hone_rt_crc32(0, "123456789", 9),
                      0xcbf43926u); /* the published check value */
}
END_TEST

/* ---- damaged files -------------------------------------------------------------------------- */

START_TEST(every_truncation_is_refused)
{
    for (size_t bytes = 0; bytes < sizeof model_file; bytes++) {
        uint8_t *file = copy_file(bytes);
        HoneRtModel model;
        ck_assert_int_eq(hone_rt_open(&model, file, bytes, &hone_rt_kernels_ref),
                         HONE_RT_ERR_TRUNCATED);
        ck_assert_ptr_null(model.kernels);
        free(file);
    }
}
END_TEST

START_TEST(every_flipped_bit_is_refused)
{
    uint8_t *file = copy_file(sizeof model_file);
    for (size_t bit = 0; bit < 8 * sizeof model_file; bit++) {
        HoneRtModel model;
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (hone_rt_open(&model, file, sizeof model_file, &hone_rt_kernels_ref) == HONE_RT_OK)
            ck_abort_msg("bit %zu flipped and accepted", bit);
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free(file);
}
END_TEST

/* With the checksum made right again, a flipped bit may give a valid file: that one must run. */
START_TEST(every_flipped_bit_is_harmless)
{
    const HoneRtKernels *k = hone_rt_kernels_for_host(levels[_i]);
    if (k != NULL) /* weights, scales, names may change */
        ck_assert_int_gt(bent_flip_every_bit(model_file, sizeof model_file, k), 1000);
}
END_TEST

START_TEST(header_rules)
{
    static const struct {
        size_t at;
        uint32_t value;
        HoneRtStatus want;
    } cases[] = {
        {offsetof(HoneRtHeader, magic), 0x0a464448u, HONE_RT_ERR_MAGIC},
        {offsetof(HoneRtHeader, version), 2, HONE_RT_ERR_VERSION},
        {offsetof(HoneRtHeader, bytes), 47, HONE_RT_ERR_TRUNCATED},
        {offsetof(HoneRtHeader, profile), HONE_RT_D31, HONE_RT_ERR_CONSTANT},
        {offsetof(HoneRtHeader, profile), 2, HONE_RT_ERR_HEADER},
        {offsetof(HoneRtHeader, input), 7, HONE_RT_ERR_HEADER},
        {offsetof(HoneRtHeader, output), 7, HONE_RT_ERR_HEADER},
        {offsetof(HoneRtHeader, activation_bytes), 719, HONE_RT_ERR_TENSOR},
        {offsetof(HoneRtHeader, activation_bytes), 0x7fffffff, HONE_RT_ERR_HEADER},
        {offsetof(HoneRtHeader, class_count), 9, HONE_RT_ERR_HEADER},
        {offsetof(HoneRtHeader, section_count), 3, HONE_RT_ERR_SECTION},
        {offsetof(HoneRtHeader, section_count), 0xffffffffu, HONE_RT_ERR_SECTION},
        {offsetof(HoneRtHeader, reserved), 1, HONE_RT_ERR_HEADER},
        {sizeof(HoneRtHeader), HONE_RT_TAG('T', 'E', 'N', 'X'), HONE_RT_ERR_SECTION},
        {sizeof(HoneRtHeader), HONE_RT_SECTION_OPS, HONE_RT_ERR_SECTION},
        {sizeof(HoneRtHeader) + 8, 0, HONE_RT_ERR_SECTION},
        {sizeof(HoneRtHeader) + 12, 33, HONE_RT_ERR_SECTION},
        {sizeof(HoneRtHeader) + 4 * 16 + 4, HONE_RT_SECTION_REQUIRED, HONE_RT_ERR_SECTION},
        {sizeof(HoneRtHeader) + 4 * 16 + 4, 0, HONE_RT_OK},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        uint8_t *file = copy_file(sizeof model_file);
        HoneRtModel model;
        memcpy(file + cases[i].at, &cases[i].value, sizeof cases[i].value);
        bent_repair_crc(file, sizeof model_file);
        const HoneRtStatus got =
            hone_rt_open(&model, file, sizeof model_file, &hone_rt_kernels_ref);
        ck_assert_msg(got == cases[i].want, "case %d: '%s' instead of '%s'", i,
                      hone_rt_status_text(got), hone_rt_status_text(cases[i].want));
        free(file);
    }
}
END_TEST

START_TEST(alignment_and_tail)
{
    uint8_t *file = malloc(sizeof model_file + 64);
    HoneRtModel model;
    ck_assert_ptr_nonnull(file);
    memcpy(file + 2, model_file, sizeof model_file);
    ck_assert_int_eq(hone_rt_open(&model, file + 2, sizeof model_file, &hone_rt_kernels_ref),
                     HONE_RT_ERR_ALIGNMENT);
    memcpy(file + 4, model_file, sizeof model_file);
    ck_assert_int_eq(hone_rt_open(&model, file + 4, sizeof model_file + 60, &hone_rt_kernels_ref),
                     HONE_RT_OK); /* more bytes than the file has */
    ck_assert_int_eq(hone_rt_open(&model, NULL, 100, &hone_rt_kernels_ref), HONE_RT_ERR_ALIGNMENT);
    free(file);
}
END_TEST

/* ---- rules of a program --------------------------------------------------------------------- */

#define RULE(status, change) BENT_RULE(model_file, status, change)

START_TEST(tensor_rules)
{
    RULE(OK, (void)0);
    RULE(ERR_TENSOR, b.tensors[A].h = 0);
    RULE(ERR_TENSOR, b.tensors[A].h = b.tensors[A].w = 1 << 24);
    RULE(ERR_TENSOR, b.tensors[A].c = 0xffffffffu);
    RULE(ERR_TENSOR, b.tensors[A].zero_point = 128);
    RULE(ERR_TENSOR, b.tensors[A].scale_bits = 0);
    RULE(ERR_TENSOR, b.tensors[A].scale_bits = 0x7fc00000u);
    RULE(ERR_TENSOR, b.tensors[A].offset = 721);
    RULE(ERR_TENSOR, b.tensors[A].offset = 0xfffffff0u);
    RULE(ERR_TENSOR, b.tensors[A].reserved = 1);
    RULE(ERR_TENSOR, b.tensors[A].name = b.p.strings_bytes);
    RULE(OK, b.tensors[A].name = HONE_RT_NONE);
    RULE(ERR_HEADER, b.p.op_count = 0);
    RULE(ERR_HEADER, b.p.tensor_count = 0);
    RULE(ERR_HEADER, b.p.strings_bytes--);
}
END_TEST

START_TEST(op_rules)
{
    RULE(ERR_OP, b.ops[STEM].kind = 0);
    RULE(ERR_OP, b.ops[STEM].kind = 15);
    RULE(ERR_OP, b.ops[STEM].kind = HONE_RT_OP_MUL);
    RULE(ERR_OP, b.ops[STEM].weight_type = 1);
    RULE(ERR_OP, b.ops[STEM].name = b.p.strings_bytes);
    RULE(ERR_OP, b.ops[STEM].lo = -129);
    RULE(ERR_OP, b.ops[STEM].hi = 128);
    RULE(ERR_OP, b.ops[STEM].hi = -128; b.ops[STEM].lo = 0);
    RULE(ERR_OP, b.ops[STEM].inputs[0] = 7);
    RULE(ERR_OP, b.ops[STEM].inputs[1] = X);
    RULE(ERR_OP, b.ops[STEM].output = HONE_RT_NONE);
    RULE(ERR_OP, b.ops[STEM].reserved[4] = 1);
    RULE(ERR_OP, b.ops[STEM].groups = 1);
    RULE(ERR_SHAPE, b.ops[STEM].groups = 2); /* 3 channels */
    RULE(ERR_SHAPE, b.ops[PROJECT].groups = 5);
    RULE(ERR_SHAPE, b.ops[PROJECT].groups = 0xffff);
    RULE(OK, b.ops[STEM].groups = 3); /* reads less of its weights */
    RULE(OK, b.ops[PROJECT].groups = 12);
    RULE(ERR_OP, b.ops[DEPTHWISE].groups = 12);
    RULE(ERR_OP, b.ops[LOGITS].groups = 2);
    RULE(ERR_OP, b.ops[JOIN].groups = 2);
    RULE(ERR_OP, b.ops[POOL].groups = 2);
    RULE(ERR_OP, b.ops[STEM].k = 1);
    RULE(ERR_OP, b.ops[STEM].stride_h = 0);
    RULE(ERR_OP, b.ops[STEM].kernel_w = 256);
    RULE(ERR_OP, b.ops[STEM].dilation_w = 0);
    RULE(ERR_OP, b.ops[STEM].pad_top = 3);
    RULE(ERR_OP, b.ops[STEM].multiplier = 1);
    RULE(ERR_OP, b.ops[DEPTHWISE].multiplier = 0);
    RULE(ERR_SHAPE, b.ops[DEPTHWISE].multiplier = 2);
    RULE(ERR_SHAPE, b.ops[STEM].stride_h = 1);
    RULE(ERR_SHAPE, b.ops[STEM].stride_w = 3);
    RULE(ERR_SHAPE, b.tensors[V].h = 2);
    RULE(ERR_OP, b.ops[LOGITS].kernel_h = 1);
    RULE(ERR_OP, b.ops[JOIN].k = 31);
    RULE(ERR_OP, b.ops[JOIN].m1 = 1 << 21);
    RULE(ERR_OP, b.ops[JOIN].requant = 0);
    RULE(ERR_OP, b.ops[JOIN].inputs[1] = HONE_RT_NONE);
    RULE(ERR_SHAPE, b.ops[JOIN].inputs[1] = X);
    RULE(ERR_OP, b.ops[POOL].weights = 0);
    RULE(ERR_OP, b.ops[POOL].pad_left = 1);
}
END_TEST

/* Up to a limit a window only fails to fit, or fits; past it the op is wrong. */
START_TEST(window_limits)
{
    RULE(ERR_SHAPE, b.ops[STEM].kernel_h = 255);
    RULE(ERR_OP, b.ops[STEM].kernel_h = 256);
    RULE(ERR_SHAPE, b.ops[STEM].kernel_w = 255);
    RULE(ERR_SHAPE, b.ops[STEM].stride_h = 255);
    RULE(ERR_OP, b.ops[STEM].stride_h = 256);
    RULE(ERR_SHAPE, b.ops[STEM].stride_w = 255);
    RULE(ERR_OP, b.ops[STEM].stride_w = 256);
    RULE(ERR_SHAPE, b.ops[STEM].dilation_h = 255);
    RULE(ERR_OP, b.ops[STEM].dilation_h = 256);
    RULE(ERR_SHAPE, b.ops[STEM].kernel_h = 66; b.ops[STEM].dilation_h = 63); /* 4096 rows */
    RULE(ERR_OP, b.ops[STEM].kernel_h = 65; b.ops[STEM].dilation_h = 64);
    RULE(OK, b.ops[STEM].pad_top = 2); /* the last window has room to spare */
    RULE(OK, b.ops[STEM].pad_bottom = 2);
    RULE(ERR_OP, b.ops[STEM].pad_bottom = 3);
    RULE(OK, b.ops[STEM].pad_left = 1);
    RULE(ERR_SHAPE, b.ops[STEM].pad_left = 2);
    RULE(ERR_OP, b.ops[STEM].pad_left = 3);
    RULE(OK, b.ops[STEM].pad_right = 2);
    RULE(ERR_OP, b.ops[STEM].pad_right = 3);
}
END_TEST

static int8_t *weights(Bent *b, int op)
{
    return (int8_t *)b->constants + b->ops[op].weights;
}

static uint32_t *words(Bent *b, uint32_t offset)
{
    return (uint32_t *)(void *)(b->constants + offset);
}

/* The largest weights everywhere in one depthwise channel, and the bias that just fits, plus more. */
static void heavy_channel(Bent *b, int32_t more)
{
    const int32_t bias = INT32_MAX - 9 * 127 * 255 + more;
    for (int tap = 0; tap < 9; tap++)
        weights(b, DEPTHWISE)[tap * 12] = tap % 2 ? 127 : -127;
    memcpy(b->constants + b->ops[DEPTHWISE].bias, &bias, sizeof bias);
}

START_TEST(constant_rules)
{
    RULE(ERR_CONSTANT, b.ops[STEM].weights = HONE_RT_NONE);
    RULE(ERR_CONSTANT, b.ops[STEM].weights = 4);
    RULE(ERR_CONSTANT, b.ops[LOGITS].weights = b.p.constants_bytes / 16 * 16);
    RULE(ERR_CONSTANT, b.ops[STEM].bias = 0xfffffff0u);
    RULE(ERR_CONSTANT, b.ops[STEM].requant = HONE_RT_NONE);
    RULE(ERR_CONSTANT, b.ops[POOL].requant = HONE_RT_NONE);
    RULE(ERR_CONSTANT, b.p.constants_bytes -= 16);
    RULE(ERR_CONSTANT, weights(&b, STEM)[5] = -128);
    RULE(ERR_CONSTANT, weights(&b, DEPTHWISE)[107] = -128);
    RULE(ERR_CONSTANT, *words(&b, b.ops[STEM].requant) &= 0xffffffu);
    RULE(ERR_CONSTANT, *words(&b, b.ops[POOL].requant) |= 63u << 24);
    RULE(ERR_OVERFLOW, *words(&b, b.ops[STEM].bias) = 0x7fffffffu);
    RULE(ERR_OVERFLOW, *words(&b, b.ops[DEPTHWISE].bias) = 0x80000000u);
    RULE(OK, heavy_channel(&b, 0));
    RULE(ERR_OVERFLOW, heavy_channel(&b, 1));
    RULE(OK, *words(&b, b.ops[DEPTHWISE].bias) = 0x7fff0000u - 9 * 127 * 255);
}
END_TEST

/* A program of one addition that writes over its input tensor. */
static void input_in_place(Bent *b)
{
    b->ops[0] = b->ops[JOIN];
    b->ops[0].inputs[0] = b->ops[0].inputs[1] = b->ops[0].output = A;
    b->p.op_count = 1;
    b->p.input = b->p.output = A;
    b->p.class_count = 0;
}

START_TEST(order_rules)
{
    RULE(ERR_ORDER, b.ops[DEPTHWISE].inputs[0] = P);      /* not yet written */
    RULE(ERR_ORDER, b.ops[DEPTHWISE].output = A);         /* written twice */
    RULE(ERR_ORDER, b.p.op_count--);                      /* the output is never written */
    RULE(ERR_ORDER, b.p.output = X; b.p.class_count = 0); /* an input that nothing computes */
    RULE(ERR_OVERLAP, b.tensors[D].offset = 239);         /* into its input */
    RULE(ERR_OVERLAP, b.tensors[D].offset = 0);           /* on a tensor needed later */
    RULE(ERR_OVERLAP, b.tensors[P].offset = 1);           /* on a tensor needed later */
    RULE(ERR_OVERLAP, b.tensors[S].offset = 16);          /* in place, but not quite */
    RULE(OK, b.tensors[S].offset = 480);                  /* in place of the other operand */
    RULE(OK, b.ops[JOIN].inputs[1] = A);                  /* both operands the same */
    RULE(ERR_OVERLAP, b.tensors[V].offset = 100);         /* only an addition runs in place */
    RULE(OK, b.tensors[Y].offset = 0);                    /* where nothing lives any more */
    RULE(ERR_OVERLAP, b.ops[POOL].inputs[0] = A);         /* in place, but needed once more */
    RULE(ERR_ORDER, input_in_place(&b));
    RULE(ERR_OVERLAP, b.tensors[X].offset = 200); /* the input is an interval, too */
}
END_TEST

Suite *suite_runtime(void)
{
    Suite *s = suite_create("runtime");
    TCase *t = tcase_create("runtime");
    tcase_add_loop_test(t, every_layer_equals_oracle, 0, LEVELS);
    tcase_add_loop_test(t, rows_in_any_order, 0, LEVELS);
    tcase_add_test(t, codes_in_place);
    tcase_add_test(t, accessors);
    tcase_add_test(t, wrong_use);
    tcase_add_test(t, argmax_and_texts);
    tcase_add_test(t, every_truncation_is_refused);
    tcase_add_test(t, every_flipped_bit_is_refused);
    tcase_add_loop_test(t, every_flipped_bit_is_harmless, 0, LEVELS);
    tcase_add_test(t, header_rules);
    tcase_add_test(t, window_limits);
    tcase_add_test(t, alignment_and_tail);
    tcase_add_test(t, tensor_rules);
    tcase_add_test(t, op_rules);
    tcase_add_test(t, constant_rules);
    tcase_add_test(t, order_rules);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return s;
}
