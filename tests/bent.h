/* Programs to be bent, for tests of what the runtime refuses.
 *
 *     BENT_RULE(model_file, ERR_OP, b.ops[STEM].kind = 0);     // one change, the status it must give
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_BENT_H
#define HONE_TESTS_BENT_H

#include "runtime/runtime.h"

#include <check.h>

enum { BENT_ROOM = 16 };

/* The program of a file with arrays of its own. */
typedef struct Bent {
    uint8_t *file;
    HoneRtProgram p;
    HoneRtTensor tensors[BENT_ROOM];
    HoneRtOp ops[BENT_ROOM];
    uint8_t *constants;
} Bent;

void bent_init(Bent *b, const uint8_t *file, size_t bytes);
void bent_release(Bent *b);
HoneRtStatus bent_open(const Bent *b);
/* Of a file, after a change. */
void bent_repair_crc(uint8_t *file, size_t bytes);
/* Prepares and runs whatever opened, in an arena of just the size it asks for. */
void bent_run_any(HoneRtModel *model);
/* Flips each bit of the file, with the checksum made right again: what opens must run. Returns how many
 * opened. */
int bent_flip_every_bit(const uint8_t *file, size_t bytes, const HoneRtKernels *k);

#define BENT_RULE(file, status, change)                                                            \
    do {                                                                                           \
        Bent b;                                                                                    \
        bent_init(&b, file, sizeof(file));                                                         \
        change;                                                                                    \
        const HoneRtStatus got = bent_open(&b);                                                    \
        ck_assert_msg(got == HONE_RT_##status, "%s: '%s'", #change, hone_rt_status_text(got));     \
        bent_release(&b);                                                                          \
    } while (0)

#endif
