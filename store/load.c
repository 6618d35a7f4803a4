/* Reading checkpoints: see store.h. The list of contents is read when the file is opened, so that
 * every later question but the arrays themselves is a look-up. SPDX-License-Identifier: Apache-2.0 */
#include "store/hdf5.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX  16                    /* of groups in groups: ends cycles in foreign files */
#define NAME_BYTES (STATE_NAME_MOST + 2) /* with a '/' and a '\0' behind it */

struct Store {
    hid_t file;
    char *path;
    char reason[HDF5_REASON_BYTES]; /* why HDF5 failed */
    StateDict contents;
};

/* ---- the list of contents ------------------------------------------------------------------- */

/* The type of a stored element, or STATE_TYPE_COUNT for one we never write. */
static StateType stored_type(hid_t type)
{
    if (H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0)
        return STATE_TEXT;
    for (int t = 0; t < STATE_TEXT; t++)
        if (H5Tequal(type, hdf5_file_type((StateType)t)) > 0)
            return (StateType)t;
    return STATE_TYPE_COUNT;
}

static int damaged(const char *path, const char *name, const char *reason, Error *e)
{
    return error_set(e, HONE_ERR_DATA, "%s: '/%s' is damaged: %s", path, name, reason);
}

/* Adds a dataset of a type that we write. */
static int add_dataset(Store *store, const char *name, StateType type, size_t type_bytes, int rank,
                       const hsize_t *sizes, Error *e)
{
    int64_t dims[STATE_RANK_MAX];
    for (int i = 0; i < rank; i++)
        dims[i] = sizes[i] > INT64_MAX ? -1 : (int64_t)sizes[i];
    int rc = state_add(&store->contents, name, type, rank, dims, NULL, e);
    if (rc != HONE_OK)
        return error_prefix(e, "%s", store->path);
    if (type == STATE_TEXT)
        store->contents.entries[store->contents.count - 1].bytes = type_bytes;
    return HONE_OK;
}

/* Lists dataset `set`; one of a type or rank we never write is left out. */
static int list_dataset(Store *store, hid_t set, const char *name, Error *e)
{
    int rc = HONE_OK;
    hsize_t sizes[STATE_RANK_MAX];
    hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    int rank = H5Sget_simple_extent_ndims(space);
    StateType known = stored_type(type);
    int most = known == STATE_TYPE_COUNT ? -1 : known == STATE_TEXT ? 0 : STATE_RANK_MAX;
    if (type < 0 || rank < 0 || (rank <= most && H5Sget_simple_extent_dims(space, sizes, NULL) < 0))
        rc = damaged(store->path, name, store->reason, e);
    else if (rank <= most)
        rc = add_dataset(store, name, known, H5Tget_size(type), rank, sizes, e);
    hdf5_close(space);
    hdf5_close(type);
    return rc;
}

static int list_group(Store *store, hid_t group, char *name, size_t used, int depth, Error *e);

/* Lists link number i, in that order, of a group whose path is name[0..used). */
static int list_link(Store *store, hid_t group, H5_index_t order, hsize_t i, char *name,
                     size_t used, int depth, Error *e)
{
    ssize_t length = H5Lget_name_by_idx(group, ".", order, H5_ITER_INC, i, name + used,
                                        NAME_BYTES - used, H5P_DEFAULT);
    if (length >= 0 && used + (size_t)length > STATE_NAME_MOST) {
        name[used] = '\0';
        return error_set(e, HONE_ERR_DATA, "%s: the path of entry %llu of '/%s' is longer than %d",
                         store->path, (unsigned long long)i, name, STATE_NAME_MOST);
    }
    hid_t object = length < 0 ? -1 : H5Oopen(group, name + used, H5P_DEFAULT);
    if (object < 0) {
        name[used] = '\0';
        return error_set(e, HONE_ERR_DATA, "%s: entry %llu of '/%s' is damaged: %s", store->path,
                         (unsigned long long)i, name, store->reason);
    }
    int rc = HONE_OK;
    if (H5Iget_type(object) == H5I_DATASET) {
        rc = list_dataset(store, object, name, e);
    } else if (H5Iget_type(object) == H5I_GROUP) {
        name[used + (size_t)length] = '/';
        rc = list_group(store, object, name, used + (size_t)length + 1, depth + 1, e);
    }
    hdf5_close(object);
    return rc;
}

/* In which order a group's links are listed: the one they were made in where the group knows it, as
 * ours do. */
static bool find_order(hid_t group, H5_index_t *order)
{
    unsigned flags = 0;
    hid_t options = H5Gget_create_plist(group);
    bool known = H5Pget_link_creation_order(options, &flags) >= 0;
    hdf5_close(options);
    *order = flags & H5P_CRT_ORDER_TRACKED ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME;
    return known;
}

static int list_group(Store *store, hid_t group, char *name, size_t used, int depth, Error *e)
{
    H5G_info_t info;
    H5_index_t order;
    if (depth > DEPTH_MAX)
        return error_set(e, HONE_ERR_DATA, "%s: groups are nested deeper than %d", store->path,
                         DEPTH_MAX);
    name[used] = '\0';
    if (!find_order(group, &order) || H5Gget_info(group, &info) < 0)
        return damaged(store->path, name, store->reason, e);
    int rc = HONE_OK;
    for (hsize_t i = 0; i < info.nlinks && rc == HONE_OK; i++)
        rc = list_link(store, group, order, i, name, used, depth, e);
    return rc;
}

static int list_root(Store *store, Error *e)
{
    char name[NAME_BYTES] = "";
    hid_t root = H5Gopen2(store->file, "/", H5P_DEFAULT);
    int rc = root < 0 ? damaged(store->path, name, store->reason, e)
                      : list_group(store, root, name, 0, 0, e);
    hdf5_close(root);
    return rc;
}

static int damaged_attribute(const Store *store, const char *name, Error *e)
{
    return error_set(e, HONE_ERR_DATA, "%s: attribute '%s' is damaged: %s", store->path, name,
                     store->reason);
}

static int list_string(Store *store, hid_t attribute, hid_t type, const char *name, Error *e)
{
    size_t bytes = H5Tget_size(type);
    char *text = calloc(1, bytes + 1);
    if (!text)
        return error_memory(e, "an attribute of a checkpoint", bytes + 1);
    int rc = H5Aread(attribute, type, text) < 0 ? damaged_attribute(store, name, e)
                                                : state_set_string(&store->contents, name, text, e);
    free(text);
    return rc;
}

/* Foreign types are left out. */
static int list_value(Store *store, hid_t attribute, hid_t type, const char *name, Error *e)
{
    int64_t integer;
    double real;
    switch (H5Tget_class(type)) {
    case H5T_INTEGER:
        return H5Aread(attribute, H5T_NATIVE_INT64, &integer) < 0
                   ? damaged_attribute(store, name, e)
                   : state_set_int(&store->contents, name, integer, e);
    case H5T_FLOAT:
        return H5Aread(attribute, H5T_NATIVE_DOUBLE, &real) < 0
                   ? damaged_attribute(store, name, e)
                   : state_set_double(&store->contents, name, real, e);
    case H5T_STRING:
        return H5Tis_variable_str(type) ? HONE_OK : list_string(store, attribute, type, name, e);
    default:
        return HONE_OK;
    }
}

typedef struct Listing {
    Store *store;
    Error *e;
    int rc;
} Listing;

/* Adds an attribute of the root group to the list; arrays are left out. Above 0 ends the walk. */
static herr_t list_attribute(hid_t root, const char *name, const H5A_info_t *info, void *context)
{
    (void)info;
    Listing *l = context;
    hid_t attribute = H5Aopen(root, name, H5P_DEFAULT);
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    hssize_t count = H5Sget_simple_extent_npoints(space);
    if (type < 0 || count < 0)
        l->rc = damaged_attribute(l->store, name, l->e);
    else if (count == 1)
        l->rc = list_value(l->store, attribute, type, name, l->e);
    hdf5_close(space);
    hdf5_close(type);
    hdf5_close(attribute);
    return l->rc != HONE_OK;
}

static int list_attributes(Store *store, Error *e)
{
    Listing l = {store, e, HONE_OK};
    if (H5Aiterate2(store->file, H5_INDEX_NAME, H5_ITER_INC, NULL, list_attribute, &l) < 0)
        return error_set(e, HONE_ERR_DATA, "'%s' is damaged: %s", store->path, store->reason);
    return l.rc;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Refuses what is no readable HDF5 file before HDF5 sees it, for the sake of the message. */
static int check_file(const char *path, Error *e)
{
    static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    unsigned char start[8];
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(e, HONE_ERR_IO, "cannot open '%s'", path);
    int rc = HONE_OK;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        rc = error_set(e, HONE_ERR_IO, "cannot open '%s': not a regular file", path);
    else if (read(fd, start, sizeof start) != (ssize_t)sizeof start ||
             memcmp(start, signature, sizeof signature) != 0)
        rc = error_set(e, HONE_ERR_DATA, "'%s' is not an HDF5 file", path);
    close(fd);
    return rc;
}

static hid_t open_file(const char *path)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), file = -1;
    bool ready = H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0;
#if H5_VERSION_GE(1, 10, 7) /* saving replaces files, so a lock protects nothing */
    ready = ready && H5Pset_file_locking(access, 0, 1) >= 0;
#endif
    if (ready)
        file = H5Fopen(path, H5F_ACC_RDONLY, access);
    hdf5_close(access);
    return file;
}

static int check_version(const Store *store, Error *e)
{
    const StateAttribute *mark = state_attribute(&store->contents, STORE_MARK);
    if (!mark || mark->kind != STATE_INT)
        return error_set(e, HONE_ERR_DATA,
                         "'%s' is an HDF5 file but no Hone checkpoint (attribute '%s' is missing)",
                         store->path, STORE_MARK);
    if (mark->value.i < 1 || mark->value.i > STORE_VERSION)
        return error_set(e, HONE_ERR_DATA,
                         "'%s' is a checkpoint of version %lld, this program reads up to %d",
                         store->path, (long long)mark->value.i, STORE_VERSION);
    return HONE_OK;
}

int store_open(Store **out, const char *path, Error *e)
{
    *out = NULL;
    int rc = check_file(path, e);
    if (rc != HONE_OK)
        return rc;
    Store *store = calloc(1, sizeof *store);
    if (!store)
        return error_memory(e, "a checkpoint", sizeof *store);
    hdf5_watch(store->reason);
    store->file = -1;
    store->path = arena_text(&store->contents.arena, path);
    if (!store->path) {
        rc = error_memory(e, "a file name", strlen(path) + 1);
        goto done;
    }
    store->file = open_file(path);
    if (store->file < 0) {
        rc = error_set(e, HONE_ERR_DATA, "'%s' is damaged: %s", path, store->reason);
        goto done;
    }
    rc = list_attributes(store, e);
    if (rc == HONE_OK)
        rc = check_version(store, e);
    if (rc == HONE_OK)
        rc = list_root(store, e);
done:
    hdf5_watch(NULL);
    if (rc == HONE_OK)
        *out = store;
    else
        store_close(store);
    return rc;
}

void store_close(Store *store)
{
    if (!store)
        return;
    if (store->file >= 0)
        H5Fclose(store->file);
    state_release(&store->contents);
    free(store);
}

const char *store_path(const Store *store)
{
    return store->path;
}

const StateDict *store_contents(const Store *store)
{
    return &store->contents;
}

/* ---- arrays and texts ----------------------------------------------------------------------- */

static bool same_shape(const StateEntry *entry, int rank, const int64_t *dims)
{
    if (entry->rank != rank)
        return false;
    for (int i = 0; i < rank; i++)
        if (entry->dims[i] != dims[i])
            return false;
    return true;
}

/* Finds an array and checks that it is of the wanted type and shape. */
static int find_array(const Store *store, const char *name, StateType type, int rank,
                      const int64_t *dims, const StateEntry **found, Error *e)
{
    char have[STATE_LABEL_BYTES], want[STATE_LABEL_BYTES];
    const StateEntry *entry = state_find(&store->contents, name);
    *found = entry;
    if (!entry)
        return error_set(e, HONE_ERR_DATA, "%s: '/%s' is missing", store->path, name);
    if (entry->type != type)
        return error_set(e, HONE_ERR_SHAPE, "%s: '/%s' is %s, the model wants %s", store->path,
                         name, state_label(entry->type, entry->rank, entry->dims, have),
                         state_label(type, rank, dims, want));
    if (!same_shape(entry, rank, dims))
        return error_set(e, HONE_ERR_SHAPE, "%s: '/%s' is %s, the model wants %s", store->path,
                         name, state_shape_label(entry->rank, entry->dims, have),
                         state_shape_label(rank, dims, want));
    return HONE_OK;
}

/* Reads the whole dataset; a text has the string type of the file itself. */
static int read_dataset(const Store *store, const StateEntry *entry, void *dst, Error *e)
{
    char reason[HDF5_REASON_BYTES];
    const bool text = entry->type == STATE_TEXT;
    hdf5_watch(reason);
    hid_t set = H5Dopen2(store->file, entry->name, H5P_DEFAULT);
    hid_t type = text ? H5Dget_type(set) : hdf5_memory_type(entry->type);
    int rc = H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, dst) < 0
                 ? damaged(store->path, entry->name, reason, e)
                 : HONE_OK;
    if (text)
        hdf5_close(type);
    hdf5_close(set);
    hdf5_watch(NULL);
    return rc;
}

int store_read(const Store *store, const char *name, StateType type, int rank, const int64_t *dims,
               void *dst, Error *e)
{
    const StateEntry *entry;
    int rc = find_array(store, name, type, rank, dims, &entry, e);
    if (rc != HONE_OK || entry->bytes == 0)
        return rc;
    return read_dataset(store, entry, dst, e);
}

int store_load(const Store *store, const StateDict *s, Error *e)
{
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < s->count; i++) {
            const StateEntry *want = &s->entries[i], *entry;
            if (want->type == STATE_TEXT)
                continue;
            int rc = find_array(store, want->name, want->type, want->rank, want->dims, &entry, e);
            if (rc == HONE_OK && pass == 1 && entry->bytes > 0)
                rc = read_dataset(store, entry, want->data, e);
            if (rc != HONE_OK)
                return rc;
        }
    }
    return HONE_OK;
}

int store_text(const Store *store, const char *name, char **text, Error *e)
{
    *text = NULL;
    const StateEntry *entry;
    int rc = find_array(store, name, STATE_TEXT, 0, NULL, &entry, e);
    if (rc != HONE_OK)
        return rc;
    char *buffer = calloc(1, entry->bytes + 1);
    if (!buffer)
        return error_memory(e, "a text of a checkpoint", entry->bytes + 1);
    rc = read_dataset(store, entry, buffer, e);
    if (rc != HONE_OK)
        free(buffer);
    else
        *text = buffer;
    return rc;
}

/* ---- attributes ----------------------------------------------------------------------------- */

static int find_attribute(const Store *store, const char *name, StateKind kind,
                          const StateAttribute **found, Error *e)
{
    static const char *const kinds[] = {"an integer", "a double", "a string"};
    const StateAttribute *a = *found = state_attribute(&store->contents, name);
    if (!a)
        return error_set(e, HONE_ERR_DATA, "%s: attribute '%s' is missing", store->path, name);
    if (a->kind != kind)
        return error_set(e, HONE_ERR_DATA, "%s: attribute '%s' is %s, not %s", store->path, name,
                         kinds[a->kind], kinds[kind]);
    return HONE_OK;
}

int store_int(const Store *store, const char *name, int64_t *value, Error *e)
{
    const StateAttribute *a;
    int rc = find_attribute(store, name, STATE_INT, &a, e);
    if (rc == HONE_OK)
        *value = a->value.i;
    return rc;
}

int store_double(const Store *store, const char *name, double *value, Error *e)
{
    const StateAttribute *a;
    int rc = find_attribute(store, name, STATE_DOUBLE, &a, e);
    if (rc == HONE_OK)
        *value = a->value.real;
    return rc;
}

int store_string(const Store *store, const char *name, const char **value, Error *e)
{
    const StateAttribute *a;
    int rc = find_attribute(store, name, STATE_STRING, &a, e);
    if (rc == HONE_OK)
        *value = a->value.text;
    return rc;
}
