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
    switch (type) {
    case STATE_F32:
        return H5T_NATIVE_FLOAT;
    case STATE_F64:
        return H5T_NATIVE_DOUBLE;
    case STATE_I8:
        return H5T_NATIVE_INT8;
    case STATE_U8:
        return H5T_NATIVE_UINT8;
    case STATE_I32:
        return H5T_NATIVE_INT32;
    case STATE_I64:
        return H5T_NATIVE_INT64;
    case STATE_U64:
        return H5T_NATIVE_UINT64;
    default:
        return H5I_INVALID_HID;
    }
}

hid_t hdf5_file_type(StateType type)
{
    switch (type) {
    case STATE_F32:
        return H5T_IEEE_F32LE;
    case STATE_F64:
        return H5T_IEEE_F64LE;
    case STATE_I8:
        return H5T_STD_I8LE;
    case STATE_U8:
        return H5T_STD_U8LE;
    case STATE_I32:
        return H5T_STD_I32LE;
    case STATE_I64:
        return H5T_STD_I64LE;
    case STATE_U64:
        return H5T_STD_U64LE;
    default:
        return H5I_INVALID_HID;
    }
}
