/* Writing checkpoints: see store.h.
 *
 * HDF5 builds the file in memory, and file_write_atomic() writes its bytes. HDF5 can thus meet no
 * full disk, after which it could neither close the file nor shut down, and what reaches the disk
 * is one sequential write. It costs the file's size in memory while saving.
 *
 * Arrays are one chunk with a Fletcher-32 checksum; scalars and texts lie in the object headers,
 * which the file format of HDF5 1.10 checksums itself. Neither needs an option when reading.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"
#include "store/hdf5.h"
#include "store/store.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROW_BYTES    ((size_t)1 << 20)    /* step in which the image in memory grows */
#define COMPACT_BYTES ((size_t)60000)      /* object headers hold less than 64 KiB */
#define CHUNK_BYTES   ((size_t)0xFFFFFFFF) /* a chunk is smaller than 4 GiB */

/* ---- a file in memory ----------------------------------------------------------------------- */

/* The bytes of the file. HDF5 allocates them through the functions below, and when it closes the
 * file, complete, and wants to free them, they stay. (H5Fget_file_image would need a second copy,
 * and in HDF5 1.10 leaves a wrong checksum in the first block.) A file that could not be closed HDF5
 * keeps to the program's end, and with it the image, which nobody else wants any more. */
typedef struct Image {
    unsigned char *data;
    size_t room;
    bool unwanted;
} Image;

static void image_free(Image *image)
{
    free(image->data);
    free(image);
}

static void *image_resize(void *old, size_t bytes, H5FD_file_image_op_t op, void *context)
{
    (void)op;
    Image *image = context;
    unsigned char *data = realloc(old, bytes);
    if (!data)
        return NULL;
    if (bytes > image->room) /* gaps in the file must not depend on the heap */
        memset(data + image->room, 0, bytes - image->room);
    image->data = data;
    image->room = bytes;
    return data;
}

static herr_t image_close(void *data, H5FD_file_image_op_t op, void *context)
{
    (void)data;
    (void)op;
    Image *image = context;
    if (image->unwanted)
        image_free(image);
    return 0;
}

static void *image_share(void *context)
{
    return context;
}

static herr_t image_unshare(void *context)
{
    (void)context;
    return 0;
}

/* The length of the file in the image, from its first block: signature (8 bytes), version, widths
 * and flags (4), then the addresses of base, extension and end (8 each). 0 when there is none. */
static size_t image_bytes(const Image *image)
{
    uint64_t end = 0;
    if (image->room < 48)
        return 0;
    for (int i = 7; i >= 0; i--)
        end = end << 8 | image->data[28 + i];
    return end <= image->room ? (size_t)end : 0;
}

/* ---- writing into it ------------------------------------------------------------------------ */

/* Handles are -1 until they are open. */
typedef struct Writer {
    hid_t access, root_options, group_options, file;
} Writer;

static bool set_access(hid_t access, Image *image)
{
    H5FD_file_image_callbacks_t memory = {.image_realloc = image_resize, /* from nothing on */
                                          .image_free = image_close,
                                          .udata_copy = image_share,
                                          .udata_free = image_unshare,
                                          .udata = image};
    return H5Pset_fapl_core(access, GROW_BYTES, 0) >= 0 &&
           H5Pset_file_image_callbacks(access, &memory) >= 0 &&
           H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0;
}

/* Groups remember the order of their entries and, as arrays do, no time. */
static bool set_group_options(hid_t options)
{
    return H5Pset_link_creation_order(options, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED) >=
               0 &&
           H5Pset_obj_track_times(options, 0) >= 0;
}

static bool writer_open(Writer *w, Image *image)
{
    char name[40]; /* of no other file in memory, even if one could not be closed */
    snprintf(name, sizeof name, "checkpoint %p", (void *)image);
    *w = (Writer){-1, -1, -1, -1};
    w->access = H5Pcreate(H5P_FILE_ACCESS);
    w->root_options = H5Pcreate(H5P_FILE_CREATE);
    w->group_options = H5Pcreate(H5P_GROUP_CREATE);
    if (set_access(w->access, image) && set_group_options(w->root_options) &&
        set_group_options(w->group_options))
        w->file = H5Fcreate(name, H5F_ACC_TRUNC, w->root_options, w->access);
    return w->file >= 0;
}

/* Returns whether the file in memory was completed. */
static bool writer_close(Writer *w)
{
    bool closed = w->file >= 0 && H5Fclose(w->file) >= 0;
    hdf5_close(w->access);
    hdf5_close(w->root_options);
    hdf5_close(w->group_options);
    return closed;
}

/* Makes the groups of name's folders. (HDF5 could, but would note the time in them.) */
static bool make_groups(const Writer *w, const char *name)
{
    char path[STATE_NAME_MOST + 1];
    bool made = true;
    strcpy(path, name); /* state_add() has seen to its length */
    for (char *slash = strchr(path, '/'); slash && made; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        htri_t exists = H5Lexists(w->file, path, H5P_DEFAULT);
        made = exists > 0 || (exists == 0 && hdf5_close(H5Gcreate2(w->file, path, H5P_DEFAULT,
                                                                   w->group_options, H5P_DEFAULT)));
        *slash = '/';
    }
    return made;
}

/* A UTF-8 string type of that many bytes, at least one, padded with NULs. */
static hid_t string_type(size_t bytes)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (H5Tset_size(type, bytes ? bytes : 1) >= 0 && H5Tset_strpad(type, H5T_STR_NULLPAD) >= 0 &&
        H5Tset_cset(type, H5T_CSET_UTF8) >= 0)
        return type;
    hdf5_close(type);
    return -1;
}

static hid_t entry_space(const StateEntry *entry, hsize_t dims[STATE_RANK_MAX])
{
    for (int i = 0; i < entry->rank; i++)
        dims[i] = (hsize_t)entry->dims[i];
    return entry->rank ? H5Screate_simple(entry->rank, dims, NULL) : H5Screate(H5S_SCALAR);
}

/* dims: of entry_space. */
static hid_t dataset_options(const StateEntry *entry, const hsize_t *dims)
{
    hid_t options = H5Pcreate(H5P_DATASET_CREATE);
    bool done = H5Pset_obj_track_times(options, 0) >= 0 &&
                H5Pset_fill_time(options, H5D_FILL_TIME_NEVER) >= 0;
    if (entry->rank > 0 && entry->bytes > 0 && entry->bytes < CHUNK_BYTES)
        done = done && H5Pset_chunk(options, entry->rank, dims) >= 0 &&
               H5Pset_fletcher32(options) >= 0;
    else if (entry->rank == 0 && entry->bytes < COMPACT_BYTES)
        done = done && H5Pset_layout(options, H5D_COMPACT) >= 0;
    if (done)
        return options;
    hdf5_close(options);
    return -1;
}

/* As numbers in the file and in memory have these types. */
static bool write_entry_as(const Writer *w, const StateEntry *entry, hid_t file_type,
                           hid_t memory_type)
{
    hsize_t dims[STATE_RANK_MAX];
    hid_t space = entry_space(entry, dims), options = dataset_options(entry, dims), set = -1;
    if (space >= 0 && options >= 0 && make_groups(w, entry->name))
        set = H5Dcreate2(w->file, entry->name, file_type, space, H5P_DEFAULT, options, H5P_DEFAULT);
    bool done =
        set >= 0 && H5Dwrite(set, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, entry->data) >= 0;
    done = hdf5_close(set) && done;
    hdf5_close(options);
    hdf5_close(space);
    return done;
}

static bool write_entry(const Writer *w, const StateEntry *entry)
{
    if (entry->type != STATE_TEXT)
        return write_entry_as(w, entry, hdf5_file_type(entry->type), hdf5_memory_type(entry->type));
    hid_t text = string_type(entry->bytes);
    bool done = text >= 0 && write_entry_as(w, entry, text, text);
    hdf5_close(text);
    return done;
}

static bool write_attribute_as(const Writer *w, const char *name, hid_t file_type,
                               hid_t memory_type, const void *value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(w->file, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
    bool done = attribute >= 0 && H5Awrite(attribute, memory_type, value) >= 0;
    done = hdf5_close(attribute) && done;
    hdf5_close(space);
    return done;
}

static bool write_attribute(const Writer *w, const StateAttribute *a)
{
    if (a->kind == STATE_INT)
        return write_attribute_as(w, a->name, H5T_STD_I64LE, H5T_NATIVE_INT64, &a->value.i);
    if (a->kind == STATE_DOUBLE)
        return write_attribute_as(w, a->name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &a->value.real);
    hid_t type = string_type(strlen(a->value.text));
    bool done = type >= 0 && write_attribute_as(w, a->name, type, type, a->value.text);
    hdf5_close(type);
    return done;
}

/* Writes all of s into w; returns the name of what failed, or NULL. */
static const char *write_state(const Writer *w, const StateDict *s)
{
    int64_t version = STORE_VERSION;
    if (!write_attribute_as(w, STORE_MARK, H5T_STD_I64LE, H5T_NATIVE_INT64, &version))
        return STORE_MARK;
    for (size_t i = 0; i < s->attribute_count; i++)
        if (!write_attribute(w, &s->attributes[i]))
            return s->attributes[i].name;
    for (size_t i = 0; i < s->count; i++)
        if (!write_entry(w, &s->entries[i]))
            return s->entries[i].name;
    return NULL;
}

int store_save(const char *path, const StateDict *s, Error *e)
{
    char reason[HDF5_REASON_BYTES];
    Writer w;
    Image *image = calloc(1, sizeof *image);
    if (!image)
        return error_memory(e, "a checkpoint", sizeof *image);
    hdf5_watch(reason);
    const char *failed = writer_open(&w, image) ? write_state(&w, s) : "the first block";
    bool complete = writer_close(&w);
    hdf5_watch(NULL);
    size_t bytes = complete ? image_bytes(image) : 0;
    int rc;
    if (failed)
        rc = error_set(e, HONE_ERR_IO, "cannot put '%s' into '%s': %s", failed, path, reason);
    else if (bytes == 0)
        rc = error_set(e, HONE_ERR_IO, "cannot put together '%s': %s", path, reason);
    else
        rc = file_write_atomic(path, image->data, bytes, e);
    if (complete || w.file < 0)
        image_free(image);
    else
        image->unwanted = true;
    return rc;
}
