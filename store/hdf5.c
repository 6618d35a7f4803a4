/* HDF5's types and errors: see hdf5.h. SPDX-License-Identifier: Apache-2.0 */
#include "store/hdf5.h"

#include <stdio.h>
#include <string.h>

#define UNKNOWN "HDF5 gives no reason"

/* Called for the innermost error first, which says the most. */
static herr_t copy_reason(unsigned n, const H5E_error2_t *error, void *reason)
{
    (void)n;
    if (!error->desc || error->desc[0] == '\0')
        return 0;
    snprintf(reason, HDF5_REASON_BYTES, "%.*s", (int)strcspn(error->desc, "\n"), error->desc);
    return 1;
}

/* Called by HDF5 when a call of ours fails; a later call would clear its list of errors. */
static herr_t on_failure(hid_t stack, void *reason)
{
    if (strcmp(reason, UNKNOWN) == 0)
        H5Ewalk2(stack, H5E_WALK_UPWARD, copy_reason, reason);
    return 0;
}

void hdf5_watch(char *reason)
{
    if (reason)
        snprintf(reason, HDF5_REASON_BYTES, UNKNOWN);
    H5Eset_auto2(H5E_DEFAULT, reason ? on_failure : NULL, reason);
}

bool hdf5_close(hid_t handle)
{
    return handle >= 0 && H5Idec_ref(handle) >= 0;
}

hid_t hdf5_memory_type(StateType type)
{
    const hid_t types[] = {
        [STATE_F32] = H5T_NATIVE_FLOAT,  [STATE_F64] = H5T_NATIVE_DOUBLE,
        [STATE_I8] = H5T_NATIVE_INT8,    [STATE_U8] = H5T_NATIVE_UINT8,
        [STATE_I32] = H5T_NATIVE_INT32,  [STATE_I64] = H5T_NATIVE_INT64,
        [STATE_U64] = H5T_NATIVE_UINT64,
    };
    return types[type];
}

hid_t hdf5_file_type(StateType type)
{
    const hid_t types[] = {
        [STATE_F32] = H5T_IEEE_F32LE, [STATE_F64] = H5T_IEEE_F64LE, [STATE_I8] = H5T_STD_I8LE,
        [STATE_U8] = H5T_STD_U8LE,    [STATE_I32] = H5T_STD_I32LE,  [STATE_I64] = H5T_STD_I64LE,
        [STATE_U64] = H5T_STD_U64LE,
    };
    return types[type];
}
