/* Filled outlines on a 32x32 image, anti-aliased, in integer arithmetic throughout: the same pixels
 * from every compiler, optimization level and processor.
 *
 *     Outline ring = {0};
 *     outline_circle(&ring, 0, 0, 900);
 *     outline_circle(&ring, 0, 0, 500);                   // even-odd rule: a hole
 *     outline_cover(&ring, &pose, &mask);                 // mask.cover: 0..COVER_FULL per pixel
 *
 * An outline is drawn in its own plane, where its size is about +-OUTLINE_UNIT, x to the right and
 * y down; a Pose maps it to image units of 1 / PIXEL_UNIT pixel. Curves are polygons of 32 sides
 * per turn. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_DATASETS_OUTLINE_H
#define HONE_DATASETS_OUTLINE_H

#include <stdint.h>

#define RASTER_SIDE 32 /* pixels, both ways */

enum {
    OUTLINE_UNIT = 1024, /* the plane of outlines: 1.0 */
    PIXEL_UNIT = 256,    /* the image: one pixel */
    COVER_FULL = 1024,   /* a pixel wholly inside */
    TURN = 4096,         /* a full angle */
    TRIG_UNIT = 16384,   /* 1.0 of turn_cos, turn_sin */
    OUTLINE_POINTS_MAX = 128,
    OUTLINE_CONTOURS_MAX = 4
};

typedef struct Outline {
    int points, contours;
    int32_t x[OUTLINE_POINTS_MAX], y[OUTLINE_POINTS_MAX];
    int first[OUTLINE_CONTOURS_MAX]; /* each contour's first point; it ends where the next begins */
} Outline;

/* (x, y) of the plane lands at ((xx x + xy y) / UNIT + x0, (yx x + yy y) / UNIT + y0). The entries
 * are image units per plane unit; no point may land outside -32..64 pixels. */
typedef struct Pose {
    int32_t xx, xy, yx, yy;
    int32_t x0, y0;
} Pose;

typedef struct Mask {
    int top, bottom; /* rows outside [top, bottom) are empty */
    uint16_t cover[RASTER_SIDE * RASTER_SIDE];
} Mask;

/* Starts a new closed contour at (x, y). */
void outline_begin(Outline *o, int x, int y);
/* A straight line to (x, y). The way back to the contour's start is implied. */
void outline_line(Outline *o, int x, int y);
/* A line to the arc's start, then the arc around (x, y), both angles in TURN/64, either direction;
 * angles run from +x towards +y, that is clockwise as seen. */
void outline_arc(Outline *o, int x, int y, int radius, int from, int to);
/* A contour of its own. */
void outline_circle(Outline *o, int x, int y, int radius);

/* The fraction of each pixel inside the outline, by the even-odd rule. */
void outline_cover(const Outline *o, const Pose *pose, Mask *mask);

/* Cosine and sine of angle / TURN turns, any sign, within 0.2 % of TRIG_UNIT. */
int turn_cos(int angle);
int turn_sin(int angle);

#endif
