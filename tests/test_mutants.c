/* Tests that the proof fails, naming the layer, for an artifact in which one number was changed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runtime/crc.h"
#include "runtime/runtime.h"
#include "tests/proof.h"
#include "tests/suites.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 20261120 };

/* A copy of the artifact with pointers into it. */
typedef struct Mutant {
    unsigned char *bytes;
    HoneRtTensor *tensors;
    HoneRtOp *ops;
    int op_count;
    unsigned char *constants;
} Mutant;

static void *part(unsigned char *bytes, const void *opened)
{
    return bytes + ((const unsigned char *)opened - proof_artifact);
}

static Mutant mutant_new(void)
{
    HoneRtModel model;
    ck_assert_int_eq(hone_rt_open(&model, proof_artifact, proof_bytes, &hone_rt_kernels_ref), 0);
    const HoneRtProgram *p = &model.program;
    Mutant m = {.bytes = malloc(proof_bytes), .op_count = (int)p->op_count};
    ck_assert_ptr_nonnull(m.bytes);
    memcpy(m.bytes, proof_artifact, proof_bytes);
    m.tensors = part(m.bytes, p->tensors);
    m.ops = part(m.bytes, p->ops);
    m.constants = part(m.bytes, p->constants);
    return m;
}

static const char *layer_name(int op)
{
    HoneRtModel model;
    ck_assert_int_eq(hone_rt_open(&model, proof_artifact, proof_bytes, &hone_rt_kernels_ref), 0);
    return hone_rt_op_name(&model, (uint32_t)op);
}

/* Proves the mutant with its checksum made right; true when a mismatch names the layer. Another
 * name is a failure of the test. Frees it. */
static bool mutant_found(Mutant *m, const char *layer, const char *what)
{
    uint32_t crc = hone_rt_file_crc(m->bytes, proof_bytes);
    memcpy(m->bytes + offsetof(HoneRtHeader, crc), &crc, sizeof crc);
    ProveResult r = proof_run(&proof_net, m->bytes, proof_bytes, NULL);
    free(m->bytes);
    ck_assert(r.mismatches >= 0 && r.mismatches <= r.compared + r.traced);
    if (r.mismatches > 0)
        ck_assert_msg(strcmp(r.first_layer, layer) == 0, "%s of '%s' changed, '%s' reported: %s",
                      what, layer, r.first_layer, r.detail);
    return r.mismatches > 0;
}

enum { CHANNELS = 5 }; /* the fewest of any layer */

/* Changes one number of each of the channels 0..4 in turn. A clamp may hide one channel's change,
 * but not all of them. */
static void mutate_channels(int op, const char *what, bool (*change)(Mutant *, int op, int channel))
{
    int tried = 0, found = 0;
    for (int c = 0; c < CHANNELS; c++) {
        Mutant m = mutant_new();
        if (change(&m, op, c)) {
            tried++;
            found += mutant_found(&m, layer_name(op), what);
        } else {
            free(m.bytes);
        }
    }
    ck_assert_msg(tried == 0 || found >= 3, "%s of '%s': %d of %d changes found", what,
                  layer_name(op), found, tried);
}

/* The centre tap, so that every pixel feels it; the largest change that keeps the range. */
static bool change_weight(Mutant *m, int op, int channel)
{
    const HoneRtOp *o = &m->ops[op];
    if (o->weights == HONE_RT_NONE)
        return false;
    size_t taps = o->kernel_h ? (size_t)o->kernel_h * o->kernel_w : 1;
    size_t in = m->tensors[o->inputs[0]].c, out = m->tensors[o->output].c, c = (size_t)channel;
    bool depthwise = o->kind == HONE_RT_OP_DEPTHWISE;
    size_t at = depthwise ? taps / 2 * out + c : (c * taps + taps / 2) * in;
    int8_t *w = (int8_t *)m->constants + o->weights;
    w[at] = (int8_t)(w[at] > 0 ? w[at] - 100 : w[at] + 100);
    return true;
}

static uint32_t *word_at(const Mutant *m, uint32_t offset, int channel)
{
    return (uint32_t *)(void *)(m->constants + offset) + channel;
}

/* A quarter more or less: the mantissa stays below 2^24. */
static bool change_requant(Mutant *m, int op, int channel)
{
    const HoneRtOp *o = &m->ops[op];
    if (o->requant == HONE_RT_NONE || (o->weights == HONE_RT_NONE && channel > 0))
        return false;
    uint32_t *word = word_at(m, o->requant, channel), mantissa = *word & 0xffffffu;
    *word = (*word & 0xff000000u) | (mantissa + mantissa / 4 < 1u << 24 ? mantissa + mantissa / 4
                                                                        : mantissa - mantissa / 4);
    return true;
}

/* By three output codes, whatever the scale: 3 / r. */
static bool change_bias(Mutant *m, int op, int channel)
{
    const HoneRtOp *o = &m->ops[op];
    if (o->bias == HONE_RT_NONE)
        return false;
    uint32_t word = *word_at(m, o->requant, channel);
    int32_t step = (int32_t)(((int64_t)3 << (word >> 24)) / (word & 0xffffffu));
    *word_at(m, o->bias, channel) += (uint32_t)step;
    return true;
}

START_TEST(prove_finds_changed_constants)
{
    Mutant m = mutant_new();
    int ops = m.op_count;
    free(m.bytes);
    for (int op = 0; op < ops; op++) {
        mutate_channels(op, "weight", change_weight);
        mutate_channels(op, "bias", change_bias);
        if (strcmp(layer_name(op), "pool") != 0)
            mutate_channels(op, "multiplier", change_requant);
    }
}
END_TEST

static int op_named(const char *layer)
{
    for (int op = 0;; op++)
        if (strcmp(layer_name(op), layer) == 0)
            return op;
}

START_TEST(prove_finds_changed_mean_and_add)
{
    Mutant m = mutant_new();
    ck_assert(change_requant(&m, op_named("pool"), 0));
    ck_assert(mutant_found(&m, "pool", "multiplier"));
    for (int i = 0; i < 3; i++) {
        HoneRtOp *o = (m = mutant_new()).ops + op_named("sum");
        int32_t *field = i == 0 ? &o->m1 : i == 1 ? &o->m2 : &o->k;
        *field -= i == 2 ? 1 : *field / 8;
        ck_assert(mutant_found(&m, "sum", "multiplier"));
    }
}
END_TEST

/* The multiplier of a channel a quarter smaller, or its shift one more. */
static bool change_d31(Mutant *m, int op, int channel)
{
    const HoneRtOp *o = &m->ops[op];
    *word_at(m, o->requant, channel) -= *word_at(m, o->requant, channel) / 4;
    return true;
}

static bool change_shift(Mutant *m, int op, int channel)
{
    const HoneRtOp *o = &m->ops[op];
    *word_at(m, o->requant, (int)m->tensors[o->output].c + channel) -= 1;
    return true;
}

START_TEST(prove_finds_changed_d31)
{
    proof_to_d31();
    Mutant m = mutant_new();
    int ops = m.op_count;
    free(m.bytes);
    for (int op = 0; op < ops; op++) {
        if (op == op_named("pool") || op == op_named("sum"))
            continue;
        mutate_channels(op, "multiplier", change_d31);
        mutate_channels(op, "shift", change_shift);
    }
    m = mutant_new();
    ck_assert(change_d31(&m, op_named("pool"), 0));
    ck_assert(mutant_found(&m, "pool", "multiplier"));
    for (int i = 0; i < 3; i++) {
        m = mutant_new();
        ck_assert(change_d31(&m, op_named("sum"), i));
        ck_assert_msg(mutant_found(&m, "sum", "multiplier"), "%d", i);
    }
}
END_TEST

/* The window moves by one pixel: one pad less at one side, one more at the other. */
START_TEST(prove_finds_changed_pads)
{
    Mutant m = mutant_new();
    int found = 0, ops = m.op_count;
    free(m.bytes);
    for (int op = 0; op < ops; op++) {
        for (int axis = 0; axis < 2; axis++) {
            m = mutant_new();
            HoneRtOp *o = &m.ops[op];
            uint16_t *before = axis ? &o->pad_left : &o->pad_top;
            uint16_t *after = axis ? &o->pad_right : &o->pad_bottom;
            if (o->kernel_h < 3) {
                free(m.bytes);
                continue;
            }
            *before = (uint16_t)(*before - 1);
            *after = (uint16_t)(*after + 1);
            ck_assert(mutant_found(&m, layer_name(op), "pad"));
            found++;
        }
    }
    ck_assert_int_eq(found, 6);
}
END_TEST

START_TEST(prove_finds_changed_zero_points_and_clamps)
{
    Mutant m = mutant_new();
    int ops = m.op_count;
    free(m.bytes);
    for (int op = 0; op < ops; op++) {
        m = mutant_new();
        int32_t *zero_point = &m.tensors[m.ops[op].output].zero_point;
        *zero_point += *zero_point > 0 ? -3 : 3;
        ck_assert_msg(mutant_found(&m, layer_name(op), "zero point"), "%s", layer_name(op));
        m = mutant_new();
        m.ops[op].hi = (m.ops[op].lo + m.ops[op].hi) / 2;
        ck_assert_msg(mutant_found(&m, layer_name(op), "clamp"), "%s", layer_name(op));
    }
    m = mutant_new();
    m.tensors[m.ops[0].inputs[0]].zero_point = 5;
    ck_assert(mutant_found(&m, layer_name(0), "zero point of the image"));
}
END_TEST

/* The artifact of other weights is refuted in its first layer. */
START_TEST(prove_finds_other_weights)
{
    TinyNet *other = malloc(sizeof *other);
    size_t count;
    ck_assert_ptr_nonnull(other);
    tiny_net_init(other, SEED + 1, 1, NULL, true);
    unsigned char *bytes = tiny_net_artifact(other, &count);
    ProveResult r = proof_run(&proof_net, bytes, count, NULL);
    ck_assert_int_gt(r.mismatches, 0);
    ck_assert_str_eq(r.first_layer, "stem");
    ck_assert_ptr_nonnull(strstr(r.detail, "image 0, code "));
    free(bytes);
    tiny_net_release(other);
    free(other);
}
END_TEST

/* So is one whose layers have names that the trained model does not know. */
START_TEST(prove_finds_other_names)
{
    HoneRtModel model;
    ck_assert_int_eq(hone_rt_open(&model, proof_artifact, proof_bytes, &hone_rt_kernels_ref), 0);
    const char *name = hone_rt_op_name(&model, (uint32_t)op_named("point"));
    Mutant m = mutant_new();
    *(char *)part(m.bytes, name) = 'j';
    ck_assert(mutant_found(&m, "joint", "name"));
    m = mutant_new(); /* the name of a layer with other values */
    m.ops[op_named("dw")].name = m.ops[op_named("pool")].name;
    ck_assert(mutant_found(&m, "pool", "name"));
}
END_TEST

Suite *suite_mutants(void)
{
    Suite *s = suite_create("mutants");
    TCase *t = tcase_create("mutants");
    tcase_add_checked_fixture(t, proof_setup, proof_teardown);
    tcase_add_test(t, prove_finds_changed_constants);
    tcase_add_test(t, prove_finds_changed_mean_and_add);
    tcase_add_test(t, prove_finds_changed_d31);
    tcase_add_test(t, prove_finds_changed_pads);
    tcase_add_test(t, prove_finds_changed_zero_points_and_clamps);
    tcase_add_test(t, prove_finds_other_weights);
    tcase_add_test(t, prove_finds_other_names);
    suite_add_tcase(s, t);
    return s;
}
