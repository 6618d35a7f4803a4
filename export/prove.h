/* The proof that an artifact computes, bit for bit, what the trainer's evaluation computes.
 *
 *     ProveSource source = {.graph = &g, .params = &params, .plan = &plan, .input = image,
 *                           .output = logits, .compute = &compute, .batch = 64};
 *     Prover *p;
 *     if (prover_new(&p, &source, artifact, bytes, &e) != HONE_OK) ...
 *     while (...) if (prover_batch(p, codes, count, outputs, &e) != HONE_OK) ...
 *     if (prover_verdict(p, &e) != HONE_OK) ...           // the sentence names the first layer
 *     prover_free(p);
 *
 * Two computations that share nothing but fixed.h and the integers of the IntegerPlan meet here.
 * One walks the live graph on codes (Exec, Mode.integer) and knows nothing of the artifact. The
 * other is the edge runtime, given the artifact's bytes and nothing else, once with the reference
 * kernels (the specification) and once with the machine's. Every output code is compared; of the
 * first images also every code of every layer, so that a difference which a later layer happens to
 * swallow is found as well. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_EXPORT_PROVE_H
#define HONE_EXPORT_PROVE_H

#include "qat/integer.h"

#define PROVE_TRACED 4 /* images whose layers are all compared */

typedef struct ProveSource {
    const Graph *graph;
    const Params *params;
    const IntegerPlan *plan;
    const Value *input;  /* the images, an input of the graph */
    const Value *output; /* the value that the artifact's output stands for, e.g. the logits */
    const Compute *compute;
    int batch;                /* images of one prover_batch at most, 1..65535 */
    int64_t reference_images; /* the reference kernels, which are slow, run the first so many images
                                 only; 0: all */
} ProveSource;

typedef struct ProveResult {
    int64_t images;
    int64_t reference;    /* of them, those that the reference kernels ran */
    int64_t compared;     /* output codes, counted once per kernel table */
    int64_t traced;       /* codes of inner layers compared besides, likewise */
    int64_t mismatches;   /* of both */
    char first_layer[96]; /* the first layer, in the order of execution, that differs; "" if none */
    char detail[256];     /* one sentence about it: which image, code and kernels; "" if none */
} ProveResult;

typedef struct Prover Prover;

/* Opens the artifact and compiles the graph. Everything given is borrowed and must outlive the
 * prover; bytes is 16-byte aligned. Errors: ERR_DATA for an artifact that the runtime refuses,
 * ERR_MISMATCH where its input or output has another shape than the graph's. */
HONE_CHECKED int prover_new(Prover **p, const ProveSource *source, const void *bytes, size_t count,
                            Error *e);
void prover_free(Prover *p);

/* Runs count (0..batch) images through both and compares. codes [count][h * w * c] int8 (pixel - 128
 * of images); outputs [count][elements of the output] receives the artifact's codes, or NULL.
 * A mismatch is a result, not an error: see prover_result. Images are split over the threads of
 * compute. Errors: ERR_MEMORY, when a first mismatch is to be located. */
HONE_CHECKED int prover_batch(Prover *p, const int8_t *codes, int count, int8_t *outputs, Error *e);

/* The output codes of integer evaluation for the last batch, [count][elements of the output]: what the
 * artifact's were compared with. Valid until the next prover_batch. */
const int8_t *prover_trained(const Prover *p);
/* What was found so far. Lives as long as p. */
const ProveResult *prover_result(const Prover *p);
/* Elements of one image and of its output. */
size_t prover_input_count(const Prover *p);
size_t prover_output_count(const Prover *p);
/* HONE_OK when at least one image was compared and all agreed, else ERR_MISMATCH with a sentence. */
HONE_CHECKED int prover_verdict(const Prover *p, Error *e);

#endif
