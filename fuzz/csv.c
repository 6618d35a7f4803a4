/* Fuzz target: tables. What is read is finite and has rows of one length.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/target.h"

#include "datasets/array.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Array a;
    Error e = {0};
    const int status = array_read_csv(&a, fuzz_file(".csv", data, size), size % 2 == 1, &e);
    fuzz_expect(status, &e);
    if (status == HONE_OK && a.count != (size_t)(a.dim[0] * a.dim[1]))
        abort();
    for (size_t i = 0; i < a.count; i++)
        if (!isfinite(array_at(&a, i)))
            abort();
    array_release(&a);
    return 0;
}
