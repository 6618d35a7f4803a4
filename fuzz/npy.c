/* Fuzz target: NumPy's arrays. What is read has as many elements as its shape says.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/target.h"

#include "datasets/array.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Array a;
    Error e = {0};
    double sum = 0;
    const int status = array_read_npy(&a, fuzz_file(".npy", data, size), &e);
    fuzz_expect(status, &e);
    if (a.count > size)
        abort();
    for (size_t i = 0; i < a.count; i++)
        sum += array_at(&a, i);
    (void)sum;
    array_release(&a);
    return 0;
}
