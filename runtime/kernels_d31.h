/* The kernels of profile D31, as in the table (kernels.h), for the CPU levels; and when their vectors
 * may be used. Internal to runtime/. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_RUNTIME_KERNELS_D31_H
#define HONE_RUNTIME_KERNELS_D31_H

#include "kernels.h"

/* True when no shift goes left: the vectors only know the others. */
static inline int hone_rt_d31_is_fraction(const int32_t *e, int cols)
{
    int32_t most = 0;
    for (int c = 0; c < cols; c++)
        most = e[c] > most ? e[c] : most;
    return most == 0;
}

void hone_rt_avx2_requantize_d31(const int32_t *acc, int ld, int rows, int cols, const uint32_t *m,
                                 const int32_t *e, int32_t y_zp, int32_t lo, int32_t hi, int8_t *y,
                                 ptrdiff_t y_ld);
void hone_rt_avx2_add_d31(const HoneRtAddD31 *p, const int8_t *a, const int8_t *b, size_t n,
                          int8_t *y);
void hone_rt_avx512_requantize_d31(const int32_t *acc, int ld, int rows, int cols,
                                   const uint32_t *m, const int32_t *e, int32_t y_zp, int32_t lo,
                                   int32_t hi, int8_t *y, ptrdiff_t y_ld);
void hone_rt_avx512_add_d31(const HoneRtAddD31 *p, const int8_t *a, const int8_t *b, size_t n,
                            int8_t *y);

#endif
