/* Failing calls of HDF5: see hdf5_calls.h. SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "tests/hdf5_calls.h"

#include <dlfcn.h>
#include <hdf5.h>
#include <stdbool.h>
#include <string.h>

static long countdown, opened;
static const char *failed;

void hdf5_calls_fail_at(long n)
{
    countdown = n;
    failed = NULL;
}

const char *hdf5_calls_failed(void)
{
    return failed;
}

long hdf5_calls_open(void)
{
    return opened;
}

static hid_t counted(hid_t handle)
{
    opened += handle >= 0;
    return handle;
}

static bool refused(const char *name)
{
    if (countdown == 0 || --countdown > 0)
        return false;
    failed = name;
    return true;
}

/* A function pointer is no object pointer, but POSIX has them alike. */
#define FIND(function)                                                                             \
    void *found = dlsym(RTLD_NEXT, __func__);                                                      \
    memcpy(&function, &found, sizeof function)

#define CALL(type, name, parameters, ...)                                                          \
    type name parameters                                                                           \
    {                                                                                              \
        type(*function) parameters;                                                                \
        FIND(function);                                                                            \
        return refused(#name) ? -1 : function(__VA_ARGS__);                                        \
    }

/* One that gives a handle. */
#define OPEN(name, parameters, ...)                                                                \
    hid_t name parameters                                                                          \
    {                                                                                              \
        hid_t(*function) parameters;                                                               \
        FIND(function);                                                                            \
        return refused(#name) ? -1 : counted(function(__VA_ARGS__));                               \
    }

OPEN(H5Acreate2, (hid_t a, const char *b, hid_t c, hid_t d, hid_t e, hid_t f), a, b, c, d, e, f)
OPEN(H5Aget_space, (hid_t a), a)
OPEN(H5Aget_type, (hid_t a), a)
CALL(herr_t, H5Aiterate2,
     (hid_t a, H5_index_t b, H5_iter_order_t c, hsize_t *d, H5A_operator2_t e, void *f), a, b, c, d,
     e, f)
OPEN(H5Aopen, (hid_t a, const char *b, hid_t c), a, b, c)
CALL(herr_t, H5Aread, (hid_t a, hid_t b, void *c), a, b, c)
CALL(herr_t, H5Awrite, (hid_t a, hid_t b, const void *c), a, b, c)
OPEN(H5Dcreate2, (hid_t a, const char *b, hid_t c, hid_t d, hid_t e, hid_t f, hid_t g), a, b, c, d,
     e, f, g)
OPEN(H5Dget_space, (hid_t a), a)
OPEN(H5Dget_type, (hid_t a), a)
OPEN(H5Dopen2, (hid_t a, const char *b, hid_t c), a, b, c)
CALL(herr_t, H5Dread, (hid_t a, hid_t b, hid_t c, hid_t d, hid_t e, void *f), a, b, c, d, e, f)
CALL(herr_t, H5Dwrite, (hid_t a, hid_t b, hid_t c, hid_t d, hid_t e, const void *f), a, b, c, d, e,
     f)
OPEN(H5Fcreate, (const char *a, unsigned b, hid_t c, hid_t d), a, b, c, d)
OPEN(H5Fopen, (const char *a, unsigned b, hid_t c), a, b, c)
OPEN(H5Gcreate2, (hid_t a, const char *b, hid_t c, hid_t d, hid_t e), a, b, c, d, e)
OPEN(H5Gget_create_plist, (hid_t a), a)
CALL(herr_t, H5Gget_info, (hid_t a, H5G_info_t *b), a, b)
OPEN(H5Gopen2, (hid_t a, const char *b, hid_t c), a, b, c)
CALL(htri_t, H5Lexists, (hid_t a, const char *b, hid_t c), a, b, c)
CALL(ssize_t, H5Lget_name_by_idx,
     (hid_t a, const char *b, H5_index_t c, H5_iter_order_t d, hsize_t e, char *f, size_t g,
      hid_t h),
     a, b, c, d, e, f, g, h)
OPEN(H5Oopen, (hid_t a, const char *b, hid_t c), a, b, c)
OPEN(H5Pcreate, (hid_t a), a)
CALL(herr_t, H5Pget_link_creation_order, (hid_t a, unsigned *b), a, b)
CALL(herr_t, H5Pset_chunk, (hid_t a, int b, const hsize_t *c), a, b, c)
CALL(herr_t, H5Pset_fapl_core, (hid_t a, size_t b, hbool_t c), a, b, c)
CALL(herr_t, H5Pset_fclose_degree, (hid_t a, H5F_close_degree_t b), a, b)
CALL(herr_t, H5Pset_file_image_callbacks, (hid_t a, H5FD_file_image_callbacks_t *b), a, b)
CALL(herr_t, H5Pset_fill_time, (hid_t a, H5D_fill_time_t b), a, b)
CALL(herr_t, H5Pset_fletcher32, (hid_t a), a)
CALL(herr_t, H5Pset_layout, (hid_t a, H5D_layout_t b), a, b)
CALL(herr_t, H5Pset_libver_bounds, (hid_t a, H5F_libver_t b, H5F_libver_t c), a, b, c)
CALL(herr_t, H5Pset_link_creation_order, (hid_t a, unsigned b), a, b)
CALL(herr_t, H5Pset_obj_track_times, (hid_t a, hbool_t b), a, b)
OPEN(H5Screate, (H5S_class_t a), a)
OPEN(H5Screate_simple, (int a, const hsize_t *b, const hsize_t *c), a, b, c)
CALL(int, H5Sget_simple_extent_dims, (hid_t a, hsize_t *b, hsize_t *c), a, b, c)
CALL(int, H5Sget_simple_extent_ndims, (hid_t a), a)
CALL(hssize_t, H5Sget_simple_extent_npoints, (hid_t a), a)
OPEN(H5Tcopy, (hid_t a), a)
CALL(herr_t, H5Tset_cset, (hid_t a, H5T_cset_t b), a, b)
CALL(herr_t, H5Tset_size, (hid_t a, size_t b), a, b)
CALL(herr_t, H5Tset_strpad, (hid_t a, H5T_str_t b), a, b)
#if H5_VERSION_GE(1, 10, 7)
CALL(herr_t, H5Pset_file_locking, (hid_t a, hbool_t b, hbool_t c), a, b, c)
#endif

herr_t H5Fclose(hid_t file)
{
    herr_t (*function)(hid_t);
    FIND(function);
    herr_t rc = refused(__func__) ? -1 : function(file);
    opened -= rc >= 0;
    return rc;
}

int H5Idec_ref(hid_t id)
{
    int (*function)(hid_t);
    FIND(function);
    int left = function(id);
    opened -= left == 0;
    return refused(__func__) ? -1 : left;
}
