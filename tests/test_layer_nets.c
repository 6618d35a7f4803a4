/* A network of every kind of layer without weights, through everything: it learns a batch by heart, in float
 * and on codes; artifact, trainer and the Python interpreter agree in every bit; threads, kernel levels and
 * interruptions change nothing. SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"
#include "runtime/runtime.h"
#include "tests/levels.h"
#include "tests/run_fixture.h"
#include "tests/suites.h"
#include "trainer/calibrate.h"
#include "trainer/finish.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Squeeze and excitation with hard-swish, a gated pair, an attention over a line of four, dropout. */
static const char yaml[] =
    "name: every\n"
    "dataset: {kind: random, shape: [8, 8, 3], classes: 4, train: 64, test: 45}\n"
    "model:\n"
    "  arch: layers\n"
    "  input: [8, 8, 3]\n"
    "  classes: 4\n"
    "  layers:\n"
    "    - {op: conv2d, name: stem, filters: 8, kernel: 3, bias: false}\n"
    "    - {op: batchnorm}\n"
    "    - {op: hard_swish}\n"
    "    - {op: max_pool, name: pool, kernel: 3, stride: 2}\n"
    "    - {op: depthwise, name: wide, kernel: 3, bias: false}\n"
    "    - {op: batchnorm}\n"
    "    - {op: leaky_relu, name: leaky, slope: 0.1}\n"
    "    - {op: mean}\n"
    "    - {op: dense, name: squeeze, units: 4}\n"
    "    - {op: relu}\n"
    "    - {op: dense, name: excite, units: 8}\n"
    "    - {op: hard_sigmoid, name: gate}\n"
    "    - {op: mul, name: scaled, input: leaky, with: gate}\n"
    "    - {op: concat, name: wider, with: [pool]}\n"
    "    - {op: conv2d, name: point, filters: 8, kernel: 1}\n"
    "    - {op: silu}\n"
    "    - {op: average_pool, kernel: 2}\n"
    "    - {op: relu}\n"
    "    - {op: upsample, name: up, factor: 2}\n"
    "    - {op: concat, name: widest, with: [scaled, pool]}\n"
    "    - {op: pad, pads: [1, 0, 0, 1]}\n"
    "    - {op: conv2d, name: left, filters: 8, kernel: 3, stride: 2, padding: valid}\n"
    "    - {op: elu, name: elu}\n"
    "    - {op: conv2d, name: right, filters: 8, kernel: 1}\n"
    "    - {op: sigmoid}\n"
    "    - {op: mul, name: glu, with: elu}\n"
    "    - {op: reshape, name: line, shape: [1, 4, 8]}\n"
    "    - {op: conv1d, name: along, filters: 8, kernel: 3}\n"
    "    - {op: softmax, name: attention}\n"
    "    - {op: conv1d, name: value, input: line, filters: 8, kernel: 1}\n"
    "    - {op: tanh}\n"
    "    - {op: mul, name: attended, with: attention}\n"
    "    - {op: add, with: line}\n"
    "    - {op: flatten}\n"
    "    - {op: dropout, rate: 0.1}\n"
    "    - {op: dense, name: classifier, units: 4}\n"
    "train:\n"
    "  epochs: 30\n"
    "  batch: 16\n"
    "  optimizer: {kind: sgd, lr: 0.05, momentum: 0.9}\n"
    "qat: {begin_epoch: 20, freeze_observers_epoch: 26, freeze_batchnorm_epoch: 26,\n"
    "      calibration_batches: 3}\n"
    "eval: {batch: 20}\n";

/* The parameters and the artifact that a run ends with. */
typedef struct End {
    Real *params;
    size_t param_bytes;
    unsigned char *artifact;
    size_t artifact_bytes;
    double train_accuracy;
} End;

static End end_of(RunFixture *r)
{
    End e = {.param_bytes = r->session.graph.trained_count * sizeof(Real),
             .train_accuracy = r->train_accuracy};
    e.params = malloc(e.param_bytes);
    ck_assert_ptr_nonnull(e.params);
    memcpy(e.params, r->session.params.value, e.param_bytes);
    e.artifact = file_bytes(r->out, "model.hone", &e.artifact_bytes);
    return e;
}

/* Trains in a folder of its own, stopping after `stop` steps (0: never) and going on. */
static End train(int threads, const char *level, int64_t stop)
{
    char folder[64];
    folder_make(folder);
    RunFixture r = {
        .yaml = yaml, .out = folder, .threads = threads, .level = level, .stop_at = stop};
    int status = run_start(&r);
    if (stop) {
        ck_assert_int_eq(status, HONE_ERR_INTERRUPTED);
        run_end(&r);
        r = (RunFixture){
            .yaml = yaml, .out = folder, .threads = threads + 1, .level = level, .resume = true};
        status = run_start(&r);
    }
    ck_assert_msg(status == HONE_OK, "%s", r.error.text);
    End e = end_of(&r);
    run_end(&r);
    folder_remove(folder);
    return e;
}

static void release(End *e)
{
    free(e->params);
    free(e->artifact);
}

static void same_end(End *a, End *b)
{
    ck_assert_uint_eq(a->param_bytes, b->param_bytes);
    ck_assert_mem_eq(a->params, b->params, a->param_bytes);
    ck_assert_uint_eq(a->artifact_bytes, b->artifact_bytes);
    ck_assert_mem_eq(a->artifact, b->artifact, a->artifact_bytes);
}

/* Exporting includes the proof: a run ends well only when it holds. */
START_TEST(it_learns_and_is_proven)
{
    if (!hone_rt_kernels_for_host(levels[_i]))
        return;
    End e = train(1, levels[_i], 0);
    ck_assert_double_ge(e.train_accuracy, 0.95);
    release(&e);
}
END_TEST

START_TEST(threads_and_interruptions_do_not_matter)
{
    End one = train(1, NULL, 0);
    for (int threads = 2; threads <= 3; threads++) {
        End more = train(threads, NULL, threads == 3 ? 99 : 50); /* quantized; in float */
        same_end(&one, &more);
        release(&more);
    }
    release(&one);
}
END_TEST

/* The graph with fake-quant nodes is within a code of the integers, and Python computes the same. */
START_TEST(others_agree)
{
    enum { IMAGE = 8 * 8 * 3, CLASSES = 4 };
    static const char *const profiles[] = {"export.requant=s24", "export.requant=d31"};
    char folder[64], command[300];
    Finish f;
    folder_make(folder);
    RunFixture r = {.yaml = yaml,
                    .out = folder,
                    .threads = 2,
                    .sets = (const char *const[]){profiles[_i], NULL}};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    ck_assert_msg(finish_run(&f, &r.session, folder, NULL, &r.error) == HONE_OK, "%s",
                  r.error.text);
    const FinishProof *proof = &f.artifacts[0].proof;
    ck_assert_int_eq(proof->prove.mismatches, 0);
    ck_assert_int_eq(proof->prove.images, RUN_TEST_IMAGES);
    ck_assert_int_le(proof->agree.max_difference, 1);
    ck_assert_int_ge(proof->agree.layers, 30);
    if (system("/usr/bin/python3 -c 'import numpy' 2>/dev/null") == 0) {
        int8_t images[5 * IMAGE], outputs[5 * CLASSES];
        char path[100];
        size_t model_bytes, count;
        unsigned char *model = file_bytes(folder, "model.hone", &model_bytes);
        HoneRtModel m;
        ck_assert_int_eq(hone_rt_open(&m, model, model_bytes, &hone_rt_kernels_ref), HONE_RT_OK);
        void *arena = malloc(hone_rt_arena_bytes(&m));
        ck_assert_int_eq(hone_rt_prepare(&m, arena, hone_rt_arena_bytes(&m)), HONE_RT_OK);
        for (int i = 0; i < 5 * IMAGE; i++)
            images[i] = (int8_t)(i * 7919 % 256 - 128);
        for (int i = 0; i < 5; i++)
            hone_rt_run(&m, images + i * IMAGE, outputs + i * CLASSES);
        snprintf(path, sizeof path, "%s/images", folder);
        ck_assert_int_eq(file_write_atomic(path, images, sizeof images, &r.error), HONE_OK);
        snprintf(command, sizeof command,
                 "/usr/bin/python3 -B tests/oracle/run_hone.py %s/model.hone %s/images %s/codes",
                 folder, folder, folder);
        ck_assert_int_eq(system(command), 0);
        unsigned char *python = file_bytes(folder, "codes", &count);
        ck_assert_uint_eq(count, sizeof outputs);
        ck_assert_mem_eq(python, outputs, sizeof outputs);
        free(python);
        free(arena);
        free(model);
    } else {
        puts("others_agree: Python skipped, no numpy");
    }
    run_end(&r);
    folder_remove(folder);
}
END_TEST

/* One step of the calibrated net, with or without fused nodes; the graph's gradients and states. */
static double step(RunFixture *r, bool fuse, Real *grad, Real *state)
{
    Exec *x;
    const Session *s = &r->session;
    const ExecOptions o = {.mode = {.training = true, .quantize = true, .fuse = fuse},
                           .batch = 16,
                           .compute = &s->compute};
    ck_assert_msg(exec_new(&x, &s->graph, &s->params, &o, &r->error) == HONE_OK, "%s",
                  r->error.text);
    Tensor *image = exec_tensor(x, s->model.image);
    for (size_t i = 0; i < shape_count(image->shape); i++)
        ((Real *)image->data)[i] = (Real)((int)(i * 7919 % 256) - 128) / 128;
    for (int i = 0; i < 16; i++)
        ((int32_t *)exec_tensor(x, s->model.labels)->data)[i] = i % 4;
    exec_forward(x);
    exec_backward(x);
    const double loss = (double)*(Real *)exec_tensor(x, s->model.loss)->data;
    memcpy(grad, s->params.grad, s->graph.trained_count * sizeof *grad);
    memcpy(state, s->params.state, s->graph.state_count * sizeof *state);
    exec_commit(x);
    for (size_t i = 0; i < s->graph.state_count; i++) { /* back to where it was */
        const Real moved = s->params.state[i];
        s->params.state[i] = state[i];
        state[i] = moved;
    }
    exec_free(x);
    return loss;
}

START_TEST(fused_nodes_equal_the_simple_ones)
{
    RunFixture r = {.yaml = yaml, .threads = 2};
    int fused = 0;
    run_open(&r);
    ck_assert_msg(calibrate(&r.session, 0, 3, &r.error) == HONE_OK, "%s", r.error.text);
    const Graph *g = &r.session.graph;
    for (int i = 0; i < g->node_count; i++)
        fused += strcmp(g->nodes[i]->op->name, "fused_table") == 0;
    ck_assert_int_eq(fused, 8); /* seven functions, and a relu behind a pooling */
    Real *grad[2], *state[2];
    double loss[2];
    for (int i = 0; i < 2; i++) {
        grad[i] = malloc(g->trained_count * sizeof(Real));
        state[i] = malloc(g->state_count * sizeof(Real));
        ck_assert(grad[i] && state[i]);
        loss[i] = step(&r, i == 1, grad[i], state[i]);
    }
    ck_assert(loss[0] == loss[1]);
    ck_assert_mem_eq(state[0], state[1], g->state_count * sizeof(Real));
    double most = 0;
    for (size_t i = 0; i < g->trained_count; i++)
        most = fmax(most, fabs((double)grad[0][i]));
    for (size_t i = 0; i < g->trained_count; i++)
        ck_assert_double_le(fabs((double)grad[0][i] - (double)grad[1][i]), 1e-4 * most);
    for (int i = 0; i < 2; i++) {
        free(grad[i]);
        free(state[i]);
    }
    run_end(&r);
}
END_TEST

/* export.softmax: the same classes win, and what the proof compares are probabilities. */
START_TEST(a_softmax_keeps_the_winners)
{
    static const char *const with[] = {"export.softmax=true", NULL};
    Finish f[2];
    for (int i = 0; i < 2; i++) {
        char folder[64];
        folder_make(folder);
        RunFixture r = {.sets = i == 1 ? with : NULL, .threads = 1};
        run_open(&r);
        ck_assert_msg(calibrate(&r.session, 0, 3, &r.error) == HONE_OK, "%s", r.error.text);
        ck_assert_msg(finish_run(&f[i], &r.session, folder, NULL, &r.error) == HONE_OK, "%s",
                      r.error.text);
        run_end(&r);
        folder_remove(folder);
    }
    ck_assert_int_eq(f[0].artifacts[0].proof.artifact.correct,
                     f[1].artifacts[0].proof.artifact.correct);
    ck_assert_double_eq_tol(f[0].artifacts[0].proof.artifact.loss,
                            f[1].artifacts[0].proof.artifact.loss, 0.05);
    ck_assert_int_eq(f[1].artifacts[0].proof.prove.compared,
                     f[0].artifacts[0].proof.prove.compared);
    ck_assert_int_eq(f[1].artifacts[0].proof.agree.layers,
                     f[0].artifacts[0].proof.agree.layers + 1);
    ck_assert_int_le(f[1].artifacts[0].proof.agree.max_difference, 1);
    ck_assert_int_gt(f[1].artifacts[0].bytes, f[0].artifacts[0].bytes + 1024);
}
END_TEST

Suite *suite_layer_nets(void)
{
    Suite *s = suite_create("layer_nets");
    TCase *t = tcase_create("every layer");
    tcase_add_loop_test(t, it_learns_and_is_proven, 0, 3);
    tcase_add_test(t, threads_and_interruptions_do_not_matter);
    tcase_add_loop_test(t, others_agree, 0, 2);
    tcase_add_test(t, a_softmax_keeps_the_winners);
    tcase_add_test(t, fused_nodes_equal_the_simple_ones);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return s;
}
