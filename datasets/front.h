/* The section FRNT of an artifact, made from a front end and made into one again.
 *
 *     status = front_pack(mel, HONE_RT_FRONT_CENTRE, grid, &bytes, &count, e);   // export
 *     status = front_unpack(&front, bytes, count, e);                            // hone run
 *
 * Besides the constants the section holds the tables of the integer implementation
 * (runtime/frontend.h). SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_DATASETS_FRONT_H
#define HONE_DATASETS_FRONT_H

#include <stddef.h>
#include <stdint.h>

#include "datasets/mel.h"

/* real = scale * (code - zero_point), code in -128..127. */
typedef struct FrontGrid {
    float scale;
    int32_t zero_point;
} FrontGrid;

/* The grid whose codes -128..127 reach from lo to hi, lo < hi; the zero point is rounded, so both
 * may be off by half a code. */
FrontGrid front_grid(double lo, double hi);
/* The byte, code + 128, nearest to a value; halves up. */
uint8_t front_byte(const FrontGrid *grid, float value);

/* Bytes of the section, the caller's to free(); NULL after a failure. place: of a clip in a
 * recording, HONE_RT_FRONT_CENTRE, ... Errors: HONE_ERR_CONFIG for a grid that 16 bits cannot hold;
 * HONE_ERR_MEMORY. */
HONE_CHECKED int front_pack(const Mel *mel, int place, FrontGrid grid, unsigned char **bytes,
                            size_t *count, Error *e);

typedef struct Front {
    Mel *mel;
    int place;
    FrontGrid grid;
} Front;

/* section[count] at a multiple of 4 is not needed afterwards. Errors: HONE_ERR_DATA for a section
 * that the runtime refuses or whose reals make no front end; HONE_ERR_MEMORY. */
HONE_CHECKED int front_unpack(Front *front, const void *section, size_t count, Error *e);
void front_release(Front *front);

#endif
