/* Tests of augmentation: moves, tones, holes, and mixing two images. SPDX-License-Identifier: Apache-2.0 */
#include "datasets/augment.h"
#include "tests/suites.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(augment_moves_and_mirrors)
{
    static const uint8_t in[2 * 3 * 2] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const struct {
        int dy, dx;
        bool mirror;
        uint8_t out[12];
    } cases[] = {
        {0, 0, false, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
        {0, 0, true, {5, 6, 3, 4, 1, 2, 11, 12, 9, 10, 7, 8}},
        {0, 1, false, {3, 4, 5, 6, 128, 128, 9, 10, 11, 12, 128, 128}},
        {0, 1, true, {128, 128, 5, 6, 3, 4, 128, 128, 11, 12, 9, 10}},
        {1, -1, false, {128, 128, 7, 8, 9, 10, 128, 128, 128, 128, 128, 128}},
        {-1, 0, false, {128, 128, 128, 128, 128, 128, 1, 2, 3, 4, 5, 6}},
        {5, 0, false, {128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128}},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        uint8_t out[12], used[12];
        AugmentDraw draw = {
            .dy = cases[k].dy, .dx = cases[k].dx, .mirror = cases[k].mirror, .gain = AUGMENT_ONE};
        memcpy(used, in, sizeof used);
        augment_apply(&draw, 2, 3, 2, used, out);
        ck_assert_msg(memcmp(out, cases[k].out, sizeof out) == 0, "case %zu", k);
    }
}
END_TEST

START_TEST(augment_draws_evenly_and_repeatably)
{
    enum { DRAWS = 9000 };
    AugmentOptions both = {.flip = true, .crop = 1}, crop = {.crop = 1}, none = {0};
    int places[9] = {0}, mirrored = 0, changed = 0;
    for (int i = 0; i < DRAWS; i++) {
        AugmentDraw a = augment_draw(&both, 7, 2, i), b = augment_draw(&both, 7, 2, i);
        AugmentDraw c = augment_draw(&crop, 7, 2, i), d = augment_draw(&both, 7, 3, i);
        ck_assert(a.dy == b.dy && a.dx == b.dx && a.mirror == b.mirror);
        ck_assert(a.dy == c.dy && a.dx == c.dx && !c.mirror);
        ck_assert(abs(a.dy) <= 1 && abs(a.dx) <= 1);
        places[(a.dy + 1) * 3 + a.dx + 1]++;
        mirrored += a.mirror;
        changed += a.dy != d.dy || a.dx != d.dx || a.mirror != d.mirror;
    }
    for (int k = 0; k < 9; k++)
        ck_assert(places[k] > 850 && places[k] < 1150); /* 1000 +- 5 deviations */
    ck_assert(mirrored > 4260 && mirrored < 4740);
    ck_assert(changed > 8000); /* 17 of 18 */
    ck_assert(augment_is_identity(&none));
    ck_assert(!augment_is_identity(&crop));
}
END_TEST

START_TEST(augment_tones)
{
    const struct {
        int32_t gain, lift;
        uint8_t in[4], out[4];
    } cases[] = {
        {AUGMENT_ONE, 0, {0, 1, 128, 255}, {0, 1, 128, 255}},
        {AUGMENT_ONE, 10 * AUGMENT_ONE, {0, 1, 128, 250}, {10, 11, 138, 255}},
        {AUGMENT_ONE, -10 * AUGMENT_ONE, {0, 11, 128, 255}, {0, 1, 118, 245}},
        {AUGMENT_ONE / 2, 0, {0, 127, 129, 255}, {64, 128, 129, 192}}, /* halves up */
        {2 * AUGMENT_ONE, AUGMENT_ONE, {0, 100, 128, 255}, {0, 73, 129, 255}},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        uint8_t in[4], out[4];
        AugmentDraw draw = {.gain = cases[k].gain, .lift = cases[k].lift};
        memcpy(in, cases[k].in, sizeof in);
        augment_apply(&draw, 2, 2, 1, in, out);
        ck_assert_msg(memcmp(out, cases[k].out, sizeof out) == 0, "case %zu", k);
    }
}
END_TEST

/* Holes of side 3 around every pixel: what lies inside the image is 128, all else untouched. */
START_TEST(augment_blanks)
{
    enum { H = 5, W = 7 };
    for (int place = 0; place < H * W; place++) {
        uint8_t in[H * W], out[H * W];
        int at_y = place / W, at_x = place % W;
        AugmentDraw draw = {.gain = AUGMENT_ONE, .hole = 3};
        draw.hole_y = (uint32_t)(((uint64_t)at_y << 24) / H + 1);
        draw.hole_x = (uint32_t)(((uint64_t)at_x << 24) / W + 1);
        memset(in, 7, sizeof in);
        augment_apply(&draw, H, W, 1, in, out);
        for (int i = 0; i < H * W; i++) {
            bool inside = abs(i / W - at_y) <= 1 && abs(i % W - at_x) <= 1;
            ck_assert_uint_eq(out[i], inside ? AUGMENT_PAD : 7);
        }
    }
}
END_TEST

/* New options leave the moves of a run alone, and use their whole range. */
START_TEST(augment_draws_tones)
{
    AugmentOptions move = {.flip = true, .crop = 3}, all = move;
    int64_t sum = 0, least = AUGMENT_ONE, most = 0;
    all.brightness = 0.5;
    all.contrast = 0.25;
    all.cutout = 8;
    for (int i = 0; i < 4000; i++) {
        AugmentDraw a = augment_draw(&move, 3, 1, i), b = augment_draw(&all, 3, 1, i);
        ck_assert(a.dy == b.dy && a.dx == b.dx && a.mirror == b.mirror);
        ck_assert(a.gain == AUGMENT_ONE && a.lift == 0 && a.hole == 0 && b.hole == 8);
        ck_assert(abs(b.lift) <= 128 * AUGMENT_ONE);
        sum += b.gain - AUGMENT_ONE;
        least = b.gain < least ? b.gain : least;
        most = b.gain > most ? b.gain : most;
    }
    ck_assert(least >= AUGMENT_ONE * 3 / 4 && least < AUGMENT_ONE * 3 / 4 + 200);
    ck_assert(most <= AUGMENT_ONE * 5 / 4 && most > AUGMENT_ONE * 5 / 4 - 200);
    ck_assert(llabs(sum) / 4000 < 800); /* 5 deviations of the mean */
    ck_assert(!augment_is_identity(&all));
    ck_assert(!augment_is_identity(&(AugmentOptions){.cutout = 1}));
    ck_assert(!augment_is_identity(&(AugmentOptions){.contrast = 0.1}));
    ck_assert(augment_is_identity(&(AugmentOptions){.mixup = 0.2})); /* not of one image */
}
END_TEST

/* The mean of min(b, 1 - b): 1/4 of Beta(1, 1), which is uniform; E of Beta(a, a) tends to 0 and to 1/2
 * as a does to 0 and infinity. */
START_TEST(mixup_draws_beta)
{
    static const struct {
        double alpha, mean;
    } cases[] = {{1, 0.25}, {2, 0.3125}, {0.5, 0.5 - 1 / 3.14159265358979}, {1e-3, 0}, {100, 0.5}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        AugmentOptions o = {.mixup = cases[k].alpha};
        double sum = 0;
        int64_t partners = 0;
        for (int i = 0; i < 20000; i++) {
            AugmentMix a = augment_mix(&o, 9, 4, i, 1000), b = augment_mix(&o, 9, 4, i, 1000);
            ck_assert(a.partner == b.partner && a.share == b.share);
            ck_assert(a.partner >= 0 && a.partner < 1000);
            ck_assert(a.share >= 0 && a.share <= AUGMENT_WHOLE / 2);
            sum += (double)a.share / AUGMENT_WHOLE;
            partners += a.partner;
        }
        ck_assert_double_eq_tol(sum / 20000, cases[k].mean, cases[k].alpha > 50 ? 0.04 : 0.006);
        ck_assert(llabs(partners / 20000 - 499) < 12);
    }
    ck_assert_int_eq(augment_mix(&(AugmentOptions){0}, 9, 4, 1, 1000).share, 0);
}
END_TEST

START_TEST(mixup_blends)
{
    uint8_t pixels[] = {0, 255, 100, 7}, other[] = {255, 0, 100, 8};
    augment_blend(64, other, pixels, 4);
    ck_assert_mem_eq(pixels, ((uint8_t[]){64, 191, 100, 7}), 4);
    augment_blend(128, other, pixels, 4);
    ck_assert_mem_eq(pixels, ((uint8_t[]){160, 96, 100, 8}), 4);
    augment_blend(0, pixels, other, 4);
    ck_assert_mem_eq(other, ((uint8_t[]){255, 0, 100, 8}), 4);
}
END_TEST

Suite *suite_augment(void)
{
    Suite *s = suite_create("augment");
    TCase *augment = tcase_create("augment");
    tcase_add_test(augment, augment_moves_and_mirrors);
    tcase_add_test(augment, augment_draws_evenly_and_repeatably);
    tcase_add_test(augment, augment_tones);
    tcase_add_test(augment, augment_blanks);
    tcase_add_test(augment, augment_draws_tones);
    tcase_add_test(augment, mixup_draws_beta);
    tcase_add_test(augment, mixup_blends);
    suite_add_tcase(s, augment);
    return s;
}
