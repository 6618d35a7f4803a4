/* Tests of the proof: it holds for what the exporter writes, at every kernel level and thread count.
 * A Python program that was written from the documents alone is the third to compute the same codes.
 * That it fails where it must: test_mutants.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"
#include "export/agree.h"
#include "runtime/crc.h"
#include "runtime/runtime.h"
#include "tests/allocations.h"
#include "tests/levels.h"
#include "tests/proof.h"
#include "tests/suites.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEED = 20261120 };

/* In both profiles. */
START_TEST(prove_holds)
{
    static const char *const some[] = {"ref", NULL};
    for (int i = 0; i < 2 * 2 * 3; i++) {
        TinyNet t;
        size_t count;
        tiny_net_init(&t, SEED + (uint64_t)i, i % 3 + 1, some[i / 3 % 2], i / 6);
        tiny_net_plan(&t, (uint32_t)_i);
        unsigned char *bytes = tiny_net_artifact(&t, &count);
        ProveResult r = proof_run(&t, bytes, count, NULL);
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
    proof_net.source.reference_images = 10;
    ProveResult r = proof_run(&proof_net, proof_artifact, proof_bytes, NULL);
    int reference = proof_net.compute.integer == &hone_rt_kernels_ref ? 0 : 10;
    ck_assert_int_eq(r.images, TINY_IMAGES);
    ck_assert_int_eq(r.reference, reference ? reference : TINY_IMAGES);
    ck_assert_int_eq(r.compared, (TINY_IMAGES + reference) * TINY_CLASSES);
    ck_assert_int_eq(r.mismatches, 0);
}
END_TEST

/* A network whose outputs are all alike would prove little. */
START_TEST(prove_outputs_vary)
{
    int8_t outputs[TINY_IMAGES * TINY_CLASSES];
    proof_run(&proof_net, proof_artifact, proof_bytes, outputs);
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
    ck_assert_int_eq(prover_new(&p, &proof_net.source, proof_artifact, proof_bytes - 1, &e),
                     HONE_ERR_DATA);
    ck_assert_ptr_null(p);
    ProveSource other = proof_net.source;
    other.output = graph_find_node(&proof_net.graph, "pool")->out[0];
    e = (Error){0};
    ck_assert_int_eq(prover_new(&p, &other, proof_artifact, proof_bytes, &e), HONE_ERR_MISMATCH);
    ck_assert_str_eq(e.text, "the artifact maps 243 values to 5, the trained model 243 to 7");
    other = proof_net.source;
    other.input = graph_find_node(&proof_net.graph, "stem")->out[0];
    e = (Error){0};
    ck_assert_int_eq(prover_new(&p, &other, proof_artifact, proof_bytes, &e), HONE_ERR_MISMATCH);
    ck_assert_str_eq(e.text, "the artifact maps 243 values to 5, the trained model 150 to 5");
    e = (Error){0};
    ck_assert_int_eq(prover_new(&p, &proof_net.source, proof_artifact, proof_bytes, &e), HONE_OK);
    ck_assert_int_eq(prover_verdict(p, &e), HONE_ERR_MISMATCH);
    ck_assert_str_eq(e.text, "no image was compared, so nothing is proven");
    prover_free(p);
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
        ck_assert(r.differing >= 0 && r.differing < r.compared / 100);
        tiny_net_release(&t);
    }
}
END_TEST

/* Wrong folding is what the comparison is for. */
START_TEST(agree_finds_wrong_integers)
{
    AgreeResult r;
    Error e = {0};
    tiny_net_release(
        &proof_net); /* again, with kernels that read the integers where the plan has them */
    tiny_net_init(&proof_net, SEED, 1, "ref", true);
    const IntegerLayer *last =
        &proof_net.plan.layers[graph_find_node(&proof_net.graph, "last")->index];
    for (int c = 0; c < last->channels; c++)
        ((int32_t *)last->bias)[c] *= 2;
    ck_assert_int_eq(agree_fake_quant(&r, &proof_net.source, proof_net.codes, 16, &e), HONE_OK);
    ck_assert_int_gt(r.max_difference, 1);
    ck_assert_int_gt(r.differing, 0);
    ck_assert_int_le(r.differing, r.compared);
    ck_assert_str_eq(r.layer, "last");
}
END_TEST

static int agree(void *context, Error *e)
{
    const TinyNet *t = context;
    AgreeResult r;
    return agree_fake_quant(&r, &t->source, t->codes, 1, e);
}

START_TEST(agree_refuses)
{
    AgreeResult r;
    Error e = {0};
    ProveSource other = proof_net.source;
    other.input = graph_find_node(&proof_net.graph, "logits")->out[0];
    ck_assert_int_eq(agree_fake_quant(&r, &other, proof_net.codes, 1, &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, "no quantized layer reads 'logits'");
    tiny_net_release(&proof_net); /* again, with one thread, whose allocations fail */
    tiny_net_init(&proof_net, SEED, 1, NULL, true);
    allocations_fail_each(agree, &proof_net, 1);
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
    if (_i == HONE_RT_D31)
        proof_to_d31();
    if (!have_numpy()) {
        puts("prove_python_agrees: skipped, no numpy");
        return;
    }
    int8_t outputs[TINY_IMAGES * TINY_CLASSES];
    size_t count;
    proof_run(&proof_net, proof_artifact, proof_bytes, outputs);
    unsigned char *python =
        run_python(&proof_net, proof_artifact, proof_bytes, TINY_IMAGES, &count);
    ck_assert_uint_eq(count, sizeof outputs);
    ck_assert_mem_eq(python, outputs, sizeof outputs);
    free(python);
}
END_TEST

/* Dilation, groups and multipliers: every level and several threads, the same bits, and Python's. */
START_TEST(prove_unusual_convolutions)
{
    for (int i = 0; i < 3 * 3; i++) {
        if (hone_rt_kernels_for_host(levels[i / 3]) == NULL)
            continue;
        TinyNet t;
        size_t size, count;
        int8_t outputs[TINY_IMAGES * TINY_CLASSES];
        tiny_net_init_parts(&t, SEED + (uint64_t)i, i % 3 + 1, levels[i / 3]);
        tiny_net_plan(&t, (uint32_t)_i);
        unsigned char *bytes = tiny_net_artifact(&t, &size);
        ProveResult r = proof_run(&t, bytes, size, outputs);
        ck_assert_msg(r.mismatches == 0, "%s: %s: %s", levels[i / 3], r.first_layer, r.detail);
        AgreeResult agree;
        Error e = {0};
        ck_assert_int_eq(agree_fake_quant(&agree, &t.source, t.codes, 16, &e), HONE_OK);
        ck_assert_msg(agree.max_difference <= 1, "'%s'", agree.layer);
        if (i % 3 == 0 && have_numpy()) {
            unsigned char *python = run_python(&t, bytes, size, TINY_IMAGES, &count);
            ck_assert_uint_eq(count, sizeof outputs);
            ck_assert_mem_eq(python, outputs, sizeof outputs);
            free(python);
        }
        free(bytes);
        tiny_net_release(&t);
    }
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
    tcase_add_loop_test(holds, prove_holds, HONE_RT_S24, HONE_RT_D31 + 1);
    tcase_add_test(holds, agree_with_fake_quant);
    tcase_add_loop_test(holds, prove_unusual_convolutions, HONE_RT_S24, HONE_RT_D31 + 1);
    tcase_add_test(holds, prove_mobilenet);
    tcase_set_timeout(holds, 60);
    suite_add_tcase(s, holds);
    TCase *one = tcase_create("one network");
    tcase_add_checked_fixture(one, proof_setup, proof_teardown);
    tcase_add_test(one, prove_limits_the_reference);
    tcase_add_test(one, prove_outputs_vary);
    tcase_add_test(one, prove_refuses);
    tcase_add_test(one, agree_finds_wrong_integers);
    tcase_add_test(one, agree_refuses);
    tcase_add_loop_test(one, prove_python_agrees, HONE_RT_S24, HONE_RT_D31 + 1);
    suite_add_tcase(s, one);
    return s;
}
