/* A checkpoint with every type of array and attribute, in a folder of the running test's own.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_STORE_CASE_H
#define HONE_TESTS_STORE_CASE_H

#include "store/state.h"

typedef struct StoreCase {
    char folder[64], file[100]; /* file is folder/last.h5 */
    float f32[2][3];
    double f64[2];
    int8_t i8[3];
    uint8_t u8[3];
    int32_t i32[2];
    int64_t i64[2];
    uint64_t u64;
} StoreCase;

/* The text "config" of the checkpoint. */
extern const char store_case_yaml[];

/* Makes the folder, empty, and the numbers. Whatever goes wrong, here and below, fails the running
 * test. */
void store_case_make(StoreCase *c);
void store_case_remove(StoreCase *c);
/* Adds everything to s, which must not outlive c. */
void store_case_fill(StoreCase *c, StateDict *s);
/* Saves it as c->file. */
void store_case_save(StoreCase *c);
/* The bytes of a file, the caller's to free(). */
unsigned char *store_case_bytes(const char *path, size_t *bytes);

#endif
