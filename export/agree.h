/* A check from the other side: does integer evaluation agree with the fake-quantized float graph?
 *
 * prove.h compares two computations on integers. Both take their integers from one IntegerPlan; were
 * its folding wrong, both would be wrong alike. Here the float graph that was trained (fake-quant
 * nodes acting, running statistics) goes layer by layer beside the integer evaluation. Float
 * rounding may move a value across the border between two codes, so one code of difference is
 * expected now and then, more than one is not. After each layer the integer codes replace the
 * float graph's, so that layers are judged one at a time, on identical inputs.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_EXPORT_AGREE_H
#define HONE_EXPORT_AGREE_H

#include "export/prove.h"

typedef struct AgreeResult {
    int layers;         /* compared */
    int64_t compared;   /* codes */
    int64_t differing;  /* of them, by at least one */
    int max_difference; /* largest |difference| in codes */
    char layer[96];     /* where it occurs first; "" while all are equal */
} AgreeResult;

/* codes [count][elements of an image], 1 <= count <= source->batch. A difference is a result, not
 * an error: AgreeResult.max_difference <= 1 is what to expect. Errors: ERR_MEMORY, ERR_CONFIG for a
 * layer without an encoding. */
HONE_CHECKED int agree_fake_quant(AgreeResult *result, const ProveSource *source,
                                  const int8_t *codes, int count, Error *e);

#endif
