/* Tests of checkpoints while HDF5 fails: each of its calls in turn, and our own allocations. An error
 * with a sentence, or the right result; the old file stays, no handle stays open.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"
#include "tests/allocations.h"
#include "tests/expect.h"
#include "tests/folder.h"
#include "tests/hdf5_calls.h"
#include "tests/store_case.h"
#include "tests/suites.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static StoreCase c;
static StateDict s; /* what the file holds, or shall */
static Error e;

static void set_up(void)
{
    e = (Error){0};
    store_case_make(&c);
    store_case_save(&c);
    store_case_fill(&c, &s);
}

static void tear_down(void)
{
    state_release(&s);
    store_case_remove(&c);
}

/* ---- saving --------------------------------------------------------------------------------- */

static void expect_bytes(const unsigned char *want, size_t bytes, const char *call, long n)
{
    size_t now_bytes;
    unsigned char *now = store_case_bytes(c.file, &now_bytes);
    ck_assert_msg(now_bytes == bytes && memcmp(now, want, bytes) == 0, "%s, call %ld: %s", call, n,
                  e.text);
    ck_assert_int_eq(folder_count(c.folder), 1);
    free(now);
}

START_TEST(saving)
{
    size_t old_bytes, new_bytes;
    unsigned char *old = store_case_bytes(c.file, &old_bytes);
    c.f32[0][0] = 99;
    OK(store_save(c.file, &s, &e));
    unsigned char *new = store_case_bytes(c.file, &new_bytes);
    const char *failed = "";
    long refusals = 0;
    for (long n = 1; failed; n++) {
        const long open = hdf5_calls_open();
        folder_write(c.folder, "last.h5", old, old_bytes);
        e = (Error){0};
        hdf5_calls_fail_at(n);
        int rc = store_save(c.file, &s, &e);
        failed = hdf5_calls_failed();
        hdf5_calls_fail_at(0);
        expect_bytes(rc == HONE_OK ? new : old, rc == HONE_OK ? new_bytes : old_bytes, failed, n);
        if (rc != HONE_OK) {
            ck_assert_ptr_nonnull(failed);
            ck_assert_int_eq(rc, HONE_ERR_IO);
            ck_assert_msg(strncmp(e.text, "cannot put ", 11) == 0 && !strchr(e.text, '\n'), "%s",
                          e.text);
            refusals++;
        }
        if (!failed || strcmp(failed, "H5Fclose") != 0) /* which leaves the file open */
            ck_assert_msg(hdf5_calls_open() == open, "%s, call %ld: %ld handles lost", failed, n,
                          hdf5_calls_open() - open);
    }
    ck_assert_int_gt(refusals, 100);
    free(old);
    free(new);
}
END_TEST

/* The sentence says which part, and why in HDF5's words; a call that fails in silence is admitted. */
START_TEST(saving_says_what)
{
    char wanted[200];
    hdf5_calls_fail_at(1);
    int rc = store_save(c.file, &s, &e);
    hdf5_calls_fail_at(0);
    ck_assert_int_eq(rc, HONE_ERR_IO);
    snprintf(wanted, sizeof wanted, "cannot put 'the first block' into '%s': not a property list",
             c.file);
    ck_assert_msg(strncmp(e.text, wanted, strlen(wanted)) == 0, "%s", e.text);
}
END_TEST

/* ---- reading -------------------------------------------------------------------------------- */

static int read_entry(const Store *in, const StateEntry *want)
{
    unsigned char data[64];
    char *text;
    if (want->type == STATE_TEXT) {
        int rc = store_text(in, want->name, &text, &e);
        ck_assert_msg(rc != HONE_OK || strcmp(text, want->data) == 0, "'%s'", want->name);
        free(text);
        return rc;
    }
    ck_assert_uint_le(want->bytes, sizeof data);
    int rc = store_read(in, want->name, want->type, want->rank, want->dims, data, &e);
    ck_assert_msg(rc != HONE_OK || want->bytes == 0 || memcmp(data, want->data, want->bytes) == 0,
                  "'%s'", want->name);
    return rc;
}

static bool same_attribute(const StateAttribute *a, const StateAttribute *b)
{
    if (!a || a->kind != b->kind)
        return false;
    return a->kind == STATE_STRING ? strcmp(a->value.text, b->value.text) == 0
                                   : a->value.i == b->value.i; /* a double has as many bits */
}

/* Opens the file, whose list must be the whole one where it opens, and reads all there is. */
static int read_all(void)
{
    Store *in;
    int rc = store_open(&in, c.file, &e);
    if (rc != HONE_OK)
        return rc;
    const StateDict *list = store_contents(in);
    ck_assert_uint_eq(list->count, s.count);
    ck_assert_uint_eq(list->attribute_count, s.attribute_count + 1);
    for (size_t i = 0; i < s.attribute_count; i++)
        ck_assert_msg(same_attribute(state_attribute(list, s.attributes[i].name), &s.attributes[i]),
                      "'%s'", s.attributes[i].name);
    for (size_t i = 0; i < s.count && rc == HONE_OK; i++) {
        ck_assert_str_eq(list->entries[i].name, s.entries[i].name);
        rc = read_entry(in, &s.entries[i]);
    }
    store_close(in);
    return rc;
}

START_TEST(reading)
{
    const char *failed = "";
    long refusals = 0;
    for (long n = 1; failed; n++) {
        const long open = hdf5_calls_open();
        e = (Error){0};
        hdf5_calls_fail_at(n);
        int rc = read_all();
        failed = hdf5_calls_failed();
        hdf5_calls_fail_at(0);
        if (rc != HONE_OK) {
            ck_assert_ptr_nonnull(failed);
            ck_assert_int_eq(rc, HONE_ERR_DATA);
            ck_assert_msg(strstr(e.text, "last.h5") && strstr(e.text, " is damaged: ") &&
                              !strchr(e.text, '\n'),
                          "%s", e.text);
            refusals++;
        }
        if (!failed || strcmp(failed, "H5Fclose") != 0)
            ck_assert_msg(hdf5_calls_open() == open, "%s, call %ld: %ld handles lost", failed, n,
                          hdf5_calls_open() - open);
    }
    ck_assert_int_gt(refusals, 100);
}
END_TEST

/* ---- memory --------------------------------------------------------------------------------- */

/* HDF5 itself does not survive every failed allocation: those that come before its first. */
START_TEST(out_of_memory)
{
    static const char *const wanted[] = {"a checkpoint", "a file name"};
    if (!allocations_available())
        return;
    ck_assert_int_eq(read_all(), HONE_OK); /* HDF5 has begun */
    for (long n = 1; n <= 2; n++) {
        Store *in;
        e = (Error){0};
        allocations_fail_at(n);
        int rc = store_open(&in, c.file, &e);
        allocations_fail_at(0);
        ck_assert_int_eq(rc, HONE_ERR_MEMORY);
        ck_assert_ptr_nonnull(strstr(e.text, wanted[n - 1]));
        ck_assert_ptr_null(in);
    }
    Store *in;
    char *text;
    e = (Error){0};
    OK(store_open(&in, c.file, &e));
    allocations_fail_at(1);
    int rc = store_text(in, "config", &text, &e);
    allocations_fail_at(0);
    ck_assert_int_eq(rc, HONE_ERR_MEMORY);
    ck_assert_ptr_nonnull(strstr(e.text, "a text of a checkpoint"));
    ck_assert_ptr_null(text);
    store_close(in);
    e = (Error){0};
    allocations_fail_at(1);
    rc = store_save(c.file, &s, &e);
    allocations_fail_at(0);
    ck_assert_int_eq(rc, HONE_ERR_MEMORY);
    ck_assert_int_eq(read_all(), HONE_OK);
}
END_TEST

Suite *suite_store_calls(void)
{
    Suite *suite = suite_create("store_calls");
    TCase *t = tcase_create("store_calls");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, saving);
    tcase_add_test(t, saving_says_what);
    tcase_add_test(t, reading);
    tcase_add_test(t, out_of_memory);
    suite_add_tcase(suite, t);
    return suite;
}
