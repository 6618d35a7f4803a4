/* See store_case.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/store_case.h"

#include "store/store.h"
#include "tests/expect.h"
#include "tests/folder.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

const char store_case_yaml[] = "name: tiny\nnote: \"gr\xc3\xbc\xc3\x9f dich\"\n";

void store_case_make(StoreCase *c)
{
    *c = (StoreCase){.f32 = {{1.5f, -0.0f, 3.0e38f}, {1.0e-45f, -2.0f, INFINITY}},
                     .f64 = {0.1, -1.0e308},
                     .i8 = {-128, 0, 127},
                     .u8 = {0, 128, 255},
                     .i32 = {INT32_MIN, INT32_MAX},
                     .i64 = {INT64_MIN, INT64_MAX},
                     .u64 = UINT64_MAX};
    folder_make(c->folder);
    snprintf(c->file, sizeof c->file, "%s/last.h5", c->folder);
}

void store_case_remove(StoreCase *c)
{
    folder_remove(c->folder);
}

void store_case_fill(StoreCase *c, StateDict *s)
{
    Error e = {0};
    OK(state_add(s, "params/stem.weight", STATE_F32, 2, (int64_t[]){2, 3}, c->f32, &e));
    OK(state_add(s, "params/a.bias", STATE_F64, 1, (int64_t[]){2}, c->f64, &e));
    OK(state_add(s, "qat/codes", STATE_I8, 4, (int64_t[]){1, 3, 1, 1}, c->i8, &e));
    OK(state_add(s, "qat/deep/er/mask", STATE_U8, 1, (int64_t[]){3}, c->u8, &e));
    OK(state_add(s, "i32", STATE_I32, 1, (int64_t[]){2}, c->i32, &e));
    OK(state_add(s, "i64", STATE_I64, 1, (int64_t[]){2}, c->i64, &e));
    OK(state_add_shape(s, "rng/seed", STATE_U64, (Shape){0}, &c->u64, &e));
    OK(state_add(s, "empty", STATE_F32, 2, (int64_t[]){0, 5}, NULL, &e));
    OK(state_add_text(s, "config", store_case_yaml, &e));
    OK(state_add_text(s, "blank", "", &e));
    OK(state_set_int(s, "epoch", 3, &e));
    OK(state_set_int(s, "epoch", -4, &e));
    OK(state_set_double(s, "accuracy", 0.925, &e));
    OK(state_set_string(s, "phase", "qat", &e));
}

void store_case_save(StoreCase *c)
{
    Error e = {0};
    StateDict s = {0};
    store_case_fill(c, &s);
    OK(store_save(c->file, &s, &e));
    state_release(&s);
}

unsigned char *store_case_bytes(const char *path, size_t *bytes)
{
    struct stat info;
    FILE *in = fopen(path, "rb");
    ck_assert_ptr_nonnull(in);
    ck_assert_int_eq(fstat(fileno(in), &info), 0);
    *bytes = (size_t)info.st_size;
    unsigned char *data = malloc(*bytes + 1);
    ck_assert_ptr_nonnull(data);
    ck_assert_uint_eq(fread(data, 1, *bytes, in), *bytes);
    fclose(in);
    return data;
}
