/* The built-in drawn set: one of ten outlines on a cluttered ground, 32x32 in colour.
 *
 * Colour, pose (place, size, rotation, stretch, shear), shading, ground, clutter, an occluding bar
 * and noise are random and tell nothing about the class; only the outline does. It is the stand-in
 * for photographs where nothing may be downloaded, not a benchmark known elsewhere.
 *
 * All arithmetic is on integers, so that the images are the same everywhere. An image is a pure
 * function of (seed, split, index), with `fresh` of (seed, split, epoch, index): every random
 * number comes from one Philox stream at that place. Classes take turns: label = index mod 10.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "core/rng.h"
#include "datasets/kind.h"
#include "datasets/outline.h"

/* What decides how hard the set is: MobileNetV2 of width 0.35 (3.9 M MACs) reaches some 93 % of the
 * test images after 12 epochs of 8000. Lengths in PIXEL_UNIT, fractions in 1/1024. */
enum {
    EXTENT_MIN = 2000,     /* half the object's size: from 7.8 */
    EXTENT_MAX = 3400,     /* to 13.3 pixels */
    OFF_CENTRE = 700,      /* of its centre from the image's, each way */
    TILT = TURN * 3 / 32,  /* rotation, each way: 34 degrees */
    STRETCH = 160,         /* of one axis against the other, each way */
    SHEAR = 160,           /* each way */
    GROUND_MIN = 64,       /* the ground's channels at the centre: from */
    GROUND_MAX = 192,      /* to */
    CONTRAST_MIN = 30,     /* object against ground, in every channel: from */
    CONTRAST_MAX = 110,    /* to */
    CLUTTER_CONTRAST = 60, /* patch or bar against ground, at most */
    SHADE = 24,            /* change of a colour per pixel, in 1/16, each way */
    CLUTTER_MIN = 1,       /* patches behind the object: from */
    CLUTTER_MAX = 3,       /* to */
    OCCLUDED = 500,        /* share of images with a bar over the object */
    BAR_MIN = 130,         /* its half width, as a fraction of the object's size: from */
    BAR_MAX = 310,         /* to */
    TEXTURE = 14,          /* amplitude of the ground's lattice noise */
    NOISE_MIN = 4,         /* standard deviation of the pixel noise times 2.5: from */
    NOISE_MAX = 26         /* to */
};

enum {
    SIDE = RASTER_SIDE,
    CHANNELS = 3,
    VALUES = SIDE * SIDE * CHANNELS,
    CLASSES = 10,
    LATTICE = 5, /* knots of the ground's texture, both ways */
    LATTICE_STEP = SIDE / (LATTICE - 1)
};

static const char *const class_names[CLASSES] = {"disc",   "ring",  "crescent", "heart", "triangle",
                                                 "square", "cross", "star",     "arrow", "wave"};

typedef struct ShapesSet {
    uint64_t seed;
    bool fresh;
    Outline outlines[CLASSES];
} ShapesSet;

/* A colour that changes evenly over the image, in 1/16 of a byte step. */
typedef struct Paint {
    int middle[CHANNELS];                /* at the image's centre */
    int right[CHANNELS], down[CHANNELS]; /* change per pixel */
} Paint;

/* ---- the outlines, in the plane of outline.h ------------------------------------------------- */

static void polygon(Outline *o, const int16_t (*points)[2], int count)
{
    outline_begin(o, points[0][0], points[0][1]);
    for (int i = 1; i < count; i++)
        outline_line(o, points[i][0], points[i][1]);
}

/* Corners at even angles, alternating between two radii. */
static void spikes(Outline *o, int corners, int outer, int inner)
{
    for (int i = 0; i < corners; i++) {
        int radius = i % 2 == 0 ? outer : inner;
        int angle = TURN * i / corners - TURN / 4; /* the first points up */
        int x = radius * turn_cos(angle) / TRIG_UNIT;
        int y = radius * turn_sin(angle) / TRIG_UNIT;
        if (i == 0)
            outline_begin(o, x, y);
        else
            outline_line(o, x, y);
    }
}

static void draw_outlines(Outline outlines[CLASSES])
{
    static const int16_t square[][2] = {{-760, -760}, {760, -760}, {760, 760}, {-760, 760}};
    static const int16_t cross[][2] = {{-300, -920}, {300, -920}, {300, -300},  {920, -300},
                                       {920, 300},   {300, 300},  {300, 920},   {-300, 920},
                                       {-300, 300},  {-920, 300}, {-920, -300}, {-300, -300}};
    static const int16_t arrow[][2] = {{0, -960},   {760, -60},  {260, -60}, {260, 900},
                                       {-260, 900}, {-260, -60}, {-760, -60}};
    Outline *o = outlines;
    outline_circle(o++, 0, 0, 860);
    outline_circle(o, 0, 0, 900); /* ring */
    outline_circle(o++, 0, 0, 480);
    outline_begin(o, 560, 700); /* crescent: around the left, back along a shifted circle */
    outline_arc(o, 0, 0, 900, 10, 54);
    outline_arc(o++, 420, 0, 760, 49, 15);
    outline_begin(o, 0, 950); /* heart: from the tip over the right lobe and the left */
    outline_arc(o, 430, -300, 470, 6, -27);
    outline_arc(o++, -430, -300, 470, -5, -38);
    spikes(o++, 3, 1080, 1080);
    polygon(o++, square, 4);
    polygon(o++, cross, 12);
    spikes(o++, 10, 1060, 440);
    polygon(o++, arrow, 7);
    outline_begin(o, 527, -638); /* wave: two arcs and back, a band 300 wide */
    outline_arc(o, 0, -420, 570, -4, -48);
    outline_arc(o, 0, 420, 270, -16, 28);
    outline_arc(o, 0, 420, 570, 28, -16);
    outline_arc(o, 0, -420, 270, -48, -4);
}

/* ---- random parts ---------------------------------------------------------------------------- */

/* Uniform in low..high, both included. */
static int between(Rng *rng, int low, int high)
{
    return low + (int)rng_below(rng, (uint32_t)(high - low + 1));
}

/* The map to (x, y) that stretches by wide and high (PIXEL_UNIT per OUTLINE_UNIT), leans, turns. */
static Pose pose_at(int x, int y, int wide, int high, int lean, int angle)
{
    int c = turn_cos(angle), s = turn_sin(angle);
    return (Pose){.xx = wide * c / TRIG_UNIT,
                  .yx = wide * s / TRIG_UNIT,
                  .xy = (lean * c - high * s) / TRIG_UNIT,
                  .yy = (lean * s + high * c) / TRIG_UNIT,
                  .x0 = x,
                  .y0 = y};
}

/* The map of an object of half extent size (PIXEL_UNIT), stretched and sheared at random. */
static Pose random_pose(Rng *rng, int size, int x, int y, int angle)
{
    int stretch = between(rng, -STRETCH, STRETCH), shear = between(rng, -SHEAR, SHEAR);
    int wide = size * (1024 + stretch) / 1024, high = size * (1024 - stretch) / 1024;
    return pose_at(x, y, wide, high, wide * shear / 1024, angle);
}

/* Paint that is lighter than the ground in every channel, or darker in every channel, by low..high:
 * an object's edge is then one of brightness, whatever the colours. */
static Paint random_paint(Rng *rng, const Paint *ground, int low, int high)
{
    Paint p;
    int sign = between(rng, 0, 1) == 0 ? -1 : 1;
    for (int k = 0; k < CHANNELS; k++) {
        p.middle[k] = ground->middle[k] + 16 * sign * between(rng, low, high);
        p.right[k] = between(rng, -SHADE, SHADE);
        p.down[k] = between(rng, -SHADE, SHADE);
    }
    return p;
}

static int paint_at(const Paint *p, int channel, int x, int y)
{
    int v =
        p->middle[channel] + p->right[channel] * (x - SIDE / 2) + p->down[channel] * (y - SIDE / 2);
    return v < 0 ? 0 : v > 255 * 16 ? 255 * 16 : v;
}

/* Blends paint over the canvas where the mask covers it. */
static void put(int *canvas, const Mask *mask, const Paint *paint)
{
    for (int y = mask->top; y < mask->bottom; y++) {
        for (int x = 0; x < SIDE; x++) {
            int cover = mask->cover[y * SIDE + x];
            if (cover == 0)
                continue;
            int *pixel = canvas + (y * SIDE + x) * CHANNELS;
            for (int k = 0; k < CHANNELS; k++)
                pixel[k] = (pixel[k] * (COVER_FULL - cover) + paint_at(paint, k, x, y) * cover) /
                           COVER_FULL;
        }
    }
}

/* The ground: an even shade plus noise interpolated between the knots of a lattice. */
static Paint put_ground(Rng *rng, int *canvas)
{
    Paint p;
    int knots[LATTICE][LATTICE];
    for (int k = 0; k < CHANNELS; k++) {
        p.middle[k] = 16 * between(rng, GROUND_MIN, GROUND_MAX);
        p.right[k] = between(rng, -SHADE, SHADE);
        p.down[k] = between(rng, -SHADE, SHADE);
    }
    for (int i = 0; i < LATTICE * LATTICE; i++)
        knots[i / LATTICE][i % LATTICE] = between(rng, -TEXTURE * 16, TEXTURE * 16);
    for (int y = 0; y < SIDE; y++) {
        int v = y / LATTICE_STEP, down = y % LATTICE_STEP;
        for (int x = 0; x < SIDE; x++) {
            int u = x / LATTICE_STEP, right = x % LATTICE_STEP;
            int upper = knots[v][u] * (LATTICE_STEP - right) + knots[v][u + 1] * right;
            int lower = knots[v + 1][u] * (LATTICE_STEP - right) + knots[v + 1][u + 1] * right;
            int bump =
                (upper * (LATTICE_STEP - down) + lower * down) / (LATTICE_STEP * LATTICE_STEP);
            for (int k = 0; k < CHANNELS; k++) {
                int value = paint_at(&p, k, x, y) + bump;
                canvas[(y * SIDE + x) * CHANNELS + k] = value < 0 ? 0 : value;
            }
        }
    }
    return p;
}

/* A triangle or quadrangle somewhere: corners in order of angle, each at its own distance. */
static void put_patch(Rng *rng, int *canvas, const Paint *ground)
{
    Outline o = {0};
    Mask mask;
    int corners = between(rng, 3, 4), turn = between(rng, 0, TURN - 1);
    for (int i = 0; i < corners; i++) {
        int radius = between(rng, 400, OUTLINE_UNIT);
        int angle = turn + TURN * i / corners;
        int x = radius * turn_cos(angle) / TRIG_UNIT, y = radius * turn_sin(angle) / TRIG_UNIT;
        if (i == 0)
            outline_begin(&o, x, y);
        else
            outline_line(&o, x, y);
    }
    int size = between(rng, 2 * PIXEL_UNIT, 7 * PIXEL_UNIT);
    int at_x = between(rng, 0, SIDE * PIXEL_UNIT), at_y = between(rng, 0, SIDE * PIXEL_UNIT);
    Pose pose = random_pose(rng, size, at_x, at_y, 0);
    Paint paint = random_paint(rng, ground, 0, CLUTTER_CONTRAST);
    outline_cover(&o, &pose, &mask);
    put(canvas, &mask, &paint);
}

/* A bar across the object at `object`, of half extent size. */
static void put_bar(Rng *rng, int *canvas, const Paint *ground, const Pose *object, int size)
{
    static const int16_t bar[][2] = {{-1024, -1024}, {1024, -1024}, {1024, 1024}, {-1024, 1024}};
    Outline o = {0};
    Mask mask;
    polygon(&o, bar, 4);
    int angle = between(rng, 0, TURN - 1), reach = size / 2;
    int wide = between(rng, size / 2, size), high = size * between(rng, BAR_MIN, BAR_MAX) / 1024;
    int x = object->x0 + between(rng, -reach, reach);
    int y = object->y0 + between(rng, -reach, reach);
    Pose pose = pose_at(x, y, wide, high, 0, angle);
    Paint paint = random_paint(rng, ground, 0, CLUTTER_CONTRAST);
    outline_cover(&o, &pose, &mask);
    put(canvas, &mask, &paint);
}

/* Adds noise, triangular from the two halves of a random byte, and clamps to bytes. */
static void finish(Rng *rng, const int *canvas, uint8_t *pixels)
{
    int level = between(rng, NOISE_MIN, NOISE_MAX);
    for (int i = 0; i < VALUES; i += 4) {
        uint32_t word = rng_u32(rng);
        for (int k = i; k < i + 4; k++, word >>= 8) {
            int noise = (int)(word & 15) + (int)(word >> 4 & 15) - 15; /* deviation 6.5 */
            int value = (canvas[k] + noise * level) / 16;
            pixels[k] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
        }
    }
}

/* ---- the kind -------------------------------------------------------------------------------- */

static int shapes_sample(const void *state, DatasetSplit split, int64_t epoch, int64_t index,
                         uint8_t *pixels, int32_t *label, Error *e)
{
    (void)e;
    const ShapesSet *set = state;
    uint64_t drawing = set->fresh && split == DATASET_TRAIN ? (uint64_t)epoch : 0;
    Rng rng =
        rng_at(set->seed, RNG_DATA, (uint64_t)split + DATASET_SPLITS * drawing, (uint64_t)index);
    int canvas[VALUES]; /* 1/16 of a byte step */
    Mask mask;
    *label = (int32_t)(index % CLASSES);
    if (pixels == NULL)
        return HONE_OK;
    Paint ground = put_ground(&rng, canvas);
    for (int patches = between(&rng, CLUTTER_MIN, CLUTTER_MAX); patches > 0; patches--)
        put_patch(&rng, canvas, &ground);
    int size = between(&rng, EXTENT_MIN, EXTENT_MAX);
    int x = SIDE / 2 * PIXEL_UNIT + between(&rng, -OFF_CENTRE, OFF_CENTRE);
    int y = SIDE / 2 * PIXEL_UNIT + between(&rng, -OFF_CENTRE, OFF_CENTRE);
    Pose pose = random_pose(&rng, size, x, y, between(&rng, -TILT, TILT));
    Paint paint = random_paint(&rng, &ground, CONTRAST_MIN, CONTRAST_MAX);
    outline_cover(&set->outlines[*label], &pose, &mask);
    put(canvas, &mask, &paint);
    if (between(&rng, 0, 1023) < OCCLUDED)
        put_bar(&rng, canvas, &ground, &pose, size);
    finish(&rng, canvas, pixels);
    return HONE_OK;
}

static int shapes_open(void **state, const DatasetOptions *options, const char *root,
                       DatasetInfo *info, Error *e)
{
    (void)root; /* reads no files */
    ShapesSet *set = calloc(1, sizeof *set);
    if (set == NULL)
        return error_memory(e, "the drawn data set", sizeof *set);
    *state = set;
    set->seed = (uint64_t)options->seed;
    set->fresh = options->fresh;
    draw_outlines(set->outlines);
    info->height = SIDE;
    info->width = SIDE;
    info->channels = CHANNELS;
    info->classes = CLASSES;
    info->class_names = class_names;
    info->count[DATASET_TRAIN] = options->train;
    info->count[DATASET_TEST] = options->test;
    return HONE_OK;
}

const DatasetKind dataset_shapes = {
    .variant =
        {
            .choice = "shapes",
            .help = "ten outlines drawn by the program itself: nothing to download",
            .options =
                (const Option[]){
                    OPTION_INT("train", DatasetOptions, train, "images", 1, 100000000, "8000",
                               "size of the training split"),
                    OPTION_INT("test", DatasetOptions, test, "images", 1, 100000000, "2000",
                               "size of the test split"),
                    OPTION_INT("seed", DatasetOptions, seed, "", 0, INT64_MAX, "1",
                               "which set is drawn, independent of the run's seed"),
                    OPTION_BOOL("fresh", DatasetOptions, fresh, "false",
                                "draw new training images every epoch"),
                    OPTION_END,
                },
        },
    .open = shapes_open,
    .sample = shapes_sample,
    .close = free,
};
