/* What saving and loading share of HDF5; private to store/. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_STORE_HDF5_H
#define HONE_STORE_HDF5_H

#include "store/state.h"

#include <hdf5.h>
#include <stdbool.h>

/* The attribute of the root group that makes an HDF5 file a checkpoint: its version. */
#define STORE_MARK "hone_checkpoint"

/* From now on HDF5 prints nothing, and why its first call failed, in its own words, gets into reason
 * (HDF5_REASON_BYTES, set to a sentence that admits to knowing nothing). The buffer must live until
 * the next call; NULL ends it. */
#define HDF5_REASON_BYTES 200
void hdf5_watch(char *reason);

/* Closes a handle of any kind but a file's; whether it was open, which below 0 it is not, and closing
 * it did all there was to do. */
bool hdf5_close(hid_t handle);

/* The type of array elements in memory and in the file (little-endian); not for STATE_TEXT. */
hid_t hdf5_memory_type(StateType type);
hid_t hdf5_file_type(StateType type);

#endif
