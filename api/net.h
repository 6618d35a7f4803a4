/* The inside of a HoneNet; see hone.h. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_API_NET_H
#define HONE_API_NET_H

#include "api/hone.h"
#include "core/exec.h"
#include "optim/optimizer.h"

struct HoneNet {
    HoneNetOptions options;
    Compute compute;
    Graph graph;
    Params params;
    Value *image, *labels, *loss; /* loss: NULL until finished */
    const Value *logits;          /* what the loss reads */
    Optimizer *optimizer;
    int64_t steps; /* that it has done */
    Exec *exec;    /* of training, in float or quantized; NULL until a step */
    bool quantized, frozen;
};

/* The two forms of an error are one: hone.h's callers know no other header. */
static inline Error *api_error(HoneError *e)
{
    _Static_assert(sizeof(HoneError) == sizeof(Error) &&
                       offsetof(HoneError, text) == offsetof(Error, text),
                   "HoneError is Error under its public name");
    return (Error *)e;
}

/* Pixels of an image. */
size_t api_pixels(const HoneNet *net);
/* ERR_CONFIG unless the network is finished. */
HONE_CHECKED int api_ready(const HoneNet *net, Error *e);
/* count images into the input of an exec: numbers, or codes where it takes codes. */
void api_fill(const HoneNet *net, Exec *x, const uint8_t *pixels, int count);
/* Compiles for `batch` images; the caller frees. */
HONE_CHECKED int api_compile(const HoneNet *net, Exec **x, Mode mode, int batch,
                             const IntegerLayer *integer, Error *e);

#endif
