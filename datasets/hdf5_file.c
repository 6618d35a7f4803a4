/* Arrays in HDF5 files: see array.h. The door of datasets/ to HDF5 (checkpoints are store/'s). HDF5
 * converts the file's type to the machine's as it reads. SPDX-License-Identifier: Apache-2.0 */
#include <hdf5.h>

#include "datasets/array.h"
#include "datasets/gzip.h"

typedef struct Reader {
    const char *path, *name;
    hid_t file, set, space, type;
    Error *e;
} Reader;

static int refuse(const Reader *r, const char *what)
{
    return error_set(r->e, HONE_ERR_DATA, "'%s': dataset '%s' %s", r->path, r->name, what);
}

/* The type in memory for the one in the file; H5I_INVALID_HID: none. */
static hid_t memory_type(hid_t type, ArrayType *array)
{
    H5T_class_t kind = H5Tget_class(type);
    size_t size = H5Tget_size(type);
    bool is_signed = kind == H5T_INTEGER && H5Tget_sign(type) == H5T_SGN_2;
    const struct {
        H5T_class_t kind;
        size_t size;
        bool is_signed;
        ArrayType array;
        hid_t memory;
    } types[] = {
        {H5T_INTEGER, 1, false, ARRAY_U8, H5T_NATIVE_UINT8},
        {H5T_INTEGER, 1, true, ARRAY_I8, H5T_NATIVE_INT8},
        {H5T_INTEGER, 4, true, ARRAY_I32, H5T_NATIVE_INT32},
        {H5T_INTEGER, 8, true, ARRAY_I64, H5T_NATIVE_INT64},
        {H5T_FLOAT, 4, false, ARRAY_F32, H5T_NATIVE_FLOAT},
        {H5T_FLOAT, 8, false, ARRAY_F64, H5T_NATIVE_DOUBLE},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].kind == kind && types[i].size == size && types[i].is_signed == is_signed) {
            *array = types[i].array;
            return types[i].memory;
        }
    }
    return H5I_INVALID_HID;
}

/* A shape is a claim: where the file stores fewer bytes than that takes, zipped as far as can be, the
 * rest would be fill values, and memory for them. */
static int check_stored(const Reader *r, const Array *a)
{
    hsize_t file = 0, stored = H5Dget_storage_size(r->set);
    if (H5Fget_filesize(r->file, &file) < 0)
        return refuse(r, "cannot be read: the file is damaged");
    hsize_t most = (stored < file ? stored : file) * GZIP_RATIO_MAX;
    if (stored == 0 && a->count > 0)
        return refuse(r, "stores no elements");
    return a->count <= most / array_size(a->type)
               ? HONE_OK
               : refuse(r, "stores fewer elements than its shape has");
}

static int read_shape(const Reader *r, int *rank, int64_t dim[ARRAY_RANK_MAX])
{
    hsize_t extent[ARRAY_RANK_MAX];
    *rank = H5Sget_simple_extent_ndims(r->space);
    if (*rank < 0 || *rank > ARRAY_RANK_MAX)
        return refuse(r, "has more than 4 axes, or none");
    if (H5Sget_simple_extent_dims(r->space, extent, NULL) < 0)
        return refuse(r, "has no shape");
    for (int i = 0; i < *rank; i++)
        dim[i] = extent[i] > INT64_MAX ? -1 : (int64_t)extent[i];
    return HONE_OK;
}

static int read_array(const Reader *r, Array *a)
{
    int64_t dim[ARRAY_RANK_MAX];
    ArrayType type = ARRAY_U8;
    int rank, status = read_shape(r, &rank, dim);
    if (status != HONE_OK)
        return status;
    hid_t memory = memory_type(r->type, &type);
    if (memory == H5I_INVALID_HID)
        return refuse(r, "has elements other than " ARRAY_TYPES_TEXT);
    status = array_shape(a, type, rank, dim, r->path, r->e);
    if (status == HONE_OK)
        status = check_stored(r, a);
    if (status == HONE_OK)
        status = array_alloc(a, r->path, r->e);
    if (status != HONE_OK || a->count == 0)
        return status;
    if (H5Dread(r->set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, a->data) < 0)
        return refuse(r, "cannot be read: the file is damaged");
    return HONE_OK;
}

static int open_and_read(Reader *r, Array *a)
{
    r->file = H5Fopen(r->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (r->file < 0)
        return error_set(r->e, HONE_ERR_DATA, "'%s' is not an HDF5 file that can be read", r->path);
    if (H5Lexists(r->file, r->name, H5P_DEFAULT) <= 0)
        return error_set(r->e, HONE_ERR_DATA, "'%s' has no dataset '%s'", r->path, r->name);
    r->set = H5Dopen2(r->file, r->name, H5P_DEFAULT);
    if (r->set < 0)
        return refuse(r, "is none, or damaged");
    r->space = H5Dget_space(r->set);
    r->type = H5Dget_type(r->set);
    if (r->space < 0 || r->type < 0)
        return refuse(r, "has no shape or type");
    return read_array(r, a);
}

int array_read_hdf5(Array *a, const char *path, const char *name, Error *e)
{
    Reader r = {path, name, -1, -1, -1, -1, e};
    H5E_auto2_t print;
    void *context;
    *a = (Array){0};
    H5Eget_auto2(H5E_DEFAULT, &print, &context);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* its own words go nowhere */
    int status = open_and_read(&r, a);
    if (r.type >= 0)
        H5Tclose(r.type);
    if (r.space >= 0)
        H5Sclose(r.space);
    if (r.set >= 0)
        H5Dclose(r.set);
    if (r.file >= 0)
        H5Fclose(r.file);
    H5Eset_auto2(H5E_DEFAULT, print, context);
    if (status != HONE_OK)
        array_release(a);
    return status;
}
