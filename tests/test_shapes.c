/* Tests of the drawn shapes: outlines, what they cover, and the images made of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "datasets/kind.h"
#include "datasets/outline.h"
#include "tests/expect.h"
#include "tests/suites.h"

#include <check.h>
#include <string.h>

static Dataset *open_shapes(DatasetOptions options)
{
    Error e = {0};
    Dataset *d = NULL;
    OK(dataset_open_kind(&d, &dataset_shapes, &options, "/nonexistent", &e));
    return d;
}

static uint32_t crc32_of(uint32_t crc, const uint8_t *bytes, size_t count)
{
    crc = ~crc;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

static const Pose pixel_pose = {
    .xx = 4 * PIXEL_UNIT, .yy = 4 * PIXEL_UNIT, .x0 = 16 * PIXEL_UNIT, .y0 = 16 * PIXEL_UNIT};

static int64_t mask_sum(const Mask *m)
{
    int64_t sum = 0;
    for (int i = 0; i < RASTER_SIDE * RASTER_SIDE; i++) {
        ck_assert_uint_le(m->cover[i], COVER_FULL);
        if (i / RASTER_SIDE < m->top || i / RASTER_SIDE >= m->bottom)
            ck_assert_uint_eq(m->cover[i], 0);
        sum += m->cover[i];
    }
    return sum;
}

static void rectangle(Outline *o, int x0, int y0, int x1, int y1)
{
    outline_begin(o, x0, y0);
    outline_line(o, x1, y0);
    outline_line(o, x1, y1);
    outline_line(o, x0, y1);
}

START_TEST(outline_covers_exactly)
{
    Outline o = {0};
    Mask m;
    rectangle(&o, -1024, -1024, 1024, 1024); /* 8x8 pixels */
    outline_cover(&o, &pixel_pose, &m);
    ck_assert_int_eq(mask_sum(&m), 64 * COVER_FULL);
    ck_assert_int_eq(m.top, 12);
    ck_assert_int_eq(m.bottom, 20);
    ck_assert_uint_eq(m.cover[12 * RASTER_SIDE + 12], COVER_FULL);
    ck_assert_uint_eq(m.cover[12 * RASTER_SIDE + 11], 0);
    rectangle(&o, -512, -512, 512, 512); /* a hole of 4x4 */
    outline_cover(&o, &pixel_pose, &m);
    ck_assert_int_eq(mask_sum(&m), 48 * COVER_FULL);
    ck_assert_uint_eq(m.cover[16 * RASTER_SIDE + 16], 0);
    Pose half = pixel_pose;
    half.x0 += PIXEL_UNIT / 4;
    half.y0 += PIXEL_UNIT / 2;
    outline_cover(&o, &half, &m);
    ck_assert_int_eq(mask_sum(&m), 48 * COVER_FULL);
    ck_assert_uint_eq(m.cover[12 * RASTER_SIDE + 12], COVER_FULL * 3 / 8);
}
END_TEST

START_TEST(outline_is_cut_at_the_border)
{
    Outline o = {0};
    Mask m;
    rectangle(&o, -1024, -1024, 1024, 1024);
    Pose corner = pixel_pose;
    corner.x0 = 0;
    corner.y0 = RASTER_SIDE * PIXEL_UNIT;
    outline_cover(&o, &corner, &m);
    ck_assert_int_eq(mask_sum(&m), 16 * COVER_FULL);
    corner.x0 = -8 * PIXEL_UNIT;
    outline_cover(&o, &corner, &m);
    ck_assert_int_eq(mask_sum(&m), 0);
    corner.x0 = 16 * PIXEL_UNIT;
    corner.y0 = -8 * PIXEL_UNIT;
    outline_cover(&o, &corner, &m);
    ck_assert_int_eq(mask_sum(&m), 0);
}
END_TEST

START_TEST(circle_has_its_area)
{
    Outline o = {0};
    Mask m;
    outline_circle(&o, 0, 0, 1024);
    Pose big = {
        .xx = 10 * PIXEL_UNIT, .yy = 10 * PIXEL_UNIT, .x0 = 16 * PIXEL_UNIT, .y0 = 16 * PIXEL_UNIT};
    outline_cover(&o, &big, &m);
    double area = (double)mask_sum(&m) / COVER_FULL; /* a 32-gon: 0.6 % less than 314.2 */
    ck_assert_double_ge(area, 310.0);
    ck_assert_double_le(area, 314.2);
    for (int angle = -TURN; angle < 2 * TURN; angle += 7) {
        int s = turn_sin(angle), c = turn_cos(angle);
        ck_assert_int_eq(s, turn_cos(angle - TURN / 4));
        ck_assert_int_eq(s, -turn_sin(angle + TURN / 2));
        double length = (double)(s * s + c * c) / ((double)TRIG_UNIT * TRIG_UNIT);
        ck_assert_double_ge(length, 0.996);
        ck_assert_double_le(length, 1.0002);
    }
}
END_TEST

/* The drawn images must be the same everywhere: on another compiler or processor, and next year. */
START_TEST(shapes_are_these)
{
    Error e = {0};
    static const uint32_t expected[DATASET_SPLITS] = {0x9F4F05AB, 0x64A2268B};
    Dataset *d = open_shapes((DatasetOptions){.train = 100, .test = 100, .seed = 1});
    for (int split = 0; split < DATASET_SPLITS; split++) {
        uint32_t crc = 0;
        for (int i = 0; i < 100; i++) {
            uint8_t pixels[3072];
            int32_t label;
            OK(dataset_sample(d, (DatasetSplit)split, 0, i, pixels, &label, &e));
            ck_assert_int_eq(label, i % 10);
            crc = crc32_of(crc, pixels, sizeof pixels);
        }
        ck_assert_msg(crc == expected[split], "split %d: crc is 0x%08X", split, crc);
    }
    dataset_close(d);
}
END_TEST

START_TEST(shapes_depend_on_what_they_should)
{
    Error e = {0};
    DatasetOptions o = {.train = 50, .test = 50, .seed = 1};
    Dataset *fixed = open_shapes(o);
    o.fresh = true;
    Dataset *fresh = open_shapes(o);
    o.seed = 2;
    Dataset *other = open_shapes(o);
    uint8_t a[3072], b[3072];
    int32_t label;
    const struct {
        const Dataset *d[2];
        DatasetSplit split[2];
        int epoch[2];
        bool same;
    } cases[] = {
        {{fixed, fixed}, {DATASET_TRAIN, DATASET_TRAIN}, {0, 3}, true},
        {{fixed, fresh}, {DATASET_TRAIN, DATASET_TRAIN}, {0, 0}, true},
        {{fresh, fresh}, {DATASET_TRAIN, DATASET_TRAIN}, {3, 3}, true},
        {{fresh, fresh}, {DATASET_TRAIN, DATASET_TRAIN}, {0, 3}, false},
        {{fresh, fixed}, {DATASET_TEST, DATASET_TEST}, {0, 3}, true},
        {{fixed, fixed}, {DATASET_TRAIN, DATASET_TEST}, {0, 0}, false},
        {{fresh, other}, {DATASET_TRAIN, DATASET_TRAIN}, {0, 0}, false},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        for (int i = 49; i >= 0; i -= 7) { /* out of order */
            OK(dataset_sample(cases[k].d[0], cases[k].split[0], cases[k].epoch[0], i, a, &label,
                              &e));
            OK(dataset_sample(cases[k].d[1], cases[k].split[1], cases[k].epoch[1], i, b, &label,
                              &e));
            ck_assert_msg((memcmp(a, b, sizeof a) == 0) == cases[k].same, "case %zu, index %d", k,
                          i);
        }
    }
    dataset_close(fixed);
    dataset_close(fresh);
    dataset_close(other);
}
END_TEST

Suite *suite_shapes(void)
{
    Suite *s = suite_create("shapes");
    TCase *shapes = tcase_create("shapes");
    tcase_add_test(shapes, outline_covers_exactly);
    tcase_add_test(shapes, outline_is_cut_at_the_border);
    tcase_add_test(shapes, circle_has_its_area);
    tcase_add_test(shapes, shapes_are_these);
    tcase_add_test(shapes, shapes_depend_on_what_they_should);
    suite_add_tcase(s, shapes);
    return s;
}
