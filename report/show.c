/* Numbers as people read them: see show.h. SPDX-License-Identifier: Apache-2.0 */
#include "report/show.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

Shown show_whole(int64_t n)
{
    Shown s;
    char digits[32];
    size_t out = 0;
    snprintf(digits, sizeof digits, "%" PRId64, n);
    size_t length = strlen(digits), sign = n < 0;
    for (size_t i = 0; i < length; i++) {
        if (i > sign && (length - i) % 3 == 0)
            s.text[out++] = ',';
        s.text[out++] = digits[i];
    }
    s.text[out] = '\0';
    return s;
}

/* n in the largest unit that leaves 1 or more, with three significant digits. */
static Shown scaled(int64_t n, const char *const units[4])
{
    Shown s;
    double v = (double)n;
    int unit = 0;
    /* 999.5 would be rounded up to four digits. */
    while (fabs(v) >= 999.5 && unit < 3) {
        v /= 1000;
        unit++;
    }
    int decimals = unit == 0 || fabs(v) >= 99.95 ? 0 : fabs(v) >= 9.995 ? 1 : 2;
    snprintf(s.text, sizeof s.text, "%.*f%s%s", decimals, v, *units[unit] ? " " : "", units[unit]);
    return s;
}

Shown show_count(int64_t n)
{
    return scaled(n, (const char *const[]){"", "k", "M", "G"});
}

Shown show_bytes(int64_t bytes)
{
    return scaled(bytes, (const char *const[]){"B", "kB", "MB", "GB"});
}

Shown show_percent(double share)
{
    Shown s = {"-"};
    if (share >= 0)
        snprintf(s.text, sizeof s.text, "%.2f %%", 100 * share);
    return s;
}

Shown show_seconds(double seconds)
{
    Shown s;
    int64_t whole = llround(seconds);
    if (seconds < 9.95)
        snprintf(s.text, sizeof s.text, "%.1f s", seconds);
    else if (whole < 60)
        snprintf(s.text, sizeof s.text, "%" PRId64 " s", whole);
    else if (whole < 3600)
        snprintf(s.text, sizeof s.text, "%" PRId64 " min %02" PRId64 " s", whole / 60, whole % 60);
    else
        snprintf(s.text, sizeof s.text, "%" PRId64 " h %02" PRId64 " min", whole / 3600,
                 whole / 60 % 60);
    return s;
}

Shown show_clock(double seconds)
{
    Shown s;
    int64_t whole = llround(seconds);
    if (whole < 3600)
        snprintf(s.text, sizeof s.text, "%" PRId64 ":%02" PRId64, whole / 60, whole % 60);
    else
        snprintf(s.text, sizeof s.text, "%" PRId64 ":%02" PRId64 ":%02" PRId64, whole / 3600,
                 whole / 60 % 60, whole % 60);
    return s;
}

Shown show_shape(Shape shape)
{
    Shown s = {""};
    for (int i = 1; i < shape.rank; i++) {
        size_t used = strlen(s.text);
        snprintf(s.text + used, sizeof s.text - used, "%s%d", used ? "x" : "", shape.dim[i]);
    }
    return s;
}
