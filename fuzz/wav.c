/* Fuzz target: recordings. What is read has samples, all of them finite.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/target.h"

#include "datasets/wav.h"

#include <math.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    WavClip clip;
    Error e = {0};
    const int status = wav_parse(&clip, data, size, "fuzz.wav", &e);
    fuzz_expect(status, &e);
    if (status == HONE_OK && (clip.count < 1 || clip.rate < 1))
        abort();
    for (int64_t i = 0; i < clip.count; i++)
        if (!isfinite(clip.samples[i]))
            abort();
    wav_release(&clip);
    return 0;
}
