/* Tests of the weighted layers, conv2d, depthwise and dense: floats and codes against sums written
 * out in double, gradients, threads, integers. Their geometry: test_window.c. SPDX-License-Identifier: Apache-2.0 */
#include "layers/codes.h"
#include "layers/layers.h"
#include "tests/bound.h"
#include "tests/effort.h"
#include "tests/layer_case.h"
#include "tests/levels.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 2026 };

/* Every number close to the truth, relative to the largest. */
static void expect_close(const char *what, const char *where, const Real *have, const double *want,
                         size_t n, double old)
{
    const double precision = sizeof(Real) == sizeof(double) ? 1e-13 : 1e-5;
    double most = 1;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(want[i]));
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)have[i] - want[i] - old) <= precision * most,
                      "%s: %s[%zu] is %g, not %g", where, what, i, (double)have[i], want[i] + old);
}

static void check_reals(const LayerCase *c, const Bound *b, const char *where, double old)
{
    LayerTruth t;
    layer_truth_init(&t, c, b);
    expect_close("y", where, b->out.data, t.y, shape_count(b->out.shape), 0);
    expect_close("dx", where, b->in[0].grad, t.dx, shape_count(b->in[0].shape), old);
    expect_close("dw", where, b->in[1].grad, t.dw, shape_count(b->in[1].shape), old);
    if (c->node->inputs > 2)
        expect_close("db", where, b->in[2].grad, t.db, shape_count(b->in[2].shape), old);
    layer_truth_release(&t);
}

static bool open_level(Compute *compute, int threads, const char *level)
{
    return compute_open(compute, threads, level, NULL) == HONE_OK;
}

static void run_both(Bound *b)
{
    b->run.node->op->forward(&b->run);
    b->run.node->op->backward(&b->run);
}

START_TEST(reals_are_the_sums)
{
    Compute compute;
    if (!open_level(&compute, 1, levels[_i / KINDS]))
        return;
    Rng rng = rng_at(SEED, RNG_TEST, 2, (uint64_t)_i % KINDS);
    for (int round = 0; round < 24; round += EVERY) {
        LayerCase c;
        layer_case_init(&c, (LayerKind)(_i % KINDS), &rng);
        Bound b;
        const Real old = round % 2 ? 3 : 0;
        bound_init(&b, c.node, &compute, c.batch, false, true, round % 2 ? 3 : (Real)NAN, &rng);
        for (int i = 0; i < c.node->inputs; i++)
            b.run.accumulate[i] = round % 2;
        run_both(&b);
        check_reals(&c, &b, layer_case_text(&c, levels[_i / KINDS]), (double)old);
        bound_release(&b);
        layer_case_release(&c);
    }
    compute_close(&compute);
}
END_TEST

/* ---- codes ------------------------------------------------------------------------------------ */

static void check_exact(const LayerCase *c, const Bound *b, const LayerTruth *t, const char *where)
{
    const Real s_x = *(const Real *)b->scale[0].data, *s_w = b->scale[1].data;
    const Real *bias = c->node->inputs > 2 ? b->in[2].data : NULL;
    for (size_t i = 0, n = shape_count(b->out.shape); i < n; i++) {
        const size_t o = i % (size_t)c->out_c;
        const Real unit = s_x * s_w[o];
        const double q = bias ? rint((double)bias[o] / (double)unit) : 0;
        const Real want = (Real)(t->sums[i] + (int64_t)q) * unit;
        const Real have = ((const Real *)b->out.data)[i];
        ck_assert_msg(have == want, "%s: y[%zu] is %.9g, not %.9g", where, i, (double)have,
                      (double)want);
    }
}

START_TEST(codes_are_exact)
{
    Compute compute;
    if (!open_level(&compute, 1, levels[_i / KINDS]))
        return;
    Rng rng = rng_at(SEED, RNG_TEST, 3, (uint64_t)_i % KINDS);
    for (int round = 0; round < 16; round += EVERY) {
        LayerCase c;
        layer_case_init(&c, (LayerKind)(_i % KINDS), &rng);
        Bound b;
        bound_init(&b, c.node, &compute, c.batch, true, true, (Real)NAN, &rng);
        run_both(&b);
        const char *where = layer_case_text(&c, levels[_i / KINDS]);
        LayerTruth t;
        layer_truth_init(&t, &c, &b);
        check_exact(&c, &b, &t, where);
        expect_close("dx", where, b.in[0].grad, t.dx, shape_count(b.in[0].shape), 0);
        expect_close("dw", where, b.in[1].grad, t.dw, shape_count(b.in[1].shape), 0);
        layer_truth_release(&t);
        bound_release(&b);
        layer_case_release(&c);
    }
    compute_close(&compute);
}
END_TEST

/* Replaces the codes of input i by the reals they stand for; returns the codes. */
static void *make_real(Bound *b, const LayerCase *c, int i)
{
    Tensor *t = &b->in[i];
    const size_t n = shape_count(t->shape), filter = n / (size_t)c->out_c;
    Real *reals = malloc(n * sizeof *reals + 64);
    ck_assert_ptr_nonnull(reals);
    for (size_t k = 0; k < n; k++)
        reals[k] = bound_real(t, k, c->depthwise ? k % (size_t)c->out_c : k / filter);
    void *codes = t->data;
    t->data = reals;
    t->elem = ELEM_REAL;
    return codes;
}

/* Backward on codes is backward on the reals they stand for, bit for bit; so are the mixed forms. */
START_TEST(codes_differentiate_as_reals)
{
    Compute compute;
    ck_assert_int_eq(compute_open(&compute, 1, NULL, NULL), HONE_OK);
    Rng rng = rng_at(SEED, RNG_TEST, 4, (uint64_t)_i);
    for (int round = 0; round < 12; round += EVERY) {
        LayerCase c;
        layer_case_init(&c, (LayerKind)_i, &rng);
        Bound b;
        bound_init(&b, c.node, &compute, c.batch, true, true, 0, &rng);
        run_both(&b);
        const size_t nx = shape_count(b.in[0].shape), nw = shape_count(b.in[1].shape);
        Real *dx = malloc(nx * sizeof *dx), *dw = malloc(nw * sizeof *dw);
        ck_assert(dx && dw);
        memcpy(dx, b.in[0].grad, nx * sizeof *dx);
        memcpy(dw, b.in[1].grad, nw * sizeof *dw);
        free(make_real(&b, &c, (round & 1)));
        for (int form = 0; form < 2; form++) {
            bound_scratch(&b);
            run_both(&b);
            /* Float sums of a tile and of an image may be cut differently. */
            for (size_t k = 0; k < nx; k++)
                ck_assert(b.in[0].grad[k] == dx[k]);
            for (size_t k = 0; k < nw; k++)
                ck_assert_double_eq_tol((double)b.in[1].grad[k], (double)dw[k],
                                        1e-5 * (1 + fabs((double)dw[k])) * 30);
            if (form == 0)
                free(make_real(&b, &c, !(round & 1)));
        }
        free(dx);
        free(dw);
        bound_release(&b);
        layer_case_release(&c);
    }
    compute_close(&compute);
}
END_TEST

/* Where the gradient of the output is zero nothing is added, not even the smallest number. */
START_TEST(nothing_comes_of_zeros)
{
    static const Backward ways[] = {BACKWARD_FLOAT, BACKWARD_INT16, BACKWARD_BF16};
    Compute compute;
    ck_assert(open_level(&compute, 1, NULL));
    Rng rng = rng_at(SEED, RNG_TEST, 8, (uint64_t)_i);
    for (int round = 0; round < 24; round += EVERY) {
        const bool adds = round % 2 == 1, codes = round / 2 % 2 == 1;
        LayerCase c;
        layer_case_init(&c, (LayerKind)_i, &rng);
        Bound b;
        bound_init(&b, c.node, &compute, c.batch, codes, true, adds ? 3 : (Real)NAN, &rng);
        memset(b.out.grad, 0, shape_count(b.out.shape) * sizeof(Real));
        b.mode.backward = ways[round % 3];
        bound_scratch(&b);
        for (int i = 0; i < c.node->inputs; i++)
            b.run.accumulate[i] = adds;
        run_both(&b);
        for (int i = 0; i < c.node->inputs; i++)
            for (size_t k = 0, n = shape_count(b.in[i].shape); k < n; k++)
                ck_assert_msg(b.in[i].grad[k] == (adds ? 3 : 0), "%s: gradient %d[%zu] is %g",
                              layer_case_text(&c, ""), i, k, (double)b.in[i].grad[k]);
        bound_release(&b);
        layer_case_release(&c);
    }
    compute_close(&compute);
}
END_TEST

START_TEST(threads_do_not_matter)
{
    Rng rng = rng_at(SEED, RNG_TEST, 5, (uint64_t)_i);
    for (int round = 0; round < 6; round += EVERY) {
        LayerCase c;
        layer_case_init(&c, (LayerKind)(_i % KINDS), &rng);
        const uint64_t seed = rng_u32(&rng);
        Bound first = {0};
        for (int threads = 1; threads <= 3; threads++) {
            Compute compute;
            ck_assert_int_eq(compute_open(&compute, threads, NULL, NULL), HONE_OK);
            Rng data = rng_at(seed, RNG_TEST, 0, 0);
            Bound b;
            bound_init(&b, c.node, &compute, c.batch, _i / KINDS, true, 0, &data);
            run_both(&b);
            if (threads == 1) {
                first = b;
            } else {
                const size_t real = sizeof(Real);
                ck_assert_mem_eq(b.out.data, first.out.data, shape_count(b.out.shape) * real);
                for (int i = 0; i < c.node->inputs; i++)
                    ck_assert_mem_eq(b.in[i].grad, first.in[i].grad,
                                     shape_count(b.in[i].shape) * real);
                bound_release(&b);
            }
            compute_close(&compute);
        }
        bound_release(&first);
        layer_case_release(&c);
    }
}
END_TEST

/* What a node leaves: output and gradients. */
static Real *results_of(const LayerCase *c, const Bound *b, size_t *count)
{
    const Tensor *out = &b->out;
    *count = shape_count(out->shape);
    for (int i = 0; i < c->node->inputs; i++)
        *count += shape_count(b->in[i].shape);
    Real *all = malloc(*count * sizeof *all), *to = all;
    ck_assert_ptr_nonnull(all);
    memcpy(to, out->data, shape_count(out->shape) * sizeof *to);
    to += shape_count(out->shape);
    for (int i = 0; i < c->node->inputs; i++) {
        memcpy(to, b->in[i].grad, shape_count(b->in[i].shape) * sizeof *to);
        to += shape_count(b->in[i].shape);
    }
    return all;
}

/* Two nodes in turn in the scratch of either; it is not a number before. */
static void run_in_turns(Bound *b, const LayerCase *c)
{
    Real *want[2], *have;
    size_t count, shared = 0, worker = 0;
    void *own[2][2];
    for (int i = 0; i < 2; i++) {
        Needs needs = {0};
        c[i].node->op->needs(&b[i].run, &needs);
        shared = needs.shared > shared ? needs.shared : shared;
        worker = b[i].run.worker_bytes > worker ? b[i].run.worker_bytes : worker;
        own[i][0] = b[i].run.shared;
        own[i][1] = b[i].run.worker;
        run_both(&b[i]);
        want[i] = results_of(&c[i], &b[i], &count);
    }
    unsigned char *scratch = aligned_alloc(64, (shared + worker + 128) / 64 * 64);
    ck_assert_ptr_nonnull(scratch);
    memset(scratch, 0xff, shared + worker + 64);
    for (int turn = 0; turn < 4; turn++) {
        Bound *now = &b[turn % 2];
        now->run.shared = scratch;
        now->run.worker = scratch + (shared + 63) / 64 * 64;
        run_both(now);
        have = results_of(&c[turn % 2], now, &count);
        ck_assert_mem_eq(have, want[turn % 2], count * sizeof *have);
        free(have);
    }
    for (int i = 0; i < 2; i++) {
        b[i].run.shared = own[i][0];
        b[i].run.worker = own[i][1];
        free(want[i]);
    }
    free(scratch);
}

/* The nodes of a compilation share their scratch: what one shape leaves there, zeros of borders
 * included, must not show in the next. */
START_TEST(scratch_may_be_stale)
{
    Compute compute;
    if (!open_level(&compute, 1, levels[_i / KINDS]))
        return;
    Rng rng = rng_at(SEED, RNG_TEST, 9, (uint64_t)_i);
    for (int round = 0; round < 8; round += EVERY) {
        LayerCase c[2];
        Bound b[2];
        for (int i = 0; i < 2; i++) {
            layer_case_init(&c[i], (LayerKind)((_i + i * round) % KINDS), &rng);
            bound_init(&b[i], c[i].node, &compute, c[i].batch, round % 2, true, 0, &rng);
        }
        run_in_turns(b, c);
        for (int i = 0; i < 2; i++) {
            bound_release(&b[i]);
            layer_case_release(&c[i]);
        }
    }
    compute_close(&compute);
}
END_TEST

/* A layer of integers with random multipliers for the node of c. */
static void integer_layer(IntegerLayer *l, const LayerCase *c, const Bound *b, uint32_t *words,
                          int32_t *bias, Rng *rng)
{
    for (int o = 0; o < c->out_c; o++) {
        words[o] = hone_rt_s24_pack(0x800000u | rng_u32(rng) >> 9, 30 + (int)rng_below(rng, 6));
        bias[o] = (int32_t)rng_below(rng, 20000) - 10000;
    }
    *l = (IntegerLayer){.in = {{1, run_zero_point(&b->in[0])}},
                        .out = {1, (int32_t)rng_below(rng, 256) - 128},
                        .lo = -100,
                        .hi = 110,
                        .channels = c->out_c,
                        .weights = b->in[1].data,
                        .bias = bias,
                        .requant = words};
}

START_TEST(integers_are_those_of_fixed)
{
    Compute compute;
    if (!open_level(&compute, 2, levels[_i / KINDS]))
        return;
    Rng rng = rng_at(SEED, RNG_TEST, 6, (uint64_t)_i % KINDS);
    for (int round = 0; round < 12; round += EVERY) {
        LayerCase c;
        layer_case_init(&c, (LayerKind)(_i % KINDS), &rng);
        Bound b;
        bound_init(&b, c.node, &compute, c.batch, true, false, 0, &rng);
        LayerTruth t;
        layer_truth_init(&t, &c, &b);
        uint32_t words[64];
        int32_t bias[64];
        IntegerLayer l;
        integer_layer(&l, &c, &b, words, bias, &rng);
        const Op *op = c.node->op;
        void *packed =
            malloc(op->pack(c.node, &compute, l.weights, bias, l.in[0].zero_point, NULL));
        ck_assert_ptr_nonnull(packed);
        op->pack(c.node, &compute, l.weights, bias, l.in[0].zero_point, packed);
        l.packed = packed;
        b.run.integer = &l;
        b.mode = (Mode){.integer = true};
        bound_scratch(&b);
        op->integer(&b.run);
        for (size_t i = 0, n = shape_count(b.out.shape); i < n; i++) {
            const size_t o = i % (size_t)c.out_c;
            ck_assert_msg(((const int8_t *)b.out.data)[i] ==
                              hone_rt_s24_code((int32_t)t.sums[i] + bias[o], words[o],
                                               l.out.zero_point, l.lo, l.hi),
                          "%s: y[%zu]", layer_case_text(&c, levels[_i / KINDS]), i);
        }
        free(packed);
        layer_truth_release(&t);
        bound_release(&b);
        layer_case_release(&c);
    }
    compute_close(&compute);
}
END_TEST

Suite *suite_conv(void)
{
    Suite *s = suite_create("conv");
    TCase *t = tcase_create("sums");
    tcase_add_loop_test(t, reals_are_the_sums, 0, LEVELS * KINDS);
    tcase_add_loop_test(t, codes_are_exact, 0, LEVELS * KINDS);
    tcase_add_loop_test(t, codes_differentiate_as_reals, 0, KINDS);
    tcase_add_loop_test(t, nothing_comes_of_zeros, 0, KINDS);
    tcase_add_loop_test(t, threads_do_not_matter, 0, 2 * KINDS);
    tcase_add_loop_test(t, scratch_may_be_stale, 0, LEVELS * KINDS);
    tcase_add_loop_test(t, integers_are_those_of_fixed, 0, LEVELS * KINDS);
    suite_add_tcase(s, t);
    return s;
}
