/* Arrays in files, as NumPy and h5py write them (tests/oracle/tensors.py) and as tests do.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_ARRAY_FILES_H
#define HONE_TESTS_ARRAY_FILES_H

#include <stdbool.h>
#include <stddef.h>

#define NPY_2_BY_3 "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }"

extern char array_folder[64];
extern bool array_files_written; /* false where there is no NumPy or h5py */

/* Once before all tests, in their parent: makes the folder and lets Python write into it. */
void array_files_make(void);
void array_files_remove(void);
/* Of a file in the folder; until the next call. */
const char *array_path(const char *name);
/* A .npy file of version 1, 2 or 3 with this header and the bytes 0..5; returns its length, 144. */
size_t npy_bytes(unsigned char bytes[144], const char *header, int version);

#endif
