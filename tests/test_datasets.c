/* Tests of the data sets: options, drawn kinds, outlines and augmentation. SPDX-License-Identifier: Apache-2.0 */
#include "datasets/augment.h"
#include "datasets/kind.h"
#include "datasets/outline.h"
#include "tests/expect.h"
#include "tests/suites.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static Dataset *open_kind(const DatasetKind *kind, DatasetOptions options)
{
    Error e = {0};
    Dataset *d = NULL;
    OK(dataset_open_kind(&d, kind, &options, "/nonexistent", &e));
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

/* ---- options and kinds ----------------------------------------------------------------------- */

START_TEST(option_tables_are_sound)
{
    Error e = {0};
    OK(option_table_check(&dataset_options, &e));
    OK(option_table_check(&augment_options, &e));
}
END_TEST

START_TEST(kind_number_out_of_range)
{
    Error e = {0};
    Dataset *d = NULL;
    DatasetOptions o = {.kind = 99};
    ck_assert_int_eq(dataset_open(&d, &o, NULL, &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, "dataset: there is no kind number 99");
    ck_assert_ptr_null(d);
    dataset_close(d);
}
END_TEST

START_TEST(root_comes_from_the_environment)
{
    ck_assert_int_eq(setenv("HONE_DATA", "/srv/data", 1), 0);
    ck_assert_str_eq(dataset_root(), "/srv/data");
    ck_assert_int_eq(setenv("HONE_DATA", "", 1), 0);
    ck_assert_str_eq(dataset_root(), "./data");
    ck_assert_int_eq(unsetenv("HONE_DATA"), 0);
    ck_assert_str_eq(dataset_root(), "./data");
}
END_TEST

START_TEST(class_names)
{
    char buffer[24];
    Dataset *named = open_kind(&dataset_shapes, (DatasetOptions){.train = 1, .test = 1});
    Dataset *bare =
        open_kind(&dataset_random,
                  (DatasetOptions){.shape = {3, {1, 1, 1}}, .classes = 8, .train = 1, .test = 1});
    ck_assert_str_eq(dataset_class_name(named, 7, buffer, sizeof buffer), "star");
    ck_assert_str_eq(dataset_class_name(bare, 7, buffer, sizeof buffer), "class 7");
    dataset_close(named);
    dataset_close(bare);
}
END_TEST

START_TEST(random_holds_its_images)
{
    Error e = {0};
    DatasetOptions o = {.shape = {3, {4, 3, 2}}, .classes = 5, .train = 40, .test = 7, .seed = 3};
    Dataset *a = open_kind(&dataset_random, o), *b = open_kind(&dataset_random, o);
    const DatasetInfo *info = dataset_info(a);
    ck_assert_uint_eq(info->sample_bytes, 24);
    ck_assert_int_eq(info->count[DATASET_TRAIN], 40);
    ck_assert_int_eq(info->count[DATASET_TEST], 7);
    uint8_t p[24], q[24];
    int32_t l, m, seen = 0;
    for (int i = 0; i < 40; i++) {
        OK(dataset_sample(a, DATASET_TRAIN, 0, i, p, &l, &e));
        OK(dataset_sample(b, DATASET_TRAIN, 5, i, q, &m, &e));
        ck_assert_mem_eq(p, q, sizeof p);
        ck_assert_int_eq(l, m);
        ck_assert(l >= 0 && l < 5);
        seen |= 1 << l;
    }
    ck_assert_int_eq(seen, 31);
    OK(dataset_sample(b, DATASET_TEST, 0, 0, q, &m, &e));
    OK(dataset_sample(a, DATASET_TRAIN, 0, 0, p, &l, &e));
    ck_assert_mem_ne(p, q, sizeof p);
    dataset_close(a);
    dataset_close(b);
    o.shape.count = 2;
    ck_assert_int_eq(dataset_open_kind(&a, &dataset_random, &o, "", &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, "dataset 'random': shape has 2 numbers, it takes "
                             "[height, width, channels]");
}
END_TEST

/* ---- anomalies ------------------------------------------------------------------------------- */

/* A kind whose samples are their own number, and classes take turns. */
static int probe_open(void **state, const DatasetOptions *options, const char *root,
                      DatasetInfo *info, Error *e)
{
    (void)state;
    (void)root;
    (void)e;
    info->count[DATASET_TRAIN] = options->train;
    info->count[DATASET_TEST] = options->test;
    info->height = info->width = info->channels = 1;
    info->classes = 5;
    return HONE_OK;
}

static int probe_sample(const void *state, DatasetSplit split, int64_t epoch, int64_t index,
                        uint8_t *pixels, int32_t *label, Error *e)
{
    (void)state;
    (void)split;
    (void)e;
    if (pixels != NULL)
        *pixels = (uint8_t)(index + 100 * epoch);
    *label = (int32_t)(index % 5);
    return HONE_OK;
}

static int probe_vary(const void *state, const DatasetVary *vary, int64_t epoch, int64_t index,
                      uint8_t *pixels, int32_t *label, Error *e)
{
    (void)vary;
    return probe_sample(state, DATASET_TRAIN, epoch + 1, index, pixels, label, e);
}

static void probe_close(void *state)
{
    (void)state;
}

static const DatasetKind probe = {.variant = {.choice = "probe"},
                                  .open = probe_open,
                                  .sample = probe_sample,
                                  .vary = probe_vary,
                                  .close = probe_close};

/* Training has classes 1 and 3 alone; the test split has all, told apart. */
START_TEST(normal_and_anomaly)
{
    Error e = {0};
    char buffer[24];
    uint8_t pixel;
    int32_t label;
    Dataset *d =
        open_kind(&probe, (DatasetOptions){.train = 20, .test = 10, .normal = {3, {3, 1, 3}}});
    const DatasetInfo *info = dataset_info(d);
    ck_assert_int_eq(info->count[DATASET_TRAIN], 8);
    ck_assert_int_eq(info->count[DATASET_TEST], 10);
    ck_assert_int_eq(info->classes, 2);
    ck_assert_str_eq(dataset_class_name(d, 0, buffer, sizeof buffer), "normal");
    ck_assert_str_eq(dataset_class_name(d, 1, buffer, sizeof buffer), "anomaly");
    for (int i = 0; i < 8; i++) {
        const int was = i / 2 * 5 + (i % 2 ? 3 : 1);
        OK(dataset_sample(d, DATASET_TRAIN, 2, i, &pixel, &label, &e));
        ck_assert_int_eq(pixel, (uint8_t)(was + 200));
        ck_assert_int_eq(label, 0);
        OK(dataset_vary(d, NULL, 0, i, &pixel, &label, &e));
        ck_assert_int_eq(pixel, (uint8_t)(was + 100));
        ck_assert_int_eq(label, 0);
    }
    for (int i = 0; i < 10; i++) {
        OK(dataset_sample(d, DATASET_TEST, 0, i, &pixel, &label, &e));
        ck_assert_int_eq(pixel, i);
        ck_assert_int_eq(label, i % 5 != 1 && i % 5 != 3);
    }
    dataset_close(d);
}
END_TEST

START_TEST(normal_refused)
{
    static const struct {
        DatasetOptions options;
        const char *sentence;
    } cases[] = {
        {{.train = 9, .normal = {1, {5}}}, "probe: dataset.normal names class 5, there are 0..4"},
        {{.train = 9, .normal = {5, {4, 3, 2, 1, 0}}},
         "probe: dataset.normal names all 5 classes and leaves none for anomalies"},
        {{.train = 4, .normal = {1, {4}}},
         "probe: none of the 4 training samples is of a class in dataset.normal"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Error e = {0};
        Dataset *d = NULL;
        ck_assert_int_eq(dataset_open_kind(&d, &probe, &cases[i].options, "", &e), HONE_ERR_CONFIG);
        ck_assert_str_eq(e.text, cases[i].sentence);
        ck_assert_ptr_null(d);
    }
}
END_TEST

/* ---- outlines and shapes --------------------------------------------------------------------- */

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
    Dataset *d = open_kind(&dataset_shapes, (DatasetOptions){.train = 100, .test = 100, .seed = 1});
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
    Dataset *fixed = open_kind(&dataset_shapes, o);
    o.fresh = true;
    Dataset *fresh = open_kind(&dataset_shapes, o);
    o.seed = 2;
    Dataset *other = open_kind(&dataset_shapes, o);
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

/* ---- augmentation ---------------------------------------------------------------------------- */

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

Suite *suite_datasets(void)
{
    Suite *s = suite_create("datasets");
    TCase *kinds = tcase_create("kinds");
    tcase_add_test(kinds, option_tables_are_sound);
    tcase_add_test(kinds, kind_number_out_of_range);
    tcase_add_test(kinds, root_comes_from_the_environment);
    tcase_add_test(kinds, class_names);
    tcase_add_test(kinds, random_holds_its_images);
    tcase_add_test(kinds, normal_and_anomaly);
    tcase_add_test(kinds, normal_refused);
    suite_add_tcase(s, kinds);
    TCase *shapes = tcase_create("shapes");
    tcase_add_test(shapes, outline_covers_exactly);
    tcase_add_test(shapes, outline_is_cut_at_the_border);
    tcase_add_test(shapes, circle_has_its_area);
    tcase_add_test(shapes, shapes_are_these);
    tcase_add_test(shapes, shapes_depend_on_what_they_should);
    suite_add_tcase(s, shapes);
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
