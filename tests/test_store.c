/* Tests of checkpoints: round trips, and readers and writers that are not ours. Damaged files and disks
 * are in test_store_damage.c. SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"
#include "tests/expect.h"
#include "tests/folder.h"
#include "tests/store_case.h"
#include "tests/suites.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

static StoreCase c;
static Error e;

static void set_up(void)
{
    e = (Error){0};
    store_case_make(&c);
}

static void tear_down(void)
{
    store_case_remove(&c);
}

/* ---- round trips ---------------------------------------------------------------------------- */

START_TEST(store_round_trip)
{
    store_case_save(&c);
    struct {
        float f32[6];
        double f64[2];
        int8_t i8[3];
        uint8_t u8[3];
        int32_t i32[2];
        int64_t i64[2];
        uint64_t u64;
    } got;
    memset(&got, 0x55, sizeof got);
    StateDict want = {0};
    OK(state_add(&want, "i64", STATE_I64, 1, (int64_t[]){2}, got.i64, &e));
    OK(state_add(&want, "i32", STATE_I32, 1, (int64_t[]){2}, got.i32, &e));
    OK(state_add(&want, "rng/seed", STATE_U64, 0, NULL, &got.u64, &e));
    OK(state_add(&want, "qat/codes", STATE_I8, 4, (int64_t[]){1, 3, 1, 1}, got.i8, &e));
    OK(state_add(&want, "qat/deep/er/mask", STATE_U8, 1, (int64_t[]){3}, got.u8, &e));
    OK(state_add(&want, "params/a.bias", STATE_F64, 1, (int64_t[]){2}, got.f64, &e));
    OK(state_add(&want, "empty", STATE_F32, 2, (int64_t[]){0, 5}, NULL, &e));
    OK(state_add_text(&want, "not there, but texts are skipped", "", &e));
    Store *in;
    OK(store_open(&in, c.file, &e));
    OK(store_load(in, &want, &e));
    OK(store_read(in, "params/stem.weight", STATE_F32, 2, (int64_t[]){2, 3}, got.f32, &e));
    ck_assert_mem_eq(got.f32, c.f32, sizeof c.f32);
    ck_assert_mem_eq(got.f64, c.f64, sizeof c.f64);
    ck_assert_mem_eq(got.i8, c.i8, sizeof c.i8);
    ck_assert_mem_eq(got.u8, c.u8, sizeof c.u8);
    ck_assert_mem_eq(got.i32, c.i32, sizeof c.i32);
    ck_assert_mem_eq(got.i64, c.i64, sizeof c.i64);
    ck_assert(got.u64 == c.u64);
    store_close(in);
    state_release(&want);
}
END_TEST

START_TEST(store_texts_and_attributes)
{
    store_case_save(&c);
    Store *in;
    char *text;
    int64_t integer;
    double real;
    const char *string;
    OK(store_open(&in, c.file, &e));
    OK(store_text(in, "config", &text, &e));
    ck_assert_str_eq(text, store_case_yaml);
    free(text);
    OK(store_text(in, "blank", &text, &e));
    ck_assert_str_eq(text, "");
    free(text);
    OK(store_int(in, "epoch", &integer, &e));
    ck_assert_int_eq(integer, -4);
    OK(store_double(in, "accuracy", &real, &e));
    ck_assert_double_eq(real, 0.925);
    OK(store_string(in, "phase", &string, &e));
    ck_assert_str_eq(string, "qat");
    OK(store_int(in, "hone_checkpoint", &integer, &e));
    ck_assert_int_eq(integer, STORE_VERSION);
    FAILS(store_int(in, "phase", &integer, &e), HONE_ERR_DATA,
          "last.h5: attribute 'phase' is a string, not an integer");
    FAILS(store_string(in, "step", &string, &e), HONE_ERR_DATA, "attribute 'step' is missing");
    FAILS(store_double(in, "epoch", &real, &e), HONE_ERR_DATA, "an integer, not a double");
    FAILS(store_text(in, "i32", &text, &e), HONE_ERR_SHAPE,
          "last.h5: '/i32' is i32 [2], the model wants text");
    ck_assert_ptr_null(text);
    FAILS(store_text(in, "note", &text, &e), HONE_ERR_DATA, "'/note' is missing");
    store_close(in);
}
END_TEST

/* A text too long for an object header, and an array of several megabytes. */
START_TEST(store_large_contents)
{
    enum { N = 3 << 18 };
    char *text = malloc(100001), *got_text;
    float *values = malloc(N * sizeof *values), *got = malloc(N * sizeof *got);
    ck_assert(text && values && got);
    memset(text, 'y', 100000);
    text[100000] = '\0';
    for (int i = 0; i < N; i++)
        values[i] = (float)i;
    StateDict s = {0};
    OK(state_add_text(&s, "long", text, &e));
    OK(state_add(&s, "big", STATE_F32, 1, (int64_t[]){N}, values, &e));
    OK(store_save(c.file, &s, &e));
    state_release(&s);
    Store *in;
    OK(store_open(&in, c.file, &e));
    OK(store_text(in, "long", &got_text, &e));
    ck_assert_str_eq(got_text, text);
    OK(store_read(in, "big", STATE_F32, 1, (int64_t[]){N}, got, &e));
    ck_assert_int_eq(memcmp(got, values, N * sizeof *got), 0);
    store_close(in);
    free(text);
    free(got_text);
    free(values);
    free(got);
}
END_TEST

START_TEST(store_lists_in_saved_order)
{
    store_case_save(&c);
    StateDict s = {0};
    store_case_fill(&c, &s);
    Store *in;
    OK(store_open(&in, c.file, &e));
    const StateDict *list = store_contents(in);
    ck_assert_uint_eq(list->count, s.count);
    for (size_t i = 0; i < s.count; i++) {
        ck_assert_str_eq(list->entries[i].name, s.entries[i].name);
        ck_assert_int_eq(list->entries[i].type, s.entries[i].type);
        ck_assert_int_eq(list->entries[i].rank, s.entries[i].rank);
        ck_assert_mem_eq(list->entries[i].dims, s.entries[i].dims, sizeof s.entries[i].dims);
        if (s.entries[i].bytes > 0)
            ck_assert_uint_eq(list->entries[i].bytes, s.entries[i].bytes);
    }
    ck_assert_uint_eq(list->attribute_count, s.attribute_count + 1);
    store_close(in);
    state_release(&s);
}
END_TEST

START_TEST(store_equal_content_equal_bytes)
{
    size_t bytes[2];
    unsigned char *data[2];
    for (int i = 0; i < 2; i++) {
        void *junk = malloc(100000); /* what the heap held must not get into the file */
        ck_assert_ptr_nonnull(junk);
        memset(junk, 0x40 + i, 100000);
        free(junk);
        snprintf(c.file, sizeof c.file, "%s/%s", c.folder, i ? "another-name.h5" : "last.h5");
        store_case_save(&c);
        data[i] = store_case_bytes(c.file, &bytes[i]);
        struct timespec pause = {.tv_sec = 1, .tv_nsec = 100000000};
        if (i == 0)
            nanosleep(&pause, NULL);
    }
    ck_assert_uint_eq(bytes[0], bytes[1]);
    ck_assert_int_eq(memcmp(data[0], data[1], bytes[0]), 0);
    free(data[0]);
    free(data[1]);
}
END_TEST

/* Runs a Python script with the file's name; -1 when there is no Python with h5py. */
static int run_python(const char *script)
{
    char command[300];
    if (system("/usr/bin/python3 -c 'import h5py' 2>/dev/null") != 0)
        return -1;
    folder_text(c.folder, "script.py", script);
    snprintf(command, sizeof command, "/usr/bin/python3 '%s/script.py' '%s'", c.folder, c.file);
    int status = system(command);
    return WEXITSTATUS(status);
}

START_TEST(store_h5py_reads_it)
{
    store_case_save(&c);
    int rc = run_python(
        "import sys, h5py, numpy as np\n"
        "f = h5py.File(sys.argv[1], 'r')\n"
        "assert f.attrs['hone_checkpoint'] == 1 and f.attrs['epoch'] == -4\n"
        "assert f.attrs['accuracy'] == 0.925 and f.attrs['phase'] in ('qat', b'qat')\n"
        "w = f['params/stem.weight']\n"
        "assert w.dtype == np.float32 and w.shape == (2, 3) and w[0, 0] == 1.5 and w[1, 2] > 1e38\n"
        "assert f['params/a.bias'].dtype == np.float64 and f['params/a.bias'][1] == -1e308\n"
        "assert f['qat/codes'].dtype == np.int8 and list(f['qat/codes'][0, :, 0, 0]) == [-128, 0, "
        "127]\n"
        "assert list(f['qat']['deep']['er']['mask'][:]) == [0, 128, 255]\n"
        "assert list(f['i64'][:]) == [-2**63, 2**63 - 1] and f['i32'][0] == -2**31\n"
        "assert f['rng/seed'][()] == 2**64 - 1 and f['empty'].shape == (0, 5)\n"
        "assert f['config'][()].decode() == 'name: tiny\\nnote: \"gr\\u00fc\\u00df dich\"\\n'\n");
    if (rc < 0)
        puts("store_h5py_reads_it: skipped, no h5py");
    else
        ck_assert_int_eq(rc, 0);
}
END_TEST

/* A checkpoint that a user rewrote with h5py: no order of creation, foreign types beside ours. */
START_TEST(store_reads_what_h5py_wrote)
{
    int rc = run_python("import sys, h5py, numpy as np\n"
                        "f = h5py.File(sys.argv[1], 'w')\n"
                        "f.attrs['hone_checkpoint'] = 1\n"
                        "f.attrs['note'] = 'variable length'\n"
                        "f.attrs['list'] = [1, 2]\n"
                        "f['z/w'] = np.ones((2, 3), np.float32)\n"
                        "f['a'] = np.zeros(3, np.int64)\n"
                        "f['half'] = np.zeros(3, np.float16)\n"
                        "f['text'] = 'variable length'\n");
    if (rc < 0) {
        puts("store_reads_what_h5py_wrote: skipped, no h5py");
        return;
    }
    ck_assert_int_eq(rc, 0);
    float w[6];
    Store *in;
    OK(store_open(&in, c.file, &e));
    ck_assert_uint_eq(store_contents(in)->count, 2);
    ck_assert_str_eq(store_contents(in)->entries[0].name, "a");
    OK(store_read(in, "z/w", STATE_F32, 2, (int64_t[]){2, 3}, w, &e));
    ck_assert_float_eq(w[5], 1.0f);
    store_close(in);
}
END_TEST

Suite *suite_store(void)
{
    Suite *s = suite_create("store");
    TCase *trips = tcase_create("round trips");
    tcase_add_checked_fixture(trips, set_up, tear_down);
    tcase_add_test(trips, store_round_trip);
    tcase_add_test(trips, store_texts_and_attributes);
    tcase_add_test(trips, store_large_contents);
    tcase_add_test(trips, store_lists_in_saved_order);
    tcase_add_test(trips, store_equal_content_equal_bytes);
    tcase_add_test(trips, store_h5py_reads_it);
    tcase_add_test(trips, store_reads_what_h5py_wrote);
    tcase_set_timeout(trips, 60);
    suite_add_tcase(s, trips);
    return s;
}
