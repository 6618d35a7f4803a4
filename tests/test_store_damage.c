/* Tests of checkpoints of wrong contents, damaged ones and foreign files, and of full and unwritable
 * disks. SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"
#include "tests/expect.h"
#include "tests/folder.h"
#include "tests/store_case.h"
#include "tests/suites.h"

#include <check.h>
#include <errno.h>
#include <hdf5.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* ---- wrong contents ------------------------------------------------------------------------- */

START_TEST(store_wrong_shapes)
{
    store_case_save(&c);
    float w[6] = {0};
    Store *in;
    OK(store_open(&in, c.file, &e));
    char wanted[200];
    snprintf(wanted, sizeof wanted, "%s: '/params/stem.weight' is [2,3], the model wants [2,4]",
             c.file);
    FAILS(store_read(in, "params/stem.weight", STATE_F32, 2, (int64_t[]){2, 4}, w, &e),
          HONE_ERR_SHAPE, wanted);
    ck_assert_str_eq(e.text, wanted);
    FAILS(store_read(in, "params/stem.weight", STATE_F32, 1, (int64_t[]){6}, w, &e), HONE_ERR_SHAPE,
          "is [2,3], the model wants [6]");
    FAILS(store_read(in, "params/stem.weight", STATE_F64, 2, (int64_t[]){2, 3}, w, &e),
          HONE_ERR_SHAPE, "is f32 [2,3], the model wants f64 [2,3]");
    FAILS(store_read(in, "rng/seed", STATE_U64, 1, (int64_t[]){1}, w, &e), HONE_ERR_SHAPE,
          "is a scalar, the model wants [1]");
    FAILS(store_read(in, "params", STATE_F32, 0, NULL, w, &e), HONE_ERR_DATA,
          "last.h5: '/params' is missing");

    /* One wrong array: nothing is read at all. */
    StateDict s = {0};
    e = (Error){0};
    OK(state_add(&s, "params/stem.weight", STATE_F32, 2, (int64_t[]){2, 3}, w, &e));
    OK(state_add(&s, "i32", STATE_I32, 1, (int64_t[]){3}, w, &e));
    FAILS(store_load(in, &s, &e), HONE_ERR_SHAPE, "'/i32' is [2], the model wants [3]");
    ck_assert_float_eq(w[0], 0.0f);
    state_release(&s);
    store_close(in);
}
END_TEST

/* An HDF5 file with one attribute, written without store/; it is left open. */
static hid_t begin_foreign(const char *attribute, hid_t type, const void *value)
{
    hid_t out = H5Fcreate(c.file, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t a = H5Acreate2(out, attribute, type, space, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(a >= 0 && H5Awrite(a, type, value) >= 0);
    H5Aclose(a);
    H5Sclose(space);
    return out;
}

static void save_foreign(const char *attribute, int64_t value)
{
    H5Fclose(begin_foreign(attribute, H5T_NATIVE_INT64, &value));
}

START_TEST(store_foreign_files)
{
    Store *in;
    FAILS(store_open(&in, c.file, &e), HONE_ERR_IO, "last.h5': No such file or directory");
    ck_assert_ptr_null(in);
    FAILS(store_open(&in, c.folder, &e), HONE_ERR_IO, "not a regular file");
    folder_write(c.folder, "last.h5", "", 0);
    FAILS(store_open(&in, c.file, &e), HONE_ERR_DATA, "last.h5' is not an HDF5 file");
    folder_write(c.folder, "last.h5", "name: mobilenet\n", 16);
    FAILS(store_open(&in, c.file, &e), HONE_ERR_DATA, "is not an HDF5 file");
    save_foreign("keras_version", 2);
    FAILS(store_open(&in, c.file, &e), HONE_ERR_DATA,
          "is an HDF5 file but no Hone checkpoint (attribute 'hone_checkpoint' is missing)");
    save_foreign("hone_checkpoint", STORE_VERSION + 1);
    FAILS(store_open(&in, c.file, &e), HONE_ERR_DATA,
          "is a checkpoint of version 2, this program reads up to 1");
    save_foreign("hone_checkpoint", 0);
    FAILS(store_open(&in, c.file, &e), HONE_ERR_DATA, "version 0");
    ck_assert_ptr_null(in);
    const double one = 1;
    H5Fclose(begin_foreign("hone_checkpoint", H5T_NATIVE_DOUBLE, &one));
    FAILS(store_open(&in, c.file, &e), HONE_ERR_DATA,
          "is an HDF5 file but no Hone checkpoint (attribute 'hone_checkpoint' is missing)");
    store_close(NULL);
}
END_TEST

/* Somebody's own objects in a checkpoint: a type with a name and an attribute of it, which are left out;
 * an array larger than any memory, which is refused. */
START_TEST(store_foreign_objects)
{
    const int64_t version = STORE_VERSION;
    const hsize_t sizes[] = {1u << 31, 1u << 30}, chunk[] = {1, 1};
    Store *in;
    hid_t out = begin_foreign("hone_checkpoint", H5T_NATIVE_INT64, &version);
    hid_t pair = H5Tcreate(H5T_COMPOUND, 2), space = H5Screate(H5S_SCALAR);
    ck_assert(H5Tinsert(pair, "x", 0, H5T_NATIVE_INT8) >= 0 &&
              H5Tcommit2(out, "pair", pair, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT) >= 0);
    hid_t a = H5Acreate2(out, "of pairs", pair, space, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(a >= 0 && H5Awrite(a, pair, "xy") >= 0);
    H5Aclose(a);
    H5Sclose(space);
    H5Tclose(pair);
    H5Fclose(out);
    OK(store_open(&in, c.file, &e));
    ck_assert_uint_eq(store_contents(in)->count, 0);
    ck_assert_uint_eq(store_contents(in)->attribute_count, 1);
    store_close(in);
    out = H5Fopen(c.file, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t options = H5Pcreate(H5P_DATASET_CREATE);
    space = H5Screate_simple(2, sizes, NULL);
    ck_assert(H5Pset_chunk(options, 2, chunk) >= 0);
    hid_t set = H5Dcreate2(out, "x", H5T_IEEE_F64LE, space, H5P_DEFAULT, options, H5P_DEFAULT);
    ck_assert_int_ge(set, 0);
    H5Dclose(set);
    H5Pclose(options);
    H5Sclose(space);
    H5Fclose(out);
    FAILS(store_open(&in, c.file, &e), HONE_ERR_DATA,
          "last.h5: checkpoint: 'x' has 1073741824 elements along axis 1");
}
END_TEST

/* Makes a group in the file, with all groups above it. */
static void add_group(const char *path)
{
    hid_t out = H5Fopen(c.file, H5F_ACC_RDWR, H5P_DEFAULT), how = H5Pcreate(H5P_LINK_CREATE);
    ck_assert(out >= 0 && H5Pset_create_intermediate_group(how, 1) >= 0);
    hid_t group = H5Gcreate2(out, path, how, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(group >= 0);
    H5Gclose(group);
    H5Pclose(how);
    H5Fclose(out);
}

/* Paths that the list has no room for, or that never end. */
START_TEST(store_deep_and_long)
{
    Store *in;
    char path[600] = "g";
    for (int depth = 2; depth <= 17; depth++) {
        save_foreign("hone_checkpoint", STORE_VERSION);
        strcat(path, "/g");
        add_group(path);
        if (depth <= 16)
            OK(store_open(&in, c.file, &e));
        else
            FAILS(store_open(&in, c.file, &e), HONE_ERR_DATA,
                  "last.h5: groups are nested deeper than 16");
        store_close(in);
    }
    for (size_t length = 510; length <= 511; length++) { /* with '/' and '\0' 512 fit */
        memset(path, 'n', length);
        path[length] = '\0';
        save_foreign("hone_checkpoint", STORE_VERSION);
        add_group(path);
        if (length == 510)
            OK(store_open(&in, c.file, &e));
        else
            FAILS(store_open(&in, c.file, &e), HONE_ERR_DATA,
                  "last.h5: the path of entry 0 of '/' is longer than 510");
        store_close(in);
    }
}
END_TEST

/* Opens the file and reads all there is; returns whether everything was fine. */
static bool read_everything(void)
{
    Store *in;
    e = (Error){0};
    if (store_open(&in, c.file, &e) != HONE_OK) {
        ck_assert_int_ne(e.code, HONE_OK);
        return false;
    }
    bool fine = true;
    const StateDict *list = store_contents(in);
    for (size_t i = 0; i < list->count && fine; i++) {
        const StateEntry *entry = &list->entries[i];
        if (entry->bytes > 100000)
            continue; /* a shape that damage has made huge is no shape the model wants */
        char *data = malloc(entry->bytes + 1);
        ck_assert_ptr_nonnull(data);
        int rc;
        if (entry->type == STATE_TEXT) {
            char *text;
            rc = store_text(in, entry->name, &text, &e);
            free(text);
        } else {
            rc = store_read(in, entry->name, entry->type, entry->rank, entry->dims, data, &e);
        }
        free(data);
        fine = rc == HONE_OK;
    }
    store_close(in);
    return fine;
}

START_TEST(store_truncated_files)
{
    size_t bytes;
    store_case_save(&c);
    unsigned char *data = store_case_bytes(c.file, &bytes);
    ck_assert(read_everything());
    for (size_t length = 0; length < bytes; length += length < 256 ? 1 : 37) {
        folder_write(c.folder, "last.h5", data, length);
        ck_assert_msg(!read_everything(), "%zu of %zu bytes pass for a file", length, bytes);
    }
    folder_write(c.folder, "last.h5", data, bytes - 1);
    ck_assert(!read_everything());
    free(data);
}
END_TEST

/* Damage must not crash, and what is read in spite of it must be what was saved. */
START_TEST(store_flipped_bits)
{
    size_t bytes;
    store_case_save(&c);
    unsigned char *data = store_case_bytes(c.file, &bytes);
    for (size_t i = (size_t)_i; i < bytes; i += 8) {
        data[i] ^= (unsigned char)(1u << (i * 7 % 8));
        folder_write(c.folder, "last.h5", data, bytes);
        data[i] ^= (unsigned char)(1u << (i * 7 % 8));
        if (!read_everything())
            continue;
        float w[6];
        Store *in;
        OK(store_open(&in, c.file, &e));
        if (store_read(in, "params/stem.weight", STATE_F32, 2, (int64_t[]){2, 3}, w, &e) == HONE_OK)
            ck_assert_msg(memcmp(w, c.f32, sizeof c.f32) == 0, "byte %zu is not checked", i);
        store_close(in);
    }
    free(data);
}
END_TEST

/* ---- disks ---------------------------------------------------------------------------------- */

/* A disk with room for `limit` bytes: the old file stays and nothing else is left. */
START_TEST(store_disk_full)
{
    static const rlim_t limits[] = {0, 1, 100, 1000, 2000};
    size_t before, after;
    store_case_save(&c);
    unsigned char *old = store_case_bytes(c.file, &before);
    ck_assert_uint_gt(before, 2000);
    signal(SIGXFSZ, SIG_IGN);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {limits[_i], limits[_i]};
        StateDict s = {0};
        store_case_fill(&c, &s);
        c.f32[0][0] = 99.0f;
        e = (Error){0};
        int rc = setrlimit(RLIMIT_FSIZE, &limit) == 0 ? store_save(c.file, &s, &e) : 0;
        _exit(rc == HONE_ERR_IO && strstr(e.text, "cannot write '") &&
                      strstr(e.text, strerror(EFBIG))
                  ? 0
                  : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    unsigned char *now = store_case_bytes(c.file, &after);
    ck_assert_uint_eq(after, before);
    ck_assert_int_eq(memcmp(now, old, before), 0);
    ck_assert_int_eq(folder_count(c.folder), 1);
    free(old);
    free(now);
}
END_TEST

START_TEST(store_unwritable_places)
{
    StateDict s = {0};
    store_case_fill(&c, &s);
    char path[200];
    snprintf(path, sizeof path, "%s/missing/last.h5", c.folder);
    FAILS(store_save(path, &s, &e), HONE_ERR_IO, "missing/last.h5': No such file or directory");
    FAILS(store_save(c.folder, &s, &e), HONE_ERR_IO, "cannot write '"); /* a folder in the way */
    ck_assert_int_eq(folder_count(c.folder), 0);
    state_release(&s);
}
END_TEST

START_TEST(store_replaces_the_old_file)
{
    store_case_save(&c);
    StateDict s = {0};
    OK(state_add(&s, "only", STATE_U64, 0, NULL, &c.u64, &e));
    OK(store_save(c.file, &s, &e));
    state_release(&s);
    Store *in;
    OK(store_open(&in, c.file, &e));
    ck_assert_uint_eq(store_contents(in)->count, 1);
    /* Saving while a reader has the old file open: the reader keeps what it opened. */
    store_case_save(&c);
    uint64_t value = 0;
    OK(store_read(in, "only", STATE_U64, 0, NULL, &value, &e));
    ck_assert(value == UINT64_MAX);
    store_close(in);
    ck_assert_int_eq(folder_count(c.folder), 1);
}
END_TEST

Suite *suite_store_damage(void)
{
    Suite *s = suite_create("store_damage");
    TCase *wrong = tcase_create("wrong contents");
    tcase_add_checked_fixture(wrong, set_up, tear_down);
    tcase_add_test(wrong, store_wrong_shapes);
    tcase_add_test(wrong, store_foreign_files);
    tcase_add_test(wrong, store_foreign_objects);
    tcase_add_test(wrong, store_deep_and_long);
    tcase_add_test(wrong, store_truncated_files);
    tcase_add_loop_test(wrong, store_flipped_bits, 0, 8);
    tcase_set_timeout(wrong, 60);
    suite_add_tcase(s, wrong);

    TCase *disks = tcase_create("disks");
    tcase_add_checked_fixture(disks, set_up, tear_down);
    tcase_add_loop_test(disks, store_disk_full, 0, 5);
    tcase_add_test(disks, store_unwritable_places);
    tcase_add_test(disks, store_replaces_the_old_file);
    suite_add_tcase(s, disks);
    return s;
}
