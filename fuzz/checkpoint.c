/* Fuzz target: checkpoints. SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/target.h"

#include "trainer/checkpoint.h"

static void read_arrays(const Store *store)
{
    static unsigned char room[1 << 16];
    const StateDict *contents = store_contents(store);
    for (size_t i = 0; i < contents->count; i++) {
        const StateEntry *entry = &contents->entries[i];
        Error e = {0};
        size_t count = 1;
        for (int k = 0; k < entry->rank; k++)
            count = entry->dims[k] > 0 && count < sizeof room ? count * (size_t)entry->dims[k] : 0;
        if (count > 0 && count <= sizeof room / 8)
            fuzz_expect(
                store_read(store, entry->name, entry->type, entry->rank, entry->dims, room, &e),
                &e);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(".h5", data, size);
    Checkpoint c;
    Store *store = NULL;
    Error e = {0};
    int status = checkpoint_open(&c, path, NULL, 0, &e);
    fuzz_expect(status, &e);
    if (status == HONE_OK)
        checkpoint_close(&c);
    e = (Error){0};
    status = store_open(&store, path, &e);
    fuzz_expect(status, &e);
    if (status == HONE_OK)
        read_arrays(store);
    store_close(store);
    return 0;
}
