/* Arrays of numbers from files: .npy, CSV and HDF5, whatever their type.
 *
 *     Array a;
 *     if (array_read_npy(&a, "x_train.npy", e) != HONE_OK) return e->code;
 *     for (size_t i = 0; i < a.count; i++) sum += array_at(&a, i);
 *     array_release(&a);
 *
 * Elements come in the order of the last index fastest, whatever the order in the file.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_DATASETS_ARRAY_H
#define HONE_DATASETS_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define ARRAY_RANK_MAX   4
#define ARRAY_BYTES_MAX  ((size_t)1 << 36) /* of a file */
#define ARRAY_TYPES_TEXT "uint8, int8, int32, int64, float32, float64"

typedef enum ArrayType {
    ARRAY_U8,
    ARRAY_I8,
    ARRAY_I32,
    ARRAY_I64,
    ARRAY_F32,
    ARRAY_F64,
} ArrayType;

typedef struct Array {
    ArrayType type;
    int rank; /* 0..ARRAY_RANK_MAX */
    int64_t dim[ARRAY_RANK_MAX];
    size_t count; /* product of dim, 1 for rank 0 */
    void *data;   /* [count], the array's own */
} Array;

/* Bytes of an element. */
size_t array_size(ArrayType type);
/* Element i as a double; of int64 rounded beyond 2^53. */
double array_at(const Array *a, size_t i);
/* Sets all but data, which becomes NULL. Errors: HONE_ERR_DATA, with what, for a shape with a negative
 * extent or of more than ARRAY_BYTES_MAX. */
HONE_CHECKED int array_shape(Array *a, ArrayType type, int rank, const int64_t *dim,
                             const char *what, Error *e);
/* Allocates what array_shape says, which the caller has compared with what there is to read. Errors:
 * HONE_ERR_MEMORY. */
HONE_CHECKED int array_alloc(Array *a, const char *what, Error *e);
void array_release(Array *a);

/* NumPy's format, versions 1 to 3, C and Fortran order, little-endian (NEP 1). Errors: HONE_ERR_IO;
 * HONE_ERR_DATA with file and byte; HONE_ERR_MEMORY. On failure the array is empty, as below. */
HONE_CHECKED int array_read_npy(Array *a, const char *path, Error *e);
/* Lines of numbers between commas, as float64 [lines][columns]. header: skip the first line. Errors
 * name line and column, from 1. */
HONE_CHECKED int array_read_csv(Array *a, const char *path, bool header, Error *e);
/* The dataset called name of an HDF5 file. */
HONE_CHECKED int array_read_hdf5(Array *a, const char *path, const char *name, Error *e);

/* The code that stands for a real number on a grid: clip(round(real / scale) + zero_point) to
 * -128..127, halves to even; real is finite. */
int8_t array_code(float scale, int32_t zero_point, double real);

#endif
