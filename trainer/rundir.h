/* The folder of a run: found or made, never overwritten, and one process's at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_RUNDIR_H
#define HONE_TRAINER_RUNDIR_H

#include "core/error.h"

#include <stdbool.h>

#define RUNDIR_BYTES 1000

typedef struct RunDir {
    char path[RUNDIR_BYTES];
    bool fresh;   /* it must be empty */
    bool resume;  /* asked for */
    bool resumed; /* it holds a checkpoint to go on from */
    int lock;     /* the file ".lock" in it, locked until rundir_close; -1: none */
} RunDir;

/* No folder; rundir_close may follow. */
void rundir_init(RunDir *d);
/* Chooses the folder and makes it, parents included. out: that folder, which must be empty or absent
 * unless resume. NULL: runs/<name>, or the first of runs/<name>-2, -3, ... that does not exist; with
 * resume the last of them that holds a checkpoint, if any does. Errors: ERR_CONFIG, ERR_IO. */
HONE_CHECKED int rundir_open(RunDir *d, const char *name, const char *out, bool resume, Error *e);
/* Keeps other processes from using the folder until rundir_close, and finds out whether there is
 * something to resume. The lock of a process that died is gone with it, and files that it left
 * unfinished go now. Errors: ERR_CONFIG with the number of the process that has it; ERR_IO. */
HONE_CHECKED int rundir_lock(RunDir *d, Error *e);
/* Lets other processes have it. */
void rundir_close(RunDir *d);

#define RUNDIR_FILE_BYTES (RUNDIR_BYTES + 24)
/* "<folder>/<file>" in buffer of RUNDIR_FILE_BYTES, returned; file is a short constant. */
const char *rundir_file(const RunDir *d, const char *file, char *buffer);
bool rundir_has(const RunDir *d, const char *file);

#endif
