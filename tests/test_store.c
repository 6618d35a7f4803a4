/* Tests of checkpoints: round trips, damaged files, good and bad disks.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/state.h"
#include "store/store.h"
#include "tests/allocations.h"
#include "tests/expect.h"
#include "tests/suites.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- a folder and a state for every test ---------------------------------------------------- */

enum { PATH_BYTES = 400 };

static char folder[PATH_BYTES - 100];
static char file[PATH_BYTES]; /* folder/last.h5 */
static Error e;

static void set_up(void)
{
    const char *root = getenv("TMPDIR");
    e = (Error){0};
    snprintf(folder, sizeof folder, "%s/hone-store-XXXXXX", root ? root : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/last.h5", folder);
}

/* Calls visit (if any) for every file of the folder, and returns how many there are. */
static int each_file(void (*visit)(const char *path))
{
    int count = 0;
    DIR *dir = opendir(folder);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char path[PATH_BYTES + 256];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        count++;
        if (visit)
            visit(path);
    }
    closedir(dir);
    return count;
}

static void remove_file(const char *path)
{
    ck_assert_int_eq(remove(path), 0);
}

static void tear_down(void)
{
    each_file(remove_file);
    ck_assert_int_eq(rmdir(folder), 0);
}

static float f32[2][3] = {{1.5f, -0.0f, 3.0e38f}, {1.0e-45f, -2.0f, INFINITY}};
static double f64[2] = {0.1, -1.0e308};
static int8_t i8[3] = {-128, 0, 127};
static uint8_t u8[3] = {0, 128, 255};
static int32_t i32[2] = {INT32_MIN, INT32_MAX};
static int64_t i64[2] = {INT64_MIN, INT64_MAX};
static uint64_t u64 = UINT64_MAX;
static const char yaml[] = "name: tiny\nnote: \"gr\xc3\xbc\xc3\x9f dich\"\n";

static void fill(StateDict *s)
{
    OK(state_add(s, "params/stem.weight", STATE_F32, 2, (int64_t[]){2, 3}, f32, &e));
    OK(state_add(s, "params/a.bias", STATE_F64, 1, (int64_t[]){2}, f64, &e));
    OK(state_add(s, "qat/codes", STATE_I8, 4, (int64_t[]){1, 3, 1, 1}, i8, &e));
    OK(state_add(s, "qat/deep/er/mask", STATE_U8, 1, (int64_t[]){3}, u8, &e));
    OK(state_add(s, "i32", STATE_I32, 1, (int64_t[]){2}, i32, &e));
    OK(state_add(s, "i64", STATE_I64, 1, (int64_t[]){2}, i64, &e));
    OK(state_add_shape(s, "rng/seed", STATE_U64, (Shape){0}, &u64, &e));
    OK(state_add(s, "empty", STATE_F32, 2, (int64_t[]){0, 5}, NULL, &e));
    OK(state_add_text(s, "config", yaml, &e));
    OK(state_add_text(s, "blank", "", &e));
    OK(state_set_int(s, "epoch", 3, &e));
    OK(state_set_int(s, "epoch", -4, &e));
    OK(state_set_double(s, "accuracy", 0.925, &e));
    OK(state_set_string(s, "phase", "qat", &e));
}

static void save_sample(void)
{
    StateDict s = {0};
    fill(&s);
    OK(store_save(file, &s, &e));
    state_release(&s);
}

static unsigned char *read_bytes(const char *path, size_t *bytes)
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

static void write_bytes(const char *path, const void *data, size_t bytes)
{
    FILE *out = fopen(path, "wb");
    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(fwrite(data, 1, bytes, out), bytes);
    ck_assert_int_eq(fclose(out), 0);
}

/* ---- round trips ---------------------------------------------------------------------------- */

START_TEST(store_round_trip)
{
    save_sample();
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
    OK(store_open(&in, file, &e));
    OK(store_load(in, &want, &e));
    OK(store_read(in, "params/stem.weight", STATE_F32, 2, (int64_t[]){2, 3}, got.f32, &e));
    ck_assert_mem_eq(got.f32, f32, sizeof f32);
    ck_assert_mem_eq(got.f64, f64, sizeof f64);
    ck_assert_mem_eq(got.i8, i8, sizeof i8);
    ck_assert_mem_eq(got.u8, u8, sizeof u8);
    ck_assert_mem_eq(got.i32, i32, sizeof i32);
    ck_assert_mem_eq(got.i64, i64, sizeof i64);
    ck_assert(got.u64 == u64);
    store_close(in);
    state_release(&want);
}
END_TEST

START_TEST(store_texts_and_attributes)
{
    save_sample();
    Store *in;
    char *text;
    int64_t integer;
    double real;
    const char *string;
    OK(store_open(&in, file, &e));
    OK(store_text(in, "config", &text, &e));
    ck_assert_str_eq(text, yaml);
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
    OK(store_save(file, &s, &e));
    state_release(&s);
    Store *in;
    OK(store_open(&in, file, &e));
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
    save_sample();
    StateDict s = {0};
    fill(&s);
    Store *in;
    OK(store_open(&in, file, &e));
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
        snprintf(file, sizeof file, "%s/%s", folder, i ? "another-name.h5" : "last.h5");
        save_sample();
        data[i] = read_bytes(file, &bytes[i]);
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
    char path[PATH_BYTES], command[3 * PATH_BYTES];
    if (system("/usr/bin/python3 -c 'import h5py' 2>/dev/null") != 0)
        return -1;
    snprintf(path, sizeof path, "%s/script.py", folder);
    write_bytes(path, script, strlen(script));
    snprintf(command, sizeof command, "/usr/bin/python3 '%s' '%s'", path, file);
    int status = system(command);
    ck_assert_int_eq(unlink(path), 0);
    return WEXITSTATUS(status);
}

START_TEST(store_h5py_reads_it)
{
    save_sample();
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
    OK(store_open(&in, file, &e));
    ck_assert_uint_eq(store_contents(in)->count, 2);
    ck_assert_str_eq(store_contents(in)->entries[0].name, "a");
    OK(store_read(in, "z/w", STATE_F32, 2, (int64_t[]){2, 3}, w, &e));
    ck_assert_float_eq(w[5], 1.0f);
    store_close(in);
}
END_TEST

/* ---- wrong contents ------------------------------------------------------------------------- */

START_TEST(store_wrong_shapes)
{
    save_sample();
    float w[6] = {0};
    Store *in;
    OK(store_open(&in, file, &e));
    char wanted[2 * PATH_BYTES];
    snprintf(wanted, sizeof wanted, "%s: '/params/stem.weight' is [2,3], the model wants [2,4]",
             file);
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

/* An HDF5 file with one attribute, written without store/. */
static void save_foreign(const char *attribute, int64_t value)
{
    hid_t out = H5Fcreate(file, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t a = H5Acreate2(out, attribute, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(a >= 0 && H5Awrite(a, H5T_NATIVE_INT64, &value) >= 0);
    H5Aclose(a);
    H5Sclose(space);
    H5Fclose(out);
}

START_TEST(store_foreign_files)
{
    Store *in;
    FAILS(store_open(&in, file, &e), HONE_ERR_IO, "last.h5': No such file or directory");
    ck_assert_ptr_null(in);
    FAILS(store_open(&in, folder, &e), HONE_ERR_IO, "not a regular file");
    write_bytes(file, "", 0);
    FAILS(store_open(&in, file, &e), HONE_ERR_DATA, "last.h5' is not an HDF5 file");
    write_bytes(file, "name: mobilenet\n", 16);
    FAILS(store_open(&in, file, &e), HONE_ERR_DATA, "is not an HDF5 file");
    save_foreign("keras_version", 2);
    FAILS(store_open(&in, file, &e), HONE_ERR_DATA,
          "is an HDF5 file but no Hone checkpoint (attribute 'hone_checkpoint' is missing)");
    save_foreign("hone_checkpoint", STORE_VERSION + 1);
    FAILS(store_open(&in, file, &e), HONE_ERR_DATA,
          "is a checkpoint of version 2, this program reads up to 1");
    save_foreign("hone_checkpoint", 0);
    FAILS(store_open(&in, file, &e), HONE_ERR_DATA, "version 0");
    ck_assert_ptr_null(in);
    store_close(NULL);
}
END_TEST

/* Makes a group in the file, with all groups above it. */
static void add_group(const char *path)
{
    hid_t out = H5Fopen(file, H5F_ACC_RDWR, H5P_DEFAULT), how = H5Pcreate(H5P_LINK_CREATE);
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
            OK(store_open(&in, file, &e));
        else
            FAILS(store_open(&in, file, &e), HONE_ERR_DATA,
                  "last.h5: groups are nested deeper than 16");
        store_close(in);
    }
    for (size_t length = 510; length <= 511; length++) { /* with '/' and '\0' 512 fit */
        memset(path, 'n', length);
        path[length] = '\0';
        save_foreign("hone_checkpoint", STORE_VERSION);
        add_group(path);
        if (length == 510)
            OK(store_open(&in, file, &e));
        else
            FAILS(store_open(&in, file, &e), HONE_ERR_DATA,
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
    if (store_open(&in, file, &e) != HONE_OK) {
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
    save_sample();
    unsigned char *data = read_bytes(file, &bytes);
    ck_assert(read_everything());
    for (size_t length = 0; length < bytes; length += length < 256 ? 1 : 37) {
        write_bytes(file, data, length);
        ck_assert_msg(!read_everything(), "%zu of %zu bytes pass for a file", length, bytes);
    }
    write_bytes(file, data, bytes - 1);
    ck_assert(!read_everything());
    free(data);
}
END_TEST

/* Damage must not crash, and what is read in spite of it must be what was saved. */
START_TEST(store_flipped_bits)
{
    size_t bytes;
    save_sample();
    unsigned char *data = read_bytes(file, &bytes);
    for (size_t i = (size_t)_i; i < bytes; i += 8) {
        data[i] ^= (unsigned char)(1u << (i * 7 % 8));
        write_bytes(file, data, bytes);
        data[i] ^= (unsigned char)(1u << (i * 7 % 8));
        if (!read_everything())
            continue;
        float w[6];
        Store *in;
        OK(store_open(&in, file, &e));
        if (store_read(in, "params/stem.weight", STATE_F32, 2, (int64_t[]){2, 3}, w, &e) == HONE_OK)
            ck_assert_msg(memcmp(w, f32, sizeof f32) == 0, "byte %zu is not checked", i);
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
    save_sample();
    unsigned char *old = read_bytes(file, &before);
    ck_assert_uint_gt(before, 2000);
    signal(SIGXFSZ, SIG_IGN);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {limits[_i], limits[_i]};
        StateDict s = {0};
        fill(&s);
        f32[0][0] = 99.0f;
        e = (Error){0};
        int rc = setrlimit(RLIMIT_FSIZE, &limit) == 0 ? store_save(file, &s, &e) : 0;
        _exit(rc == HONE_ERR_IO && strstr(e.text, "cannot write '") &&
                      strstr(e.text, strerror(EFBIG))
                  ? 0
                  : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    unsigned char *now = read_bytes(file, &after);
    ck_assert_uint_eq(after, before);
    ck_assert_int_eq(memcmp(now, old, before), 0);
    ck_assert_int_eq(each_file(NULL), 1);
    free(old);
    free(now);
}
END_TEST

START_TEST(store_unwritable_places)
{
    StateDict s = {0};
    fill(&s);
    char path[2 * PATH_BYTES];
    snprintf(path, sizeof path, "%s/missing/last.h5", folder);
    FAILS(store_save(path, &s, &e), HONE_ERR_IO, "missing/last.h5': No such file or directory");
    FAILS(store_save(folder, &s, &e), HONE_ERR_IO, "cannot write '"); /* a folder in the way */
    ck_assert_int_eq(each_file(NULL), 0);
    state_release(&s);
}
END_TEST

START_TEST(store_replaces_the_old_file)
{
    save_sample();
    StateDict s = {0};
    OK(state_add(&s, "only", STATE_U64, 0, NULL, &u64, &e));
    OK(store_save(file, &s, &e));
    state_release(&s);
    Store *in;
    OK(store_open(&in, file, &e));
    ck_assert_uint_eq(store_contents(in)->count, 1);
    /* Saving while a reader has the old file open: the reader keeps what it opened. */
    save_sample();
    uint64_t value = 0;
    OK(store_read(in, "only", STATE_U64, 0, NULL, &value, &e));
    ck_assert(value == UINT64_MAX);
    store_close(in);
    ck_assert_int_eq(each_file(NULL), 1);
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

    TCase *wrong = tcase_create("wrong contents");
    tcase_add_checked_fixture(wrong, set_up, tear_down);
    tcase_add_test(wrong, store_wrong_shapes);
    tcase_add_test(wrong, store_foreign_files);
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
