/* Arrays of numbers: see array.h. SPDX-License-Identifier: Apache-2.0 */
#include "datasets/array.h"

#include <math.h>
#include <stdlib.h>

size_t array_size(ArrayType type)
{
    static const size_t sizes[] = {[ARRAY_U8] = 1,  [ARRAY_I8] = 1,  [ARRAY_I32] = 4,
                                   [ARRAY_I64] = 8, [ARRAY_F32] = 4, [ARRAY_F64] = 8};
    return sizes[type];
}

double array_at(const Array *a, size_t i)
{
    switch (a->type) {
    case ARRAY_U8:
        return ((const uint8_t *)a->data)[i];
    case ARRAY_I8:
        return ((const int8_t *)a->data)[i];
    case ARRAY_I32:
        return ((const int32_t *)a->data)[i];
    case ARRAY_I64:
        return (double)((const int64_t *)a->data)[i];
    case ARRAY_F32:
        return (double)((const float *)a->data)[i];
    default:
        return ((const double *)a->data)[i];
    }
}

int array_shape(Array *a, ArrayType type, int rank, const int64_t *dim, const char *what, Error *e)
{
    size_t most = ARRAY_BYTES_MAX / array_size(type);
    *a = (Array){.type = type, .rank = rank, .count = 1};
    for (int i = 0; i < rank; i++) {
        a->dim[i] = dim[i];
        if (dim[i] < 0 || (dim[i] > 0 && a->count > most / (uint64_t)dim[i]))
            return error_set(e, HONE_ERR_DATA, "'%s': extent %lld of axis %d is out of range", what,
                             (long long)dim[i], i);
        a->count *= (size_t)dim[i];
    }
    return HONE_OK;
}

int array_alloc(Array *a, const char *what, Error *e)
{
    a->data = malloc(a->count * array_size(a->type) + 1);
    return a->data != NULL ? HONE_OK : error_memory(e, what, a->count * array_size(a->type));
}

void array_release(Array *a)
{
    free(a->data);
    *a = (Array){0};
}

int8_t array_code(float scale, int32_t zero_point, double real)
{
    double code = rint(real / (double)scale) + zero_point;
    return (int8_t)(code < -128 ? -128 : code > 127 ? 127 : code);
}
