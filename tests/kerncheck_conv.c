/* Convolution kernels of every CPU level against the reference, on random shapes. Inputs lie between
 * NaNs, which any number read in vain would spread; outputs between marks that must stay.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/kernels_conv.h"
#include "core/rng.h"
#include "runtime/kernels.h"
#include "tests/effort.h"
#include "tests/levels.h"
#include "tests/suites.h"
#include "tests/walk.h"
#include "tests/windows.h"

#include <check.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 77, ROUNDS = 400, MARGIN = 40 };

enum { WALKED = LEVELS };

/* Stands for a level called WALKED while its functions are looked at one by one. */
static const ConvKernels *walked;

/* The table of a level, or NULL where this machine cannot run it. */
static const ConvKernels *table_of(int level)
{
    if (level == WALKED)
        return walked;
    return hone_rt_kernels_for_host(levels[level]) ? kernels_conv_named(levels[level]) : NULL;
}

static int below(Rng *rng, int n)
{
    return (int)rng_below(rng, (uint32_t)n);
}

/* n random numbers with MARGIN NaNs (or, for outputs, marks) on both sides. */
static Real *guarded(size_t n, bool output, Rng *rng)
{
    Real *p = malloc((n + 2 * MARGIN) * sizeof *p);
    ck_assert_ptr_nonnull(p);
    for (size_t i = 0; i < n + 2 * MARGIN; i++) {
        const bool inside = i >= MARGIN && i < n + MARGIN;
        p[i] = inside ? (Real)rng_normal(rng) : output ? 12345 : (Real)NAN;
    }
    return p + MARGIN;
}

static Real *guarded_copy(const Real *from, size_t n)
{
    Real *p = malloc((n + 2 * MARGIN) * sizeof *p);
    ck_assert_ptr_nonnull(p);
    memcpy(p, from - MARGIN, (n + 2 * MARGIN) * sizeof *p);
    return p + MARGIN;
}

static void drop(Real *p)
{
    free(p - MARGIN);
}

static void expect_equal(const char *what, const Real *have, const Real *want, size_t n)
{
    for (size_t i = 0; i < n + 2 * MARGIN; i++) {
        const double a = (double)have[i - MARGIN], b = (double)want[i - MARGIN];
        ck_assert_msg(fabs(a - b) <= 1e-4 * (1 + fabs(b)), "%s: element %zd is %g, not %g", what,
                      (ptrdiff_t)i - MARGIN, a, b);
    }
}

/* Packs weights [depth][cols] for a table; bias row 0. */
static Real *packed(const ConvKernels *k, const Real *weights, const Real *bias, int depth,
                    int cols)
{
    const int width = conv_panel_width(k, cols, 0);
    Real *p = malloc((size_t)(1 + depth) * (size_t)width * sizeof *p);
    ck_assert_ptr_nonnull(p);
    for (int r = 0; r <= depth; r++)
        for (int c = 0; c < width; c++)
            p[r * width + c] = c >= cols ? 0 : r == 0 ? bias[c] : weights[(r - 1) * cols + c];
    return p;
}

/* Random operands of a product, and the call of k that makes it. Rows of the result are ld apart. */
typedef struct MultiplyCase {
    Windows w;
    size_t ny;
    Real *x, *y, *want, *weights, *bias, *panel; /* want starts as y */
    ConvMultiply m;
} MultiplyCase;

static void multiply_case_make(MultiplyCase *c, const ConvKernels *k, int cols, int ld, Rng *rng)
{
    Windows *w = &c->w;
    windows_make(w, ld, rng);
    c->ny = (size_t)(w->rows - 1) * (size_t)ld + (size_t)cols;
    c->x = guarded(w->size, false, rng);
    c->y = guarded(c->ny, true, rng);
    c->want = guarded_copy(c->y, c->ny);
    c->weights = guarded((size_t)(w->depth * cols), false, rng);
    c->bias = guarded((size_t)cols, false, rng);
    c->panel = packed(k, c->weights, c->bias, w->depth, cols);
    c->m = (ConvMultiply){.x = c->x,
                          .x_row = w->x_row,
                          .run_x = w->run_x,
                          .run_w = w->run_w,
                          .runs = w->runs,
                          .length = w->length,
                          .taps = w->taps,
                          .panel = c->panel,
                          .y = c->y,
                          .y_row = w->y_row,
                          .rows = w->rows,
                          .cols = cols};
}

static void multiply_case_drop(MultiplyCase *c)
{
    drop(c->x);
    drop(c->y);
    drop(c->want);
    drop(c->weights);
    drop(c->bias);
    free(c->panel);
}

START_TEST(multiply_matches)
{
    const ConvKernels *k = table_of(_i), *ref = &kernels_conv_ref;
    if (!k)
        return;
    Rng rng = rng_at(SEED, RNG_TEST, 1, 0);
    for (int round = 0; round < (walked ? 8 * EVERY : ROUNDS); round += EVERY) {
        MultiplyCase c;
        const int cols = 1 + below(&rng, 2 * ref->lanes), ld = cols + below(&rng, 3);
        multiply_case_make(&c, k, cols, ld, &rng);
        Real *theirs = packed(ref, c.weights, c.bias, c.w.depth, cols);
        c.m.accumulate = below(&rng, 2);
        k->multiply(&c.m);
        c.m.panel = theirs;
        c.m.y = c.want;
        ref->multiply(&c.m);
        expect_equal("multiply", c.y, c.want, c.ny);
        multiply_case_drop(&c);
        free(theirs);
    }
}
END_TEST

/* The same bits for rows together and one at a time. */
START_TEST(cuts_of_rows_do_not_matter)
{
    const ConvKernels *k = table_of(_i);
    if (!k)
        return;
    Rng rng = rng_at(SEED, RNG_TEST, 5, 0);
    for (int round = 0; round < (walked ? 8 * EVERY : ROUNDS); round += EVERY) {
        MultiplyCase c;
        const int cols = 1 + below(&rng, 2 * k->lanes);
        multiply_case_make(&c, k, cols, cols, &rng);
        k->multiply(&c.m);
        c.m.y = c.want;
        c.m.rows = 1;
        for (int r = 0; r < c.w.rows; r++, c.m.x_row++, c.m.y_row++)
            k->multiply(&c.m);
        ck_assert_mem_eq(c.y, c.want, c.ny * sizeof *c.y);
        multiply_case_drop(&c);
    }
}
END_TEST

/* A panel wider than the reference's: columns must not depend on their neighbours. */
START_TEST(wide_panels_match_their_columns)
{
    const ConvKernels *k = table_of(_i);
    if (!k)
        return;
    Rng rng = rng_at(SEED, RNG_TEST, 2, 0);
    for (int round = 0; round < (walked ? 8 * EVERY : ROUNDS); round += EVERY) {
        MultiplyCase c;
        const Windows *w = &c.w;
        const int cols = k->lanes + 1 + below(&rng, k->lanes);
        multiply_case_make(&c, k, cols, cols, &rng);
        k->multiply(&c.m);
        for (int r = 0; r < w->rows; r++)
            for (int col = 0; col < cols; col++) {
                double sum = (double)c.bias[col];
                for (int i = 0; i < w->runs; i++)
                    for (int e = 0; e < w->length; e++)
                        sum += (double)c.x[w->x_row[r] + w->run_x[i] + e] *
                               (double)c.weights[(w->run_w[i] + e) * cols + col];
                c.want[r * cols + col] = (Real)sum;
            }
        expect_equal("multiply", c.y, c.want, c.ny);
        multiply_case_drop(&c);
    }
}
END_TEST

START_TEST(outer_matches)
{
    const ConvKernels *k = table_of(_i), *ref = &kernels_conv_ref;
    if (!k)
        return;
    Rng rng = rng_at(SEED, RNG_TEST, 3, 0);
    for (int round = 0; round < (walked ? 8 * EVERY : ROUNDS); round += EVERY) {
        Windows w;
        const int cols = 1 + below(&rng, 70), sum_ld = (cols + 15) / 16 * 16;
        windows_make(&w, cols, &rng);
        const size_t n = (size_t)w.depth * (size_t)sum_ld;
        Real *x = guarded(w.size, false, &rng);
        Real *dy = guarded((size_t)(w.rows * cols), false, &rng);
        Real *sum = guarded(n, true, &rng), *want = guarded_copy(sum, n);
        ConvOuter m = {.x = x,
                       .x_row = w.x_row,
                       .run_x = w.run_x,
                       .runs = w.runs,
                       .length = w.length,
                       .dy = dy,
                       .dy_ld = cols,
                       .rows = w.rows,
                       .cols = cols,
                       .sum = sum,
                       .sum_ld = sum_ld};
        k->outer(&m);
        m.sum = want;
        ref->outer(&m);
        for (int r = 0; r < w.depth; r++) /* the columns past cols get any value */
            for (int c = cols; c < sum_ld; c++)
                sum[r * sum_ld + c] = want[r * sum_ld + c] = 0;
        expect_equal("outer", sum, want, n);
        drop(x);
        drop(dy);
        drop(sum);
        drop(want);
    }
}
END_TEST

/* A random rectangle in an image just large enough, taps forwards or backwards. */
static DepthwiseRect rect_make(size_t *nx, size_t *nw, size_t *ny, Rng *rng)
{
    DepthwiseRect d = {.rows = 1 + below(rng, 4),
                       .cols = 1 + below(rng, 6),
                       .channels = 1 + below(rng, 50),
                       .taps_h = 1 + below(rng, 4),
                       .taps_w = 1 + below(rng, 4)};
    const int step_y = 1 + below(rng, 2), step_x = 1 + below(rng, 2), move = 1 + below(rng, 2);
    const int wide = (d.cols - 1) * step_x + (d.taps_w - 1) * move + 1;
    const int high = (d.rows - 1) * step_y + (d.taps_h - 1) * move + 1;
    const int back = below(rng, 2);
    d.x_row = (ptrdiff_t)step_y * wide * d.channels;
    d.x_col = (ptrdiff_t)step_x * d.channels;
    d.x_tap_row = (ptrdiff_t)move * wide * d.channels * (back ? -1 : 1);
    d.x_tap_col = (ptrdiff_t)move * d.channels * (back ? -1 : 1);
    d.w_row = (ptrdiff_t)d.taps_w * d.channels;
    d.w_col = d.channels;
    d.y_row = (ptrdiff_t)d.cols * d.channels;
    d.y_col = d.channels;
    d.accumulate = below(rng, 2);
    *nx = (size_t)wide * (size_t)high * (size_t)d.channels;
    *nw = (size_t)d.taps_h * (size_t)d.taps_w * (size_t)d.channels;
    *ny = (size_t)d.rows * (size_t)d.cols * (size_t)d.channels;
    return d;
}

/* Where the first pixel meets the first tap. */
static ptrdiff_t rect_start(const DepthwiseRect *d)
{
    return d->x_tap_col > 0 ? 0
                            : -((d->taps_h - 1) * d->x_tap_row + (d->taps_w - 1) * d->x_tap_col);
}

START_TEST(depthwise_matches)
{
    const ConvKernels *k = table_of(_i), *ref = &kernels_conv_ref;
    if (!k)
        return;
    Rng rng = rng_at(SEED, RNG_TEST, 4, 0);
    for (int round = 0; round < (walked ? 8 * EVERY : ROUNDS); round += EVERY) {
        size_t nx, nw, ny;
        DepthwiseRect d = rect_make(&nx, &nw, &ny, &rng);
        Real *x = guarded(nx, false, &rng), *w = guarded(nw, false, &rng);
        Real *y = guarded(ny, true, &rng), *want = guarded_copy(y, ny);
        Real *dw = guarded(nw, true, &rng), *want_dw = guarded_copy(dw, nw);
        Real *bias = guarded((size_t)d.channels, false, &rng), *dy = guarded(ny, false, &rng);
        d.x = x + rect_start(&d);
        d.w = w;
        d.dy = dy;
        d.bias = below(&rng, 2) ? bias : NULL;
        d.y = y;
        d.dw = dw;
        k->depthwise(&d);
        k->depthwise_weights(&d);
        d.y = want;
        d.dw = want_dw;
        ref->depthwise(&d);
        ref->depthwise_weights(&d);
        expect_equal("depthwise", y, want, ny);
        expect_equal("depthwise weights", dw, want_dw, nw);
        drop(x);
        drop(w);
        drop(y);
        drop(want);
        drop(dw);
        drop(want_dw);
        drop(bias);
        drop(dy);
    }
}
END_TEST

START_TEST(sums_match)
{
    const ConvKernels *k = table_of(_i), *ref = &kernels_conv_ref;
    if (!k)
        return;
    Rng rng = rng_at(SEED, RNG_TEST, 5, 0);
    for (int round = 0; round < (walked ? 8 * EVERY : ROUNDS); round += EVERY) {
        const int rows = 1 + below(&rng, 20), cols = 1 + below(&rng, 50),
                  ld = cols + below(&rng, 5);
        const size_t n = (size_t)rows * (size_t)cols;
        Real *x = guarded(n, false, &rng), *sum = guarded((size_t)cols, true, &rng);
        Real *want = guarded_copy(sum, (size_t)cols);
        k->column_sums((size_t)rows, cols, x, sum);
        ref->column_sums((size_t)rows, cols, x, want);
        expect_equal("column_sums", sum, want, (size_t)cols);
        Real *scale = guarded((size_t)cols, false, &rng), *y = guarded(n, true, &rng);
        Real *want_y = guarded_copy(y, n);
        int32_t *acc = malloc((size_t)rows * (size_t)ld * sizeof *acc);
        ck_assert_ptr_nonnull(acc);
        for (int i = 0; i < rows * ld; i++)
            acc[i] = (int32_t)rng_u32(&rng) >> below(&rng, 32);
        k->scale_sums(acc, ld, rows, cols, scale, y, cols);
        ref->scale_sums(acc, ld, rows, cols, scale, want_y, cols);
        ck_assert_mem_eq(y - MARGIN, want_y - MARGIN, (n + 2 * MARGIN) * sizeof *y); /* exact */
        drop(x);
        drop(sum);
        drop(want);
        drop(scale);
        drop(y);
        drop(want_y);
        free(acc);
    }
}
END_TEST

static const TTest **const cases[] = {
    &multiply_matches, &cuts_of_rows_do_not_matter, &wide_panels_match_their_columns,
    &outer_matches,    &depthwise_matches,          &sums_match};
enum { CASES = sizeof cases / sizeof cases[0] };

static void run_cases(const void *table)
{
    walked = table;
    for (int i = 0; i < CASES; i++)
        (*cases[i])->fn(WALKED);
}

START_TEST(every_function_has_a_case)
{
    const ConvKernels *k = table_of(_i);
    if (k)
        walk_table(k, sizeof *k, offsetof(ConvKernels, multiply), k->name, run_cases);
}
END_TEST

Suite *suite_kerncheck_conv(void)
{
    Suite *s = suite_create("kerncheck_conv");
    TCase *t = tcase_create("levels");
    for (int i = 0; i < CASES; i++)
        tcase_add_loop_test(t, *cases[i], 0, LEVELS);
    tcase_add_loop_test(t, every_function_has_a_case, 0, LEVELS);
    suite_add_tcase(s, t);
    return s;
}
