/* Tests of runtime/: the ops from MUL on, as test_runtime.c has them for the others. The file is the
 * oracle's second model. SPDX-License-Identifier: Apache-2.0 */
#include "tests/bent.h"
#include "tests/levels.h"
#include "tests/oracle/fixtures.h"
#include "tests/suites.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

enum { X, T, P, A, C, V, S, Q, Z, U, R, Y }; /* tensors */
enum { TABLE, MAX, AVERAGE, CONCAT, MEAN, SCALED, SQUARED, PADDED, DOUBLED, RESHAPED, SOFTMAX };

static const int8_t *const layer_codes[] = {layers_t, layers_p, layers_a, layers_c,
                                            layers_v, layers_s, layers_q, layers_z,
                                            layers_u, layers_r, layers_y};
static const size_t layer_bytes[] = {sizeof layers_t, sizeof layers_p, sizeof layers_a,
                                     sizeof layers_c, sizeof layers_v, sizeof layers_s,
                                     sizeof layers_q, sizeof layers_z, sizeof layers_u,
                                     sizeof layers_r, sizeof layers_y};

static void compare_layer(void *context, uint32_t op, uint32_t tensor, const int8_t *data, size_t n)
{
    uint32_t *seen = context;
    ck_assert_uint_eq(op, *seen);
    ck_assert_uint_eq(tensor, op + 1);
    ck_assert_uint_eq(n, layer_bytes[op]);
    ck_assert_msg(memcmp(data, layer_codes[op], n) == 0, "op %u differs from the oracle", op);
    ++*seen;
}

typedef struct Opened {
    Bent b;
    HoneRtModel model;
    char *arena, *scratch;
} Opened;

static void open_prepared(Opened *o, const HoneRtKernels *k)
{
    bent_init(&o->b, layers_file, sizeof layers_file);
    ck_assert_int_eq(hone_rt_open_program(&o->model, &o->b.p, k), HONE_RT_OK);
    const size_t bytes = hone_rt_arena_bytes(&o->model);
    o->arena = malloc(bytes);
    o->scratch = malloc(hone_rt_scratch_bytes(&o->model));
    ck_assert(o->arena != NULL && o->scratch != NULL);
    ck_assert_int_eq(hone_rt_prepare(&o->model, o->arena, bytes), HONE_RT_OK);
}

static void close_prepared(Opened *o)
{
    free(o->arena);
    free(o->scratch);
    bent_release(&o->b);
}

START_TEST(every_layer_equals_oracle)
{
    const HoneRtKernels *k = hone_rt_kernels_for_host(levels[_i]);
    Opened o;
    if (k == NULL)
        return;
    open_prepared(&o, k);
    for (int again = 0; again < 2; again++) {
        uint32_t seen = 0;
        ck_assert_int_eq(hone_rt_run_traced(&o.model, layers_x, NULL, compare_layer, &seen),
                         HONE_RT_OK);
        ck_assert_uint_eq(seen, COUNT(layer_codes));
    }
    close_prepared(&o);
}
END_TEST

/* Row by row from the last to the first. */
START_TEST(rows_in_any_order)
{
    const HoneRtKernels *k = hone_rt_kernels_for_host(levels[_i]);
    Opened o;
    if (k == NULL)
        return;
    open_prepared(&o, k);
    memcpy(hone_rt_input_codes(&o.model), layers_x, sizeof layers_x);
    for (uint32_t op = 0; op < o.model.program.op_count; op++) {
        const HoneRtTensor *y = &o.b.tensors[o.b.ops[op].output];
        const int rows = hone_rt_rows(&o.model, op);
        ck_assert_int_eq(rows, op == RESHAPED ? 1 : (int)y->h);
        for (int row = rows; row > 0; row--)
            hone_rt_run_rows(&o.model, op, row - 1, row, o.scratch);
        ck_assert_mem_eq(o.model.activations + y->offset, layer_codes[op], layer_bytes[op]);
    }
    close_prepared(&o);
}
END_TEST

START_TEST(every_flipped_bit_is_harmless)
{
    const HoneRtKernels *k = hone_rt_kernels_for_host(levels[_i]);
    if (k != NULL)
        ck_assert_int_gt(bent_flip_every_bit(layers_file, sizeof layers_file, k), 1000);
}
END_TEST

/* ---- rules ---- */

#define RULE(status, change) BENT_RULE(layers_file, status, change)

START_TEST(op_rules)
{
    RULE(OK, (void)0);
    for (int op = 0; op <= SOFTMAX; op++) {
        if (op == MEAN)
            continue;
        RULE(ERR_OP, b.ops[op].multiplier = 1);
        RULE(ERR_OP, b.ops[op].reserved[4] = 1);
        RULE(ERR_OP, b.ops[op].bias = 0);
        RULE(ERR_OP, b.ops[op].weight_type = 1);
        RULE(ERR_OP, b.ops[op].inputs[0] = HONE_RT_NONE);
        if (op != SCALED && op != SQUARED)
            RULE(ERR_OP, b.ops[op].hi = 126);
        if (op != MAX && op != AVERAGE)
            RULE(ERR_OP, b.ops[op].dilation_h = 1);
        if (op != CONCAT)
            RULE(ERR_OP, b.ops[op].m1 = 1);
    }
    RULE(ERR_OP, b.ops[TABLE].inputs[1] = X);
    RULE(ERR_OP, b.ops[TABLE].requant = 0);
    RULE(ERR_OP, b.ops[SCALED].weights = 0);
    RULE(ERR_OP, b.ops[SCALED].inputs[1] = HONE_RT_NONE);
    RULE(ERR_OP, b.ops[MAX].weights = 0);
    RULE(ERR_OP, b.ops[MAX].dilation_w = 2);
    RULE(ERR_OP, b.ops[MAX].pad_top = 3);
    RULE(ERR_OP, b.ops[AVERAGE].stride_h = 0);
    RULE(ERR_OP, b.ops[PADDED].stride_h = 1);
    RULE(ERR_OP, b.ops[DOUBLED].stride_w = 0);
    RULE(ERR_SHAPE, b.ops[DOUBLED].stride_h = 255);
    RULE(ERR_OP, b.ops[DOUBLED].stride_h = 256);
    RULE(ERR_SHAPE, b.ops[DOUBLED].stride_w = 255);
    RULE(ERR_OP, b.ops[DOUBLED].stride_w = 256);
    RULE(ERR_OP, b.ops[DOUBLED].pad_left = 1);
    RULE(ERR_OP, b.ops[SOFTMAX].kernel_h = 1);
}
END_TEST

/* ---- fields that a kind does not use ---- */

#define KIND(name) (1u << HONE_RT_OP_##name)

enum {
    WINDOWS = KIND(CONV) | KIND(DEPTHWISE) | KIND(MAXPOOL) | KIND(AVGPOOL),
    SUMS = KIND(CONV) | KIND(DEPTHWISE) | KIND(DENSE),
    CLAMPS = SUMS | KIND(ADD) | KIND(MEAN) | KIND(MUL)
};

/* A field, the value it has where it is not used, and who uses it. */
typedef struct Field {
    const char *name;
    size_t at, bytes;
    uint32_t unused;
    unsigned users; /* KIND(...) */
} Field;

#define FIELD(name, unused, users)                                                                 \
    {                                                                                              \
#name, offsetof(HoneRtOp, name), sizeof(((HoneRtOp *)0)->name), unused, users              \
    }

static const Field fields[] = {
    FIELD(inputs[1], HONE_RT_NONE, KIND(ADD) | KIND(MUL) | KIND(CONCAT)),
    FIELD(kernel_h, 0, WINDOWS),
    FIELD(kernel_w, 0, WINDOWS),
    FIELD(stride_h, 0, WINDOWS | KIND(UPSAMPLE)),
    FIELD(stride_w, 0, WINDOWS | KIND(UPSAMPLE)),
    FIELD(dilation_h, 0, WINDOWS),
    FIELD(dilation_w, 0, WINDOWS),
    FIELD(pad_top, 0, WINDOWS | KIND(PAD)),
    FIELD(pad_left, 0, WINDOWS | KIND(PAD)),
    FIELD(pad_bottom, 0, WINDOWS | KIND(PAD)),
    FIELD(pad_right, 0, WINDOWS | KIND(PAD)),
    FIELD(multiplier, 0, KIND(DEPTHWISE)),
    FIELD(groups, 0, KIND(CONV)),
    FIELD(weights, HONE_RT_NONE, SUMS | KIND(TABLE)),
    FIELD(bias, HONE_RT_NONE, SUMS),
    FIELD(requant, HONE_RT_NONE, SUMS | KIND(MEAN) | KIND(MUL) | KIND(SOFTMAX)),
    FIELD(lo, (uint32_t)-128, CLAMPS),
    FIELD(hi, 127, CLAMPS),
    FIELD(m1, 0, KIND(ADD) | KIND(CONCAT)),
    FIELD(m2, 0, KIND(ADD) | KIND(CONCAT)),
    FIELD(k, 0, KIND(ADD) | KIND(CONCAT)),
    FIELD(reserved[0], 0, KIND(CONCAT)),
    FIELD(reserved[1], 0, KIND(CONCAT)),
    FIELD(reserved[2], 0, KIND(CONCAT)),
    FIELD(reserved[3], 0, 0),
    FIELD(reserved[4], 0, 0),
    FIELD(weight_type, HONE_RT_WEIGHTS_INT8, 0),
};

/* Sets the field, in the host's order of bytes, to another value than that of the unused. */
static void use_field(HoneRtOp *op, const Field *f)
{
    const uint32_t other = f->unused == HONE_RT_NONE     ? 0
                           : f->unused == (uint32_t)-128 ? (uint32_t)-127
                           : f->unused == 127            ? 126
                                                         : f->unused + 1;
    const uint16_t narrow = (uint16_t)other;
    memcpy((char *)op + f->at, f->bytes == sizeof narrow ? (const void *)&narrow : &other,
           f->bytes);
}

/* Each such field of each op, one at a time; the two files have all kinds. */
START_TEST(unused_fields_are_refused)
{
    unsigned seen = 0;
    for (int file = 0; file < 2; file++) {
        Bent b;
        bent_init(&b, file ? model_file : layers_file,
                  file ? sizeof model_file : sizeof layers_file);
        for (uint32_t op = 0; op < b.p.op_count; op++) {
            const HoneRtOp original = b.ops[op];
            seen |= 1u << original.kind;
            for (int i = 0; i < COUNT(fields); i++) {
                if (fields[i].users & 1u << original.kind)
                    continue;
                use_field(&b.ops[op], &fields[i]);
                ck_assert_msg(bent_open(&b) == HONE_RT_ERR_OP, "kind %d with %s", original.kind,
                              fields[i].name);
                b.ops[op] = original;
            }
        }
        ck_assert_int_eq(bent_open(&b), HONE_RT_OK);
        bent_release(&b);
    }
    ck_assert_uint_eq(seen, (KIND(RESHAPE) << 1) - 2);
}
END_TEST

START_TEST(concat_rules)
{
    RULE(OK, b.ops[CONCAT].inputs[1] = P);
    RULE(ERR_OP, b.ops[CONCAT].inputs[1] = HONE_RT_NONE);
    RULE(ERR_OP, b.ops[CONCAT].m2 = -1); /* a gap */
    RULE(ERR_OP, b.ops[CONCAT].m2 = 77);
    RULE(ERR_OP, b.ops[CONCAT].reserved[0] = 0x12345678);
    RULE(ERR_OP, b.ops[CONCAT].reserved[3] = 1);
    RULE(ERR_OP, b.ops[CONCAT].k = X);              /* another grid */
    RULE(ERR_SHAPE, b.ops[CONCAT].k = T);           /* another size */
    RULE(ERR_SHAPE, b.ops[CONCAT].k = -1);          /* too few channels */
    RULE(ERR_SHAPE, b.ops[CONCAT].reserved[0] = P); /* too many */
    RULE(ERR_OP, b.tensors[P].zero_point++);
}
END_TEST

/* The second read of an input is a later one: its memory is not free before. */
START_TEST(concat_keeps_its_inputs)
{
    RULE(ERR_ORDER, HoneRtOp first = b.ops[AVERAGE]; b.ops[AVERAGE] = b.ops[CONCAT];
         b.ops[CONCAT] = first);
    RULE(ERR_OVERLAP, b.tensors[A].offset = b.tensors[P].offset);
    RULE(ERR_OVERLAP, b.tensors[C].offset = b.tensors[P].offset);
}
END_TEST

START_TEST(grid_rules)
{
    static const int made[] = {P, A, C, Z, U, R};
    for (int i = 0; i < COUNT(made); i++) {
        RULE(ERR_OP, b.tensors[made[i]].zero_point++);
        RULE(ERR_OP, b.tensors[made[i]].scale_bits++);
    }
    RULE(ERR_OP, b.tensors[Y].zero_point = 0);
    RULE(ERR_OP, b.tensors[Y].scale_bits++);
    RULE(OK, b.tensors[X].zero_point++); /* what a table reads may have any grid */
}
END_TEST

START_TEST(shape_rules)
{
    RULE(ERR_SHAPE, b.tensors[T].c = 2);
    RULE(ERR_SHAPE, b.tensors[P].h = 2);
    RULE(ERR_SHAPE, b.tensors[A].c = 2);
    RULE(ERR_SHAPE, b.tensors[S].w--);
    RULE(ERR_SHAPE, b.ops[SCALED].inputs[1] = X);
    RULE(ERR_SHAPE, b.ops[PADDED].pad_top = 1);
    RULE(ERR_SHAPE, b.ops[PADDED].pad_bottom = 0xffff);
    RULE(ERR_SHAPE, b.ops[DOUBLED].stride_h = 3);
    RULE(ERR_SHAPE, b.tensors[R].c--);
    RULE(ERR_SHAPE, b.tensors[Y].w--);
}
END_TEST

static uint32_t *exponentials(Bent *b)
{
    return (uint32_t *)(void *)(b->constants + b->ops[SOFTMAX].requant);
}

START_TEST(constant_rules)
{
    RULE(ERR_CONSTANT, b.ops[TABLE].weights = HONE_RT_NONE);
    RULE(ERR_CONSTANT, b.ops[TABLE].weights = 4);
    RULE(ERR_CONSTANT, b.ops[TABLE].weights = b.p.constants_bytes / 16 * 16);
    RULE(ERR_CONSTANT, b.ops[SCALED].requant = HONE_RT_NONE);
    RULE(ERR_CONSTANT, *(uint32_t *)(void *)(b.constants + b.ops[SCALED].requant) |= 63u << 24);
    RULE(ERR_CONSTANT, b.ops[SOFTMAX].requant = HONE_RT_NONE);
    RULE(ERR_CONSTANT, b.ops[SOFTMAX].requant += 16); /* goes past the end */
    RULE(ERR_CONSTANT, exponentials(&b)[0] = 0);
    RULE(ERR_CONSTANT, exponentials(&b)[200] = exponentials(&b)[199] + 1);
    RULE(OK, memset(exponentials(&b) + 1, 0, 255 * sizeof(uint32_t)));
    RULE(ERR_OVERFLOW, exponentials(&b)[0] = (1u << 23) + 1);
    RULE(ERR_OVERFLOW, for (int i = 0; i < 256; i++) exponentials(&b)[i] = 0xffffffffu);
}
END_TEST

START_TEST(memory_rules)
{
    RULE(ERR_OVERLAP, b.tensors[T].offset = 1); /* in place, but not quite */
    RULE(ERR_OVERLAP, b.ops[SQUARED].inputs[1] = C; b.tensors[Q].offset = b.tensors[C].offset + 1);
    RULE(ERR_OVERLAP, b.tensors[S].offset = b.tensors[V].offset); /* on the smaller operand */
    RULE(ERR_OVERLAP, b.tensors[Z].offset = b.tensors[Q].offset); /* padding moves codes */
    RULE(ERR_OVERLAP, b.tensors[Y].offset = b.tensors[R].offset);
    RULE(OK, b.tensors[S].offset = b.tensors[C].offset; b.tensors[Q].offset = b.tensors[C].offset);
}
END_TEST

/* The class that wins without softmax wins with it, whatever the table. */
START_TEST(softmax_keeps_the_winner)
{
    static const int8_t rows[][4] = {{5, 5, 5, 5},       {-128, 127, 127, -128}, {3, 4, 3, 4},
                                     {-128, -127, 0, 1}, {127, 126, 127, 125},   {0, 1, 2, 3}};
    for (int kind = 0; kind < 3; kind++) {
        uint32_t table[256];
        for (uint32_t d = 0; d < 256; d++)
            table[d] = kind == 0   ? 1u << 23
                       : kind == 1 ? (1u << 23) - d
                                   : (1u << 23) >> (d > 23 ? 23 : d);
        for (int i = 0; i < COUNT(rows); i++) {
            int8_t y[4];
            hone_rt_softmax(table, rows[i], 4, y);
            ck_assert_uint_eq(hone_rt_argmax(y, 4), hone_rt_argmax(rows[i], 4));
        }
    }
}
END_TEST

Suite *suite_runtime_layers(void)
{
    Suite *s = suite_create("runtime_layers");
    TCase *t = tcase_create("layers");
    tcase_add_loop_test(t, every_layer_equals_oracle, 0, LEVELS);
    tcase_add_loop_test(t, rows_in_any_order, 0, LEVELS);
    tcase_add_loop_test(t, every_flipped_bit_is_harmless, 0, LEVELS);
    tcase_add_test(t, op_rules);
    tcase_add_test(t, unused_fields_are_refused);
    tcase_add_test(t, concat_rules);
    tcase_add_test(t, concat_keeps_its_inputs);
    tcase_add_test(t, grid_rules);
    tcase_add_test(t, shape_rules);
    tcase_add_test(t, constant_rules);
    tcase_add_test(t, memory_rules);
    tcase_add_test(t, softmax_keeps_the_winner);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return s;
}
