/* From final weights to proven artifacts.
 *
 *     Finish f;
 *     if (finish_run(&f, &session, "runs/a", NULL, &e) != HONE_OK) ...
 *     printf("%s: %lld bytes\n", f.artifacts[0].path, (long long)f.artifacts[0].bytes);
 *
 * For each requantization profile of the configuration, an integer plan is made from the session's
 * parameters, lowered, written, read back and proven on the whole test set: integer evaluation of
 * the live graph against the runtime with the machine's kernels, and on the first 500 images with the
 * reference kernels (export/prove.h); on the first batch also the fake-quantized float graph against
 * integer evaluation (export/agree.h).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_FINISH_H
#define HONE_TRAINER_FINISH_H

#include "export/agree.h"
#include "export/options.h"
#include "export/prove.h"
#include "trainer/evaluate.h"

#define FINISH_PATH_BYTES 1024

/* What a proof found. */
typedef struct FinishProof {
    Evaluation trained;  /* integer evaluation of the live graph */
    Evaluation artifact; /* the artifact in the runtime */
    ProveResult prove;
    AgreeResult agree; /* not run with a limit: all zero then */
} FinishProof;

typedef struct FinishArtifact {
    char path[FINISH_PATH_BYTES];
    const char *format;  /* "hone" */
    const char *requant; /* "s24", "d31" */
    int64_t bytes;
    int64_t ram_bytes; /* the arena of the reference kernels */
    FinishProof proof;
} FinishArtifact;

typedef struct Finish {
    FinishArtifact artifacts[EXPORT_PROFILES_MAX];
    int count;
    double sparsity; /* zero integers among the weights of the artifacts, 0..1 */
} Finish;

/* The bytes of the artifact of a session that was trained or calibrated with quantization, in a
 * profile of fixed.h; *bytes is the caller's to free, NULL on failure. Errors: ERR_CONFIG for a session
 * without `qat` section; what export/lower.h and write_hone.h say. */
HONE_CHECKED int finish_artifact(const Session *s, uint32_t profile, unsigned char **bytes,
                                 size_t *count, Error *e);

/* Exports the session, which was trained or calibrated with quantization, into folder as
 * "model.hone", or in several profiles as "model.s24.hone" and so on, proves each and says what came
 * out. An artifact that is not proven is removed, and those after it are not written.
 * Errors: ERR_CONFIG for a session without `qat` section or data; ERR_MISMATCH when the proof fails;
 * what the parts say. */
HONE_CHECKED int finish_run(Finish *f, const Session *s, const char *folder,
                            const TrainEvents *events, Error *e);

/* Compares an artifact's bytes (16-byte aligned) with the session's parameters, evaluated in the
 * artifact's profile, on the first `limit` test images, 0: all. Differences are a result
 * (proof->prove), not an error. Errors: ERR_DATA, ERR_MISMATCH where the shapes differ. */
HONE_CHECKED int finish_verify(FinishProof *proof, const Session *s, const void *bytes,
                               size_t count, int64_t limit, const TrainEvents *events, Error *e);

#endif
