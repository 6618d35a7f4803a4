/* Tests of the dictionary of a state, which checkpoints are made of. SPDX-License-Identifier: Apache-2.0 */
#include "store/state.h"
#include "tests/allocations.h"
#include "tests/expect.h"
#include "tests/suites.h"

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static Error e;
static int32_t i32[2] = {INT32_MIN, INT32_MAX};
static uint64_t u64 = UINT64_MAX;
static const char text[] = "name: tiny\n";

START_TEST(state_names)
{
    static const char *const bad[] = {"", "/", "/a", "a/", "a//b", ".", "..", "a/./b", "a/.."};
    StateDict s = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        FAILS(state_add(&s, bad[i], STATE_U64, 0, NULL, &u64, &e), HONE_ERR_DATA, "is no path");
    e = (Error){0};
    OK(state_add(&s, "a/b.c", STATE_U64, 0, NULL, &u64, &e));
    OK(state_add(&s, "a/b", STATE_U64, 0, NULL, &u64, &e));
    OK(state_add(&s, "a/...", STATE_U64, 0, NULL, &u64, &e));
    OK(state_add(&s, "a/.c", STATE_U64, 0, NULL, &u64, &e));
    FAILS(state_add(&s, "a/b", STATE_U64, 0, NULL, &u64, &e), HONE_ERR_DATA,
          "checkpoint: 'a/b' collides with 'a/b'");
    FAILS(state_add(&s, "a", STATE_U64, 0, NULL, &u64, &e), HONE_ERR_DATA, "collides with 'a/b.c'");
    FAILS(state_add_text(&s, "a/b/c", "x", &e), HONE_ERR_DATA, "collides with 'a/b'");
    ck_assert_uint_eq(s.count, 4);
    char path[STATE_NAME_MOST + 2];
    memset(path, 'n', sizeof path);
    path[STATE_NAME_MOST + 1] = '\0';
    FAILS(state_add(&s, path, STATE_U64, 0, NULL, &u64, &e), HONE_ERR_DATA,
          "checkpoint: 'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...' is longer than 510 bytes");
    e = (Error){0};
    OK(state_add(&s, path + 1, STATE_U64, 0, NULL, &u64, &e));
    state_release(&s);
}
END_TEST

START_TEST(state_sizes)
{
    StateDict s = {0};
    FAILS(state_add(&s, "x", STATE_F32, 9, (int64_t[9]){0}, NULL, &e), HONE_ERR_DATA,
          "'x' has rank 9, not 0..8");
    FAILS(state_add(&s, "x", STATE_F32, -1, NULL, NULL, &e), HONE_ERR_DATA, "rank -1");
    FAILS(state_add(&s, "x", STATE_F32, 1, (int64_t[]){-3}, NULL, &e), HONE_ERR_DATA,
          "-3 elements along axis 0");
    FAILS(
        state_add(&s, "x", STATE_F32, 2, (int64_t[]){INT64_C(1) << 32, INT64_C(1) << 31}, NULL, &e),
        HONE_ERR_DATA, "elements along axis 1");
    state_release(&s);
}
END_TEST

START_TEST(state_lookup_and_labels)
{
    char label[STATE_LABEL_BYTES];
    StateDict s = {0};
    for (int i = 0; i < 200; i++) {
        char name[32];
        snprintf(name, sizeof name, "layer%d/weight", i);
        OK(state_add(&s, name, STATE_I32, 1, (int64_t[]){2}, i32, &e));
        OK(state_set_int(&s, name, i, &e));
    }
    const StateEntry *entry = state_find(&s, "layer117/weight");
    ck_assert_ptr_eq(entry, &s.entries[117]);
    ck_assert_uint_eq(entry->bytes, 8);
    ck_assert_int_eq(state_attribute(&s, "layer117/weight")->value.i, 117);
    ck_assert_ptr_null(state_find(&s, "layer117"));
    ck_assert_ptr_null(state_attribute(&s, "layer117"));
    int64_t dims[] = {16, 3, 3, 1}, huge[STATE_RANK_MAX];
    ck_assert_str_eq(state_label(STATE_F32, 4, dims, label), "f32 [16,3,3,1]");
    ck_assert_str_eq(state_label(STATE_U64, 0, NULL, label), "u64 scalar");
    ck_assert_str_eq(state_label(STATE_TEXT, 0, NULL, label), "text");
    ck_assert_str_eq(state_shape_label(1, dims, label), "[16]");
    ck_assert_str_eq(state_shape_label(0, NULL, label), "a scalar");
    for (int i = 0; i < STATE_RANK_MAX; i++)
        huge[i] = INT64_MIN;
    ck_assert_uint_lt(strlen(state_label(STATE_TEXT, 8, huge, label)), STATE_LABEL_BYTES - 1);
    state_release(&s);
    ck_assert_uint_eq(s.count, 0);
}
END_TEST

static int fill(StateDict *s)
{
    int rc = HONE_OK;
    for (int i = 0; i < 40 && rc == HONE_OK; i++) {
        char name[32];
        snprintf(name, sizeof name, "layer%d", i);
        rc = state_add(s, name, STATE_U64, 0, NULL, &u64, &e);
        if (rc == HONE_OK)
            rc = state_set_string(s, name, text, &e);
        if (rc == HONE_OK)
            rc = state_set_int(s, "epoch", i, &e);
        if (rc == HONE_OK)
            rc = state_set_double(s, "loss", 0.5, &e);
    }
    return rc;
}

/* held: bytes of the arena that are in use before, so that it asks for more here or there. */
static void fail_each(size_t held)
{
    bool failed = true;
    for (long n = 1; failed; n++) {
        StateDict s = {0};
        long alive = allocations_alive();
        e = (Error){0};
        ck_assert_ptr_nonnull(arena_alloc(&s.arena, held));
        allocations_fail_at(n);
        int rc = fill(&s);
        failed = allocations_failed();
        allocations_fail_at(0);
        ck_assert_int_eq(rc, failed ? HONE_ERR_MEMORY : HONE_OK);
        ck_assert_int_eq(rc, e.code);
        for (size_t i = 0; i < s.count; i++)
            ck_assert_ptr_eq(state_find(&s, s.entries[i].name), &s.entries[i]);
        state_release(&s);
        ck_assert_int_eq(allocations_alive(), alive);
    }
}

/* Each allocation fails in turn: an error, nothing lost, nothing leaked. (HDF5 itself does not
 * survive every failed allocation, so saving and opening are not tried in this way.) */
START_TEST(state_out_of_memory)
{
    for (size_t held = 16384; allocations_available() && held > 16384 - 512; held -= 16)
        fail_each(held);
}
END_TEST

Suite *suite_state(void)
{
    Suite *s = suite_create("state");
    TCase *t = tcase_create("state");
    tcase_add_test(t, state_names);
    tcase_add_test(t, state_sizes);
    tcase_add_test(t, state_lookup_and_labels);
    tcase_add_test(t, state_out_of_memory);
    suite_add_tcase(s, t);
    return s;
}
