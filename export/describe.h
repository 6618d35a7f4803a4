/* What is in an artifact, read from its bytes alone: the rows and totals of `hone inspect`.
 *
 *     Description d;
 *     if (describe_artifact(&d, bytes, count, &e) != HONE_OK) ...
 *     for (int i = 0; i < d.layer_count; i++) printf("%s %s\n", d.layers[i].kind, d.layers[i].name);
 *     describe_release(&d);
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_EXPORT_DESCRIBE_H
#define HONE_EXPORT_DESCRIBE_H

#include "core/error.h"
#include "export/notes.h"
#include "runtime/frontend.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A tensor: NHWC of one image, real value = scale * (code - zero_point). */
typedef struct DescribedTensor {
    const char *name;
    int h, w, c;
    float scale;
    int zero_point;
} DescribedTensor;

enum { DESCRIBED_INPUTS = 8 };

typedef struct DescribedLayer {
    const char *name;
    const char *kind; /* "conv", "depthwise", "dense", "add", "mean", "mul", "max_pool", ... */
    DescribedTensor in[DESCRIBED_INPUTS], out;
    int inputs;             /* 1 or more */
    int kernel_h, kernel_w; /* 0 where the kind has none, as the next two */
    int stride_h, stride_w;
    int groups;           /* of a convolution, else 0 */
    int lo, hi;           /* clamp of the output codes: the fused activation */
    int64_t macs;         /* multiply-accumulates of one image */
    int64_t weights;      /* count, 0 without */
    int64_t zero_weights; /* of them */
    int64_t params;       /* weights and biases, as numbers */
    int64_t bytes;        /* of its constants; blobs that layers share count for each */
} DescribedLayer;

typedef struct Description {
    DescribedLayer *layers; /* in the order of execution */
    int layer_count;
    DescribedTensor input, output;
    Notes notes;         /* of the input and the classes */
    uint32_t profile;    /* of fixed.h */
    const char *requant; /* its name: "s24", "d31" */
    int classes;         /* of a classifier, else 0 */
    bool softmax;        /* the output is a softmax's: probabilities */
    int64_t bytes;       /* of the artifact */
    int64_t constants_bytes;
    int64_t activation_bytes; /* of the memory plan */
    int64_t ram_bytes;        /* the arena of the reference kernels: activations and scratch */
    int64_t macs, params, weights, zero_weights;
    double sparsity;                   /* zero_weights / weights, 0 without weights */
    const HoneRtFrontRecord *frontend; /* of a model of sounds, else NULL */
    const char *frontend_damage;       /* why a front end that is there is not used, else NULL */
} Description;

/* bytes must be a valid artifact, 16-byte aligned (malloc does); names point into it, so it must
 * outlive d. Errors: ERR_DATA with what is wrong with it, ERR_MEMORY; d is then empty. */
HONE_CHECKED int describe_artifact(Description *d, const void *bytes, size_t count, Error *e);
void describe_release(Description *d);

#endif
