/* Calls of HDF5 that fail on purpose, as they do where memory runs out or a file is damaged in a place
 * that no test can find.
 *
 *     hdf5_calls_fail_at(3);     // the third call from here fails, once
 *     ...
 *     hdf5_calls_fail_at(0);     // none does
 *
 * Works by defining the functions that store/ calls over those of the shared library. One that fails
 * does nothing and returns -1; H5Idec_ref() does its work and says that it failed. Questions that only a
 * wrong handle makes fail are not among them. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_HDF5_CALLS_H
#define HONE_TESTS_HDF5_CALLS_H

void hdf5_calls_fail_at(long n);
/* The function whose call was the one chosen above and failed; NULL before it was called. */
const char *hdf5_calls_failed(void);
/* Handles that those functions gave less those that were closed. */
long hdf5_calls_open(void);

#endif
