/* The files that verbs are given: told apart by their content, opened, refused in one sentence.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CLI_INPUTS_H
#define HONE_CLI_INPUTS_H

#include "cli/verb.h"
#include "trainer/checkpoint.h"

typedef enum InputKind {
    INPUT_CONFIG = 1,     /* whatever is neither of the others */
    INPUT_CHECKPOINT = 2, /* HDF5 */
    INPUT_ARTIFACT = 4,   /* .hone */
} InputKind;

/* What path holds, which must be among `allowed` (kinds added up). Looks at the first bytes, and at
 * the name only where they tell nothing. Errors: HONE_ERR_IO for what cannot be read,
 * HONE_ERR_USAGE for another kind, with what this verb takes. */
HONE_CHECKED int input_kind(InputKind *kind, const char *path, int allowed, Error *e);

/* A session as the environment and --threads (FLAG_UNSET: not given) have it. */
SessionOptions input_session(int64_t threads, bool without_data);

/* Reads an artifact; *bytes is the caller's to free. */
HONE_CHECKED int input_artifact(const char *path, unsigned char **bytes, size_t *count, Error *e);

/* Opens a checkpoint and a session of its configuration with its parameters in it. On failure both
 * are closed. Their addresses must not change while they are open. */
HONE_CHECKED int input_checkpoint(Checkpoint *c, Session *s, const char *path,
                                  const FlagTexts *sets, const SessionOptions *options, Error *e);

/* The same of a configuration and a new model. */
HONE_CHECKED int input_config(Config *c, Session *s, const char *path, const FlagTexts *sets,
                              const SessionOptions *options, Error *e);

/* sets with count more behind them, which thus win; *all is the caller's to release. */
HONE_CHECKED int input_overrides(FlagTexts *all, const FlagTexts *sets, const char *const *more,
                                 size_t count, Error *e);
void input_overrides_release(FlagTexts *all);

/* Whether the run had calibrated its ranges: from there on its weights are meant for integers. */
bool input_calibrated(const Checkpoint *c);
/* HONE_ERR_CONFIG where the model of the checkpoint, the file path, is one of floats alone, or still
 * was when it was saved. */
HONE_CHECKED int input_quantized(const Checkpoint *c, const char *path, Error *e);

#endif
