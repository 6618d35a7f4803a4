/* Numbers as people read them. Each function returns its text by value, to be used at once:
 *
 *     text_printf(&t, "%s parameters, %s", show_count(n).text, show_bytes(b).text);
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_REPORT_SHOW_H
#define HONE_REPORT_SHOW_H

#include "core/shape.h"

#include <stdint.h>

typedef struct Shown {
    char text[48];
} Shown;

/* "1,234,567" */
Shown show_whole(int64_t n);
/* Three digits or more: "832", "12.3 k", "3.92 M", "5.51 G". */
Shown show_count(int64_t n);
/* "832 B", "91.2 kB", "1.31 MB": powers of 1000. */
Shown show_bytes(int64_t bytes);
/* A share of 0..1: "71.25 %"; "-" where it is negative: not measured. */
Shown show_percent(double share);
/* "0.8 s", "42 s", "3 min 07 s", "2 h 05 min". */
Shown show_seconds(double seconds);
/* As a clock: "0:42", "12:07", "2:05:11". */
Shown show_clock(double seconds);
/* Of one image: "16x16x24", "10". */
Shown show_shape(Shape shape);

#endif
