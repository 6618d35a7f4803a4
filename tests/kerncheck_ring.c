/* Kernels of rings: every CPU level against the reference, bit for bit, on random windows
 * of rings whose rows lie in any order.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/kerncheck_arena.h"
#include "tests/suites.h"
#include "tests/walk.h"

#include <check.h>
#include <string.h>

enum { SEED = 20261125, CASES = 400, ROWS = 24 };

/* A random window over a ring of one array, rows in any order. */
typedef struct Case {
    RingWindow window;
    int ring, w, table; /* arrays */
    size_t row;         /* elements */
    size_t pixels;      /* outputs */
    int lie[ROWS];      /* where a row lies */
    const Real *rows[2][ROWS];
} Case;

static int draw(Rng *r, int least, int most)
{
    return least + (int)rng_below(r, (uint32_t)(most - least + 1));
}

static void shuffle(Rng *r, int *v, int n)
{
    for (int i = 0; i < n; i++) {
        const int k = draw(r, 0, i);
        v[i] = v[k];
        v[k] = i;
    }
}

/* The numbers of channels that do not exist are 0, as callers have it. */
static void clear_rest(const Arena *a, int array, size_t n, int channels)
{
    for (int s = 0; s < 2; s++)
        for (size_t i = 0; i < n; i++)
            if ((int)(i % RING_LANES) >= channels)
                reals(a, s, array)[i] = 0;
}

static Case draw_case(Arena *a)
{
    Rng *r = &a->rng;
    const bool usual = rng_below(r, 2);
    RingWindow v = {.row = draw(r, 0, 1),
                    .row_step = draw(r, 1, 2),
                    .tap_row = draw(r, 1, 2),
                    .col_step = RING_LANES * draw(r, 1, 2),
                    .tap_col = RING_LANES * (usual ? 1 : draw(r, 1, 2)),
                    .height = draw(r, 1, 4),
                    .width = draw(r, 1, 9),
                    .channels = draw(r, 0, 2) ? RING_LANES : draw(r, 1, RING_LANES),
                    .taps_h = usual ? 3 : draw(r, 0, 5),
                    .taps_w = usual ? 3 : draw(r, 0, 5)};
    Case c = {.window = v};
    const int rows =
        v.row + (v.height - 1) * v.row_step + (v.taps_h > 0 ? v.taps_h - 1 : 0) * v.tap_row + 1;
    const size_t taps = (size_t)(v.taps_h * v.taps_w);
    const int span = (v.taps_w > 0 ? v.taps_w - 1 : 0) * (int)v.tap_col;
    c.row = (size_t)((v.width - 1) * v.col_step + span + RING_LANES);
    c.pixels = (size_t)(v.height * v.width);
    c.ring = reals_new(a, (size_t)rows * c.row, false);
    c.w = reals_new(a, (taps > 0 ? taps : 1) * RING_LANES, false);
    c.table = reals_new(a, (size_t)6 * RING_LANES, false);
    clear_rest(a, c.ring, (size_t)rows * c.row, v.channels);
    clear_rest(a, c.w, taps * RING_LANES, v.channels);
    clear_rest(a, c.table, (size_t)6 * RING_LANES, v.channels);
    shuffle(r, c.lie, rows);
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < rows; i++)
            c.rows[s][i] = reals(a, s, c.ring) + (size_t)c.lie[i] * c.row;
    return c;
}

static RingWindow window_of(const Arena *a, const Case *c, int side, bool scaled)
{
    RingWindow v = c->window;
    v.rows = c->rows[side];
    v.w = reals(a, side, c->w);
    v.scale = scaled ? reals(a, side, c->table) : NULL;
    v.bias = reals(a, side, c->table) + RING_LANES;
    return v;
}

static void check_gather(Arena *a, const Kernels *const *t)
{
    const Case c = draw_case(a);
    const bool scaled = rng_below(&a->rng, 2), accumulate = rng_below(&a->rng, 2);
    const size_t ld = (size_t)c.window.channels + rng_below(&a->rng, 20);
    const int y = reals_new(a, c.pixels * ld, false);
    for (int s = 0; s < 2; s++) {
        const RingWindow v = window_of(a, &c, s, scaled);
        t[s]->ring->gather(&v, accumulate, reals(a, s, y), (ptrdiff_t)ld * v.width, (ptrdiff_t)ld);
    }
    arena_check(a, t[1]->name, "gather", c.pixels);
}

static RingGrad grad_of(const Arena *a, const Case *c, int side, int dy, int mask, size_t ld)
{
    const Real *tables = reals(a, side, c->table);
    return (RingGrad){.dy = reals(a, side, dy),
                      .mask = a->data[side][mask],
                      .ld = ld,
                      .mask_ld = MASK_ROW_BYTES(ld),
                      .pivot = tables + 2 * RING_LANES,
                      .slope = tables + 3 * RING_LANES,
                      .of_y = tables + 4 * RING_LANES,
                      .shift = tables + 5 * RING_LANES};
}

static void check_gradients(Arena *a, const Kernels *const *t)
{
    const Case c = draw_case(a);
    const bool plain = rng_below(&a->rng, 3) == 0;
    const size_t ld = (size_t)c.window.channels + rng_below(&a->rng, 20);
    const size_t taps = (size_t)(c.window.taps_h * c.window.taps_w), width = (size_t)c.window.width;
    const int dy = reals_new(a, c.pixels * ld, false);
    const int mask = bytes_new(a, c.pixels * MASK_ROW_BYTES(ld));
    const int sums = reals_new(a, (size_t)3 * RING_LANES, false);
    const int to = reals_new(a, c.pixels * RING_LANES, false);
    const int dw = reals_new(a, (taps + 1) * RING_LANES, false);
    for (int s = 0; s < 2; s++) {
        const RingWindow v = window_of(a, &c, s, true);
        RingGrad g = grad_of(a, &c, s, dy, mask, ld);
        Real *sum = reals(a, s, sums), *rows[ROWS];
        for (int r = 0; r < v.height; r++)
            rows[r] = reals(a, s, to) + (size_t)r * width * RING_LANES;
        t[s]->ring->sums(&v, &g, sum, sum + RING_LANES);
        if (plain)
            g.slope = NULL;
        t[s]->ring->map(&v, &g, rows, 0, sum + 2 * RING_LANES);
        t[s]->ring->outer(&v, rows, 0, reals(a, s, dw));
    }
    arena_check(a, t[1]->name, "sums, map or outer", c.pixels);
}

static void check_read(Arena *a, const Kernels *const *t)
{
    const int height = draw(&a->rng, 1, 4), width = draw(&a->rng, 1, 20);
    const int groups = draw(&a->rng, 1, 10);
    const int channels = groups * RING_LANES - (draw(&a->rng, 0, 2) ? 0 : draw(&a->rng, 1, 15));
    const size_t row = ((size_t)width + rng_below(&a->rng, 3)) * (size_t)channels;
    const size_t pixels = (size_t)height * (size_t)width, all = pixels * (size_t)groups;
    const int q = bytes_new(a, (size_t)height * row);
    const int to = reals_new(a, all * RING_LANES, false);
    for (int s = 0; s < 2; s++) {
        Real *rows[ROWS];
        for (int r = 0; r < height; r++)
            rows[r] = reals(a, s, to) + (size_t)(height - 1 - r) * (size_t)width * RING_LANES;
        const RingRead read = {.q = (const int8_t *)a->data[s][q],
                               .row = row,
                               .height = height,
                               .width = width,
                               .channels = channels,
                               .group = pixels * RING_LANES,
                               .zero_point = -37};
        t[s]->ring->read(&read, rows);
    }
    arena_check(a, t[1]->name, "read", all);
}

typedef void (*KernelCheck)(Arena *a, const Kernels *const *t);
static const KernelCheck checks[] = {check_gather, check_gradients, check_read};

START_TEST(levels_agree)
{
    Arena a = {.rng = rng_at(SEED, RNG_TEST, (uint64_t)_i, 0)};
    for (int level = 0; level < 3; level++) {
        const Kernels *tables[2] = {&kernels_ref, kernels_at(level)};
        for (int i = 0; i < CASES && tables[1]; i++)
            checks[_i](&a, tables);
    }
}
END_TEST

static void run_checks(const void *ring)
{
    Kernels level = kernels_ref;
    const Kernels *tables[2] = {&kernels_ref, &level};
    Arena a = {.rng = rng_at(SEED, RNG_TEST, 0, 0)};
    level.ring = ring;
    for (size_t c = 0; c < sizeof checks / sizeof checks[0]; c++)
        for (int i = 0; i < 8; i++)
            checks[c](&a, tables);
}

START_TEST(every_function_has_a_case)
{
    const Kernels *k = kernels_at(_i);
    if (k)
        walk_table(k->ring, sizeof *k->ring, 0, k->name, run_checks);
}
END_TEST

/* Two pixels of two channels, worked out by hand: y = 2 (3 x + 1), of which the second channel's
 * gradient is masked. */
START_TEST(a_window_by_hand)
{
    for (int level = 0; level < 3; level++) {
        const Kernels *k = kernels_at(level);
        Real ring[2][RING_LANES] = {{1, 2}, {3, 4}}, w[RING_LANES] = {3, 3};
        const Real scale[RING_LANES] = {2, 2}, bias[RING_LANES] = {1, 1};
        const Real one[RING_LANES] = {1, 1}, none[RING_LANES] = {0}, dy[2][2] = {{5, 6}, {7, 8}};
        const uint8_t mask[2] = {1, 3};
        Real y[4], sum[RING_LANES] = {0}, product[RING_LANES] = {0}, total[RING_LANES] = {0};
        Real to[2][RING_LANES], dw[RING_LANES] = {0};
        const Real *rows[] = {ring[0]};
        Real *out[] = {to[0]};
        const RingWindow v = {.rows = rows,
                              .tap_row = 1,
                              .row_step = 1,
                              .col_step = RING_LANES,
                              .tap_col = RING_LANES,
                              .height = 1,
                              .width = 2,
                              .channels = 2,
                              .taps_h = 1,
                              .taps_w = 1,
                              .w = w,
                              .scale = scale,
                              .bias = bias};
        const RingGrad g = {.dy = dy[0],
                            .mask = mask,
                            .ld = 2,
                            .mask_ld = 1,
                            .pivot = one,
                            .slope = one,
                            .of_y = none,
                            .shift = none};
        if (!k)
            continue;
        k->ring->gather(&v, false, y, 4, 2);
        ck_assert(y[0] == 8 && y[1] == 14 && y[2] == 20 && y[3] == 26);
        k->ring->sums(&v, &g, sum, product);
        ck_assert(sum[0] == 12 && sum[1] == 8);
        ck_assert(product[0] == 5 * 7 + 7 * 19 && product[1] == 8 * 25);
        k->ring->map(&v, &g, out, 0, total);
        ck_assert(to[0][0] == 5 && to[0][1] == 0 && to[1][0] == 7 && to[1][1] == 8);
        ck_assert(total[0] == 12 && total[1] == 8);
        k->ring->outer(&v, out, 0, dw);
        ck_assert(dw[0] == 5 * 1 + 7 * 3 && dw[1] == 8 * 4);
    }
}
END_TEST

Suite *suite_kerncheck_ring(void)
{
    Suite *s = suite_create("kerncheck_ring");
    TCase *t = tcase_create("kerncheck_ring");
    tcase_add_loop_test(t, levels_agree, 0, (int)(sizeof checks / sizeof checks[0]));
    tcase_add_loop_test(t, every_function_has_a_case, 0, 3);
    tcase_add_test(t, a_window_by_hand);
    suite_add_tcase(s, t);
    return s;
}
