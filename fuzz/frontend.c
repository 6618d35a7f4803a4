/* Fuzz target: front ends of artifacts. The input changes words of a good section, each time by four
 * bytes: a place and a value; what then opens computes, and nothing overflows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/target.h"

#include "datasets/front.h"
#include "runtime/frontend.h"

#include <string.h>

/* An MFCC front end: all tables. */
static void make_section(unsigned char **section, size_t *count)
{
    static const MelSpec spec = {.kind = HONE_RT_FRONT_MFCC,
                                 .rate = 8000,
                                 .clip = 1000,
                                 .frame = 50,
                                 .hop = 40,
                                 .fft = 64,
                                 .frames = 24,
                                 .mels = 8,
                                 .coefficients = 6,
                                 .high_hz = 4000,
                                 .floor = 1e-10f};
    Mel *mel;
    if (mel_new(&mel, &spec, NULL) != HONE_OK ||
        front_pack(mel, HONE_RT_FRONT_CENTRE, front_grid(-300, 100), section, count, NULL) !=
            HONE_OK)
        abort();
    mel_free(mel);
}

static void compute(const HoneRtFrontend *f)
{
    const size_t bytes = hone_rt_frontend_scratch_bytes(f);
    void *scratch = malloc(bytes);
    int16_t *pcm = malloc(f->record->frame * sizeof *pcm);
    int8_t codes[HONE_RT_FRONT_MAX_MELS];
    for (int kind = 0; kind < 3; kind++) {
        for (uint32_t i = 0; i < f->record->frame; i++)
            pcm[i] = (int16_t)(kind == 0   ? -32768
                               : kind == 1 ? (int)(i * 7919 % 65536) - 32768
                                           : 0);
        hone_rt_frontend_frame(f, pcm, scratch, codes);
    }
    free(pcm);
    free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char *section;
    size_t count;
    Error e = {0};
    Front front;
    HoneRtFrontend opened;
    make_section(&section, &count);
    for (; size >= 4; data += 4, size -= 4) {
        const size_t at = ((size_t)data[0] << 8 | data[1]) % count;
        section[at] = data[2];
        section[(at + 1) % count] = data[3];
    }
    if (hone_rt_frontend_open(&opened, section, count) == HONE_RT_OK)
        compute(&opened);
    fuzz_expect(front_unpack(&front, section, count, &e), &e);
    front_release(&front);
    free(section);
    return 0;
}
