/* Fuzz target: artifacts. What the runtime opens it runs, with every kernel table and the same codes.
 * The checksum is made right first, so that the checks behind it are met.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/target.h"

#include "export/describe.h"
#include "runtime/crc.h"
#include "runtime/runtime.h"

#include <string.h>

enum { ARENA_MAX = 1 << 22, WORK_MAX = 1 << 22, OUTPUT_MAX = 1 << 16 };

/* Multiply-accumulates, so that no input takes seconds; 0 also where sections that only programs for
 * people read are damaged. */
static int is_small(const uint8_t *blob, size_t size)
{
    Description d;
    Error e = {0};
    const int status = describe_artifact(&d, blob, size, &e);
    fuzz_expect(status, &e);
    if (status != HONE_OK)
        return 0;
    const int small = d.macs < WORK_MAX && d.activation_bytes < WORK_MAX;
    describe_release(&d);
    return small;
}

/* The codes of an image of zeros; 0 where the model is too large for here. */
static size_t run_with(const uint8_t *blob, size_t size, const HoneRtKernels *kernels,
                       int8_t *output)
{
    HoneRtModel model;
    if (hone_rt_open(&model, blob, size, kernels) != HONE_RT_OK)
        abort();
    const size_t bytes = hone_rt_arena_bytes(&model), n = hone_rt_elements(hone_rt_output(&model));
    if (bytes == 0 || bytes > ARENA_MAX || n > OUTPUT_MAX)
        return 0;
    void *arena = malloc(bytes);
    if (hone_rt_prepare(&model, arena, bytes) != HONE_RT_OK)
        abort();
    memset(hone_rt_input_codes(&model), 0, hone_rt_elements(hone_rt_input(&model)));
    if (hone_rt_run(&model, NULL, output) != HONE_RT_OK)
        abort();
    free(arena);
    return n;
}

static void compare_kernels(const uint8_t *blob, size_t size)
{
    static int8_t expected[OUTPUT_MAX], got[OUTPUT_MAX];
    static const char *const levels[] = {"avx2", "avx512"};
    const size_t n = run_with(blob, size, &hone_rt_kernels_ref, expected);
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        const HoneRtKernels *kernels = hone_rt_kernels_for_host(levels[i]);
        const size_t count = kernels && n > 0 ? run_with(blob, size, kernels, got) : 0;
        if (count > 0 && memcmp(expected, got, n) != 0)
            abort();
    }
}

/* Makes the length and the checksum of the header right. */
static void mend(uint8_t *blob, size_t size)
{
    const uint32_t bytes = (uint32_t)size;
    memcpy(blob + offsetof(HoneRtHeader, bytes), &bytes, sizeof bytes);
    const uint32_t crc = hone_rt_file_crc(blob, (uint32_t)size);
    memcpy(blob + offsetof(HoneRtHeader, crc), &crc, sizeof crc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    HoneRtModel model;
    uint8_t *blob = aligned_alloc(64, (size + 63) / 64 * 64 + 64);
    memcpy(blob, data, size);
    if (size >= sizeof(HoneRtHeader))
        mend(blob, size);
    if (hone_rt_open(&model, blob, size, &hone_rt_kernels_ref) == HONE_RT_OK &&
        is_small(blob, size))
        compare_kernels(blob, size);
    free(blob);
    return 0;
}
