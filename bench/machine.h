/* What a measurement should say of the machine: which it is, and whether it was ours alone.
 *
 *     MachineUse before = machine_use();
 *     ... measure ...
 *     double others = machine_others(before, machine_use());
 *
 * Linux only; elsewhere the name is unknown and others are 0. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_BENCH_MACHINE_H
#define HONE_BENCH_MACHINE_H

#include <stddef.h>

/* Seconds so far: of the clock, of all processors' work, of this program's. */
typedef struct MachineUse {
    double clock, busy, own;
} MachineUse;

/* What was used so far. */
MachineUse machine_use(void);
/* Processors that other programs, and the host behind a virtual machine, used meanwhile. */
double machine_others(MachineUse before, MachineUse after);

/* The processor's name, as the system gives it, into buffer; returns buffer. */
const char *machine_name(char *buffer, size_t size);

#endif
