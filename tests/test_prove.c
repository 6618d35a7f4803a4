/* Tests of the proof: it holds for what the exporter writes, at every kernel level and thread count,
 * and it fails, naming the layer, for an artifact in which one number was changed. A Python program
 * that was written from the documents alone is the third to compute the same codes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "export/prove.h"

#include "core/file.h"
#include "export/agree.h"
#include "runtime/crc.h"
#include "runtime/runtime.h"
#include "tests/suites.h"
#include "tests/tiny_net.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEED = 20261120 };

static TinyNet net;
static unsigned char *artifact;
static size_t artifact_bytes;

static void setup(void)
{
    tiny_net_init(&net, SEED, 2, NULL, true);
    artifact = tiny_net_artifact(&net, &artifact_bytes);
}

static void teardown(void)
{
    free(artifact);
    tiny_net_release(&net);
}

/* Runs all images, in batches of 16 and what remains; the result is a copy. */
static ProveResult prove(const TinyNet *t, const unsigned char *bytes, size_t count,
                         int8_t *outputs)
{
    Error e = {0};
    Prover *p;
    ck_assert_msg(prover_new(&p, &t->source, bytes, count, &e) == HONE_OK, "%s", e.text);
    ck_assert_uint_eq(prover_input_count(p), TINY_IMAGE);
    ck_assert_uint_eq(prover_output_count(p), TINY_CLASSES);
    for (int at = 0; at < TINY_IMAGES; at += t->source.batch) {
        int n = TINY_IMAGES - at < t->source.batch ? TINY_IMAGES - at : t->source.batch;
        int status = prover_batch(p, t->codes + at * TINY_IMAGE, n,
                                  outputs ? outputs + at * TINY_CLASSES : NULL, &e);
        ck_assert_msg(status == HONE_OK, "%s", e.text);
        if (outputs)
            ck_assert_mem_eq(prover_trained(p), outputs + at * TINY_CLASSES,
                             (size_t)(n * TINY_CLASSES));
    }
    ProveResult result = *prover_result(p);
    int verdict = prover_verdict(p, &e);
    ck_assert_int_eq(verdict, result.mismatches ? HONE_ERR_MISMATCH : HONE_OK);
    if (verdict != HONE_OK)
        ck_assert_ptr_nonnull(strstr(e.text, result.first_layer));
    prover_free(p);
    return result;
}

START_TEST(prove_holds)
{
    static const char *const levels[] = {"ref", NULL};
    for (int i = 0; i < 2 * 2 * 3; i++) {
        TinyNet t;
        size_t count;
        tiny_net_init(&t, SEED + (uint64_t)i, i % 3 + 1, levels[i / 3 % 2], i / 6);
        unsigned char *bytes = tiny_net_artifact(&t, &count);
        ProveResult r = prove(&t, bytes, count, NULL);
        int tables = t.compute.integer == &hone_rt_kernels_ref ? 1 : 2;
        ck_assert_msg(r.mismatches == 0, "seed %d: %s: %s", SEED + i, r.first_layer, r.detail);
        ck_assert_str_eq(r.first_layer, "");
        ck_assert_int_eq(r.images, TINY_IMAGES);
        ck_assert_int_eq(r.compared, TINY_IMAGES * TINY_CLASSES * tables);
        ck_assert_int_eq(r.traced,
                         PROVE_TRACED * (3 * 5 * 5 * 6 + 5 * 5 * 6 + 3 * 3 * 7 + 7) * tables);
        free(bytes);
        tiny_net_release(&t);
    }
}
END_TEST

/* The reference kernels stop where they are told to; the machine's run everything. */
START_TEST(prove_limits_the_reference)
{
    net.source.reference_images = 10;
    ProveResult r = prove(&net, artifact, artifact_bytes, NULL);
    int reference = net.compute.integer == &hone_rt_kernels_ref ? 0 : 10;
    ck_assert_int_eq(r.images, TINY_IMAGES);
    ck_assert_int_eq(r.compared, (TINY_IMAGES + reference) * TINY_CLASSES);
    ck_assert_int_eq(r.mismatches, 0);
}
END_TEST

/* A network whose outputs are all alike would prove little. */
START_TEST(prove_outputs_vary)
{
    int8_t outputs[TINY_IMAGES * TINY_CLASSES];
    prove(&net, artifact, artifact_bytes, outputs);
    for (int c = 0; c < TINY_CLASSES; c++) {
        int8_t lo = INT8_MAX, hi = INT8_MIN;
        for (int i = 0; i < TINY_IMAGES; i++) {
            int8_t q = outputs[i * TINY_CLASSES + c];
            if (q < lo)
                lo = q;
            if (q > hi)
                hi = q;
        }
        ck_assert_int_ge(hi - lo, 20);
    }
}
END_TEST

START_TEST(prove_refuses)
{
    Error e = {0};
    Prover *p;
    ck_assert_int_eq(prover_new(&p, &net.source, artifact, artifact_bytes - 1, &e), HONE_ERR_DATA);
    ck_assert_ptr_null(p);
    ProveSource other = net.source;
    other.output = graph_find_node(&net.graph, "pool")->out[0];
    e = (Error){0};
    ck_assert_int_eq(prover_new(&p, &other, artifact, artifact_bytes, &e), HONE_ERR_MISMATCH);
    ck_assert_str_eq(e.text, "the artifact maps 243 values to 5, the trained model 243 to 7");
    e = (Error){0};
    ck_assert_int_eq(prover_new(&p, &net.source, artifact, artifact_bytes, &e), HONE_OK);
    ck_assert_int_eq(prover_verdict(p, &e), HONE_ERR_MISMATCH);
    prover_free(p);
}
END_TEST

/* ---- mutations ------------------------------------------------------------------------------ */

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
    return bytes + ((const unsigned char *)opened - artifact);
}

static Mutant mutant_new(void)
{
    HoneRtModel model;
    ck_assert_int_eq(hone_rt_open(&model, artifact, artifact_bytes, &hone_rt_kernels_ref), 0);
    const HoneRtProgram *p = &model.program;
    Mutant m = {.bytes = malloc(artifact_bytes), .op_count = (int)p->op_count};
    ck_assert_ptr_nonnull(m.bytes);
    memcpy(m.bytes, artifact, artifact_bytes);
    m.tensors = part(m.bytes, p->tensors);
    m.ops = part(m.bytes, p->ops);
    m.constants = part(m.bytes, p->constants);
    return m;
}

static const char *layer_name(int op)
{
    HoneRtModel model;
    ck_assert_int_eq(hone_rt_open(&model, artifact, artifact_bytes, &hone_rt_kernels_ref), 0);
    return hone_rt_op_name(&model, (uint32_t)op);
}

/* Proves the mutant with its checksum made right; true when a mismatch names the layer. Another
 * name is a failure of the test. Frees it. */
static bool mutant_found(Mutant *m, const char *layer, const char *what)
{
    uint32_t crc = hone_rt_file_crc(m->bytes, artifact_bytes);
    memcpy(m->bytes + offsetof(HoneRtHeader, crc), &crc, sizeof crc);
    ProveResult r = prove(&net, m->bytes, artifact_bytes, NULL);
    free(m->bytes);
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
    ProveResult r = prove(&net, bytes, count, NULL);
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
    ck_assert_int_eq(hone_rt_open(&model, artifact, artifact_bytes, &hone_rt_kernels_ref), 0);
    const char *name = hone_rt_op_name(&model, (uint32_t)op_named("point"));
    Mutant m = mutant_new();
    *(char *)part(m.bytes, name) = 'j';
    ck_assert(mutant_found(&m, "joint", "name"));
}
END_TEST

/* ---- the float graph ------------------------------------------------------------------------ */

START_TEST(agree_with_fake_quant)
{
    for (int i = 0; i < 8; i++) {
        TinyNet t;
        AgreeResult r;
        Error e = {0};
        tiny_net_init(&t, SEED + 100 + (uint64_t)i, 1, NULL, i % 2);
        ck_assert_msg(agree_fake_quant(&r, &t.source, t.codes, t.source.batch, &e) == HONE_OK, "%s",
                      e.text);
        ck_assert_int_eq(r.layers, 7);
        ck_assert_int_eq(r.compared,
                         t.source.batch * (4 * 5 * 5 * 6 + 3 * 3 * 7 + 7 + TINY_CLASSES));
        ck_assert_msg(r.max_difference <= 1, "seed %d: '%s' differs by %d codes", SEED + 100 + i,
                      r.layer, r.max_difference);
        ck_assert_int_lt(r.differing, r.compared / 100);
        tiny_net_release(&t);
    }
}
END_TEST

/* Wrong folding is what the comparison is for. */
START_TEST(agree_finds_wrong_integers)
{
    AgreeResult r;
    Error e = {0};
    tiny_net_release(&net); /* again, with kernels that read the integers where the plan has them */
    tiny_net_init(&net, SEED, 1, "ref", true);
    const IntegerLayer *last = &net.plan.layers[graph_find_node(&net.graph, "last")->index];
    for (int c = 0; c < last->channels; c++)
        ((int32_t *)last->bias)[c] *= 2;
    ck_assert_int_eq(agree_fake_quant(&r, &net.source, net.codes, 16, &e), HONE_OK);
    ck_assert_int_gt(r.max_difference, 1);
    ck_assert_str_eq(r.layer, "last");
}
END_TEST

/* ---- the third implementation --------------------------------------------------------------- */

#define ORACLE "tests/oracle/run_hone.py"

static bool have_numpy(void)
{
    return system("/usr/bin/python3 -c 'import numpy' 2>/dev/null") == 0;
}

/* The codes that Python computes for the first images of t; the caller frees them. */
static unsigned char *run_python(const TinyNet *t, const unsigned char *bytes, size_t size,
                                 int images, size_t *count)
{
    Error e = {0};
    const char *top = getenv("TMPDIR");
    char folder[256], model[300], input[300], output[300], command[1200];
    unsigned char *codes;
    snprintf(folder, sizeof folder, "%s/hone-prove-XXXXXX", top ? top : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(model, sizeof model, "%s/model.hone", folder);
    snprintf(input, sizeof input, "%s/images", folder);
    snprintf(output, sizeof output, "%s/codes", folder);
    snprintf(command, sizeof command, "/usr/bin/python3 -B " ORACLE " '%s' '%s' '%s'", model, input,
             output);
    ck_assert_int_eq(file_write_atomic(model, bytes, size, &e), HONE_OK);
    ck_assert_int_eq(file_write_atomic(input, t->codes, (size_t)images * t->image, &e), HONE_OK);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(file_read(output, 1 << 20, &codes, count, &e), HONE_OK);
    ck_assert_int_eq(unlink(model) + unlink(input) + unlink(output) + rmdir(folder), 0);
    return codes;
}

START_TEST(prove_python_agrees)
{
    if (!have_numpy()) {
        puts("prove_python_agrees: skipped, no numpy");
        return;
    }
    int8_t outputs[TINY_IMAGES * TINY_CLASSES];
    size_t count;
    prove(&net, artifact, artifact_bytes, outputs);
    unsigned char *python = run_python(&net, artifact, artifact_bytes, TINY_IMAGES, &count);
    ck_assert_uint_eq(count, sizeof outputs);
    ck_assert_mem_eq(python, outputs, sizeof outputs);
    free(python);
}
END_TEST

/* All of it on a network people use, with random weights: MobileNetV2 0.35 on 32x32 images. */
START_TEST(prove_mobilenet)
{
    enum { CLASSES = 10, IMAGES = 2 };
    int8_t outputs[IMAGES * CLASSES];
    ModelOptions options = {
        .input = {3, {32, 32, 3}}, .classes = CLASSES, .width = 0.35, .stem = MODEL_STEM_CIFAR_S2};
    Error e = {0};
    TinyNet t;
    Prover *p;
    AgreeResult agree;
    size_t size, count;
    tiny_net_init_model(&t, &options);
    unsigned char *bytes = tiny_net_artifact(&t, &size);
    ck_assert_msg(prover_new(&p, &t.source, bytes, size, &e) == HONE_OK, "%s", e.text);
    ck_assert_int_eq(prover_batch(p, t.codes, IMAGES, outputs, &e), HONE_OK);
    ck_assert_msg(prover_verdict(p, &e) == HONE_OK, "%s", e.text);
    prover_free(p);
    ck_assert_int_eq(agree_fake_quant(&agree, &t.source, t.codes, IMAGES, &e), HONE_OK);
    ck_assert_msg(agree.max_difference <= 1, "'%s'", agree.layer);
    ck_assert_int_lt(agree.differing, agree.compared / 100);
    if (have_numpy()) {
        unsigned char *python = run_python(&t, bytes, size, IMAGES, &count);
        ck_assert_uint_eq(count, sizeof outputs);
        ck_assert_mem_eq(python, outputs, sizeof outputs);
        free(python);
    }
    free(bytes);
    tiny_net_release(&t);
}
END_TEST

Suite *suite_prove(void)
{
    Suite *s = suite_create("prove");
    TCase *holds = tcase_create("holds");
    tcase_add_test(holds, prove_holds);
    tcase_add_test(holds, agree_with_fake_quant);
    tcase_add_test(holds, prove_mobilenet);
    suite_add_tcase(s, holds);
    TCase *one = tcase_create("one network");
    tcase_add_checked_fixture(one, setup, teardown);
    tcase_add_test(one, prove_limits_the_reference);
    tcase_add_test(one, prove_outputs_vary);
    tcase_add_test(one, prove_refuses);
    tcase_add_test(one, prove_finds_changed_constants);
    tcase_add_test(one, prove_finds_changed_mean_and_add);
    tcase_add_test(one, prove_finds_changed_pads);
    tcase_add_test(one, prove_finds_changed_zero_points_and_clamps);
    tcase_add_test(one, prove_finds_other_weights);
    tcase_add_test(one, prove_finds_other_names);
    tcase_add_test(one, agree_finds_wrong_integers);
    tcase_add_test(one, prove_python_agrees);
    suite_add_tcase(s, one);
    return s;
}
