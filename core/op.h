/* The contract of an operation: everything the rest of Hone knows about a kind of node.
 *
 * An Op is a const struct in one file of layers/ or qat/. Passes never switch over kinds of op; they
 * ask the op. A new op is one new file and one line in a list; tests walk the lists.
 *
 * A node is described once in a Graph (graph.h) and bound to memory once per compilation (exec.h):
 * the functions below get a Run, the bound node. They allocate nothing. Work is divided with
 * run_chunks() into a number of blocks that depends on the batch alone, so results are the same bits
 * at any number of threads. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_OP_H
#define HONE_CORE_OP_H

#include "core/compute.h"
#include "core/error.h"
#include "core/real.h"
#include "core/requant.h"
#include "core/shape.h"
#include "runtime/program.h"

#include <stdint.h>

#define NODE_INPUTS_MAX  8
#define NODE_OUTPUTS_MAX 2

/* What an element of a tensor is in a compilation. */
typedef enum Elem {
    ELEM_REAL,  /* Real */
    ELEM_CODE,  /* int8_t q, standing for scale * (q - zero point); the grid is two other tensors */
    ELEM_INT32, /* int32_t, e.g. labels */
} Elem;

typedef struct Op Op;
typedef struct Node Node;
typedef struct Value Value;

/* A value of the graph in one compilation. Pointers are fixed from compilation on, but for the data
 * of inputs (exec_lend). */
typedef struct Tensor {
    Shape shape; /* dim[0] is the batch for activations */
    Elem elem;
    void *data;
    Real *grad; /* of the loss with respect to the value (of a code: to its real value), or NULL */
    const struct Tensor *scale;      /* ELEM_CODE: Real [1] or [channels], > 0 */
    const struct Tensor *zero_point; /* ELEM_CODE: Real [1], integral; NULL means 0 */
} Tensor;

/* A quantization grid as numbers: real = scale * (code - zero_point). */
typedef struct Grid {
    float scale;        /* > 0 */
    int32_t zero_point; /* -128..127 */
} Grid;

/* What a node needs to compute on codes, integers only. Made by qat/integer.c from the parameters,
 * batch-norm folded; read by Op.integer (trainer's evaluation) and by export. All arrays belong to
 * whoever made it. */
typedef struct IntegerLayer {
    Grid in[2];
    Grid out;
    int32_t lo, hi;            /* the output's clamp, as codes, fused activation included */
    int channels;              /* outputs of a weighted op, else 0 */
    size_t weight_count;       /* elements of weights */
    const int8_t *weights;     /* [channels][...] or depthwise [kh][kw][channels], -127..127 */
    const int32_t *bias;       /* [channels], unit in.scale * weight_scale */
    const float *weight_scale; /* [channels], after folding */
    uint32_t profile;          /* of fixed.h: how requant and add are to be read */
    const uint32_t
        *requant; /* multipliers (core/requant.h), one per channel; without weights word */
    int words;    /* in requant */
    uint32_t word[REQUANT_ADD_WORDS]; /* the multipliers of an op without weights (MEAN, MUL) */
    HoneRtAdd add;      /* ADD only; in D31 only zero points and clamp: the rest is in word */
    void *table;        /* Op.table bytes of an op that has one (TABLE, SOFTMAX) */
    const void *packed; /* weights and bias as compute->integer's kernels want them */
} IntegerLayer;

/* What a node asks of the memory plan, in bytes. */
typedef struct Needs {
    size_t saved;  /* kept from forward to backward, private to the node */
    size_t kept;   /* kept from forward to commit, private to the node */
    size_t shared; /* scratch during one call, shared by the workers (partials of chunks) */
    size_t worker; /* scratch during one call, one per worker */
} Needs;

/* What the products of the backward pass of quantized layers are made of (layers/pairs.h). */
typedef enum Backward {
    BACKWARD_AUTO, /* what the trainer finds best; in a compilation the same as float */
    BACKWARD_FLOAT,
    BACKWARD_BF16,
    BACKWARD_INT16,
} Backward;

/* Which kind of run a compilation is for; see exec.h. */
typedef struct Mode {
    bool training; /* backward exists; batch-norm may use batch statistics */
    bool quantize; /* fake-quant nodes act; else they are transparent */
    bool observe;  /* observers gather ranges although quantize is off: calibration */
    bool integer;  /* evaluation on codes by Op.integer; excludes all of the above */
    bool fuse;     /* quantized training: fused nodes act in place of the nodes they cover */
    Backward backward;
} Mode;

/* Switches that may change between steps without compiling again. */
typedef struct Control {
    bool freeze_batchnorm;     /* training: use and keep the running statistics */
    bool freeze_observers;     /* ranges stay as they are */
    double batchnorm_momentum; /* > 0: in place of the batch-norms' own; 1/k in step k: the mean */
    uint64_t seed, step;       /* what random numbers of a training step are a function of */
} Control;

typedef struct Run Run;

/* Takes part in the work of an op with OP_STREAMS, which then computes its output in blocks of rows
 * (one row is the channels of one pixel) and asks for their gradients likewise, so that a fused node
 * can work on them while they are in the cache. Nothing is read from or written to out[0] then. */
typedef struct Stream {
    const Run *owner;  /* of the fused node */
    const void *parts; /* the owner's */
    /* Forward, before all others: row 0 alone; NULL: not asked for. */
    void (*first)(const Run *r, const Real *y);
    /* Forward, where the rows from `first` on shall be written; NULL: in scratch of the op. */
    Real *(*place)(const Run *r, size_t first);
    /* Forward: rows [first, first + rows) have been written, y being the first. The batch is cut by
     * samples, as run_chunks() cuts it, and the rows of a chunk come in ascending order. */
    void (*placed)(const Run *r, int chunk, int worker, size_t first, size_t rows, const Real *y);
    /* Backward: writes dz, the gradients of channels [channel, channel + cols) of the rows, to to,
     * cols to a row; channel is a multiple of 8. May be called more than once for a row, in any
     * order. peak, [cols] or NULL, becomes its maximum with their magnitudes, NaN where one is. */
    void (*gradient)(const Run *r, size_t first, size_t rows, int channel, int cols, Real *to,
                     Real *peak);
    /* Backward of an op whose output was not kept (Op.again): the gradient of the output y is
     * slope dz + of_y y + shift, by channel. The op sums over the batch dz and dz (y - pivot), asks
     * once for of_y and shift, and computes y again. NULL: it is dz. */
    void (*solve)(const Run *r, const double *sum, const double *product, Real *of_y, Real *shift);
    const Real *slope, *pivot;
    /* Backward: dz where it comes from. It is dy where the bit is set; rows of all channels. */
    const Real *dy;
    const uint8_t *mask; /* MASK_ROW_BYTES(channels) to a row */
} Stream;

/* A node bound to memory. */
struct Run {
    const Node *node;
    Tensor *in[NODE_INPUTS_MAX];
    Tensor *out[NODE_OUTPUTS_MAX];
    bool want[NODE_INPUTS_MAX];       /* backward must produce in[i]->grad ... */
    bool accumulate[NODE_INPUTS_MAX]; /* ... by adding to it; else by overwriting it */
    void *saved;
    void *kept;
    void *shared;
    unsigned char *worker; /* use run_worker() */
    size_t worker_bytes;
    const Compute *compute;
    const Mode *mode;
    const Control *control;
    const Run *listener[NODE_INPUTS_MAX]; /* who is told of in[i]->grad, see run_finished() */
    const IntegerLayer *integer;          /* Mode.integer only */
    const Stream *stream;                 /* made by fused nodes only */
};

enum {
    OP_QUANTIZER = 1,     /* acts only under Mode.quantize; otherwise out[0] is in[0] */
    OP_GRID = 2,          /* acts only under Mode.quantize; has no other use */
    OP_OBSERVER = 4,      /* acts under quantize with training, and under observe; no outputs */
    OP_INPLACE_DATA = 8,  /* out[0]'s data may be in[0]'s */
    OP_INPLACE_GRAD = 16, /* in[0]'s gradient may be out[0]'s */
    OP_LOSS = 32,         /* out[0] is the scalar to be minimized; absent from integer evaluation */
    OP_FUSED = 64,        /* acts under Mode.fuse in quantized training, for the nodes it covers */
    OP_STREAMS = 128,     /* on codes, forward and backward mind Run.stream */
    OP_TRAINING = 256, /* acts only in training; else out[0] is in[0]. On codes a second output is
                             the scale of the first, its zero point is that of in[0] */
    OP_COPY = 512, /* numbers go on as they are; forward or backward, where input and output are one
                      piece of memory nothing is done */
    OP_SAME_GRADS = 1024, /* in[0] and in[1] get the same gradient: it may be one piece of memory */
};

#define OP_IN(i)  (1u << (i))
#define OP_OUT(j) (1u << (NODE_INPUTS_MAX + (j)))

struct Op {
    const char *name; /* as in messages and listings: "conv2d" */
    unsigned flags;   /* OP_* */
    unsigned reads;   /* what backward reads: OP_IN(i) | OP_OUT(j), data only */
    unsigned codes;   /* OP_IN(i) that may come as codes; others get a dequantize node */
    unsigned grads;   /* OP_IN(i) that may want a gradient */
    int outputs;      /* 0..NODE_OUTPUTS_MAX */
    int weight;       /* input that holds the weights (channels first, or last if
                         weight_channels_last), 0: none */
    int bias;         /* input that may hold a bias [channels], 0: none */
    bool weight_channels_last;
    bool
        share_inputs; /* quantized, the inputs can use one grid (an add needs one multiplier then) */
    bool
        keeps_grid; /* on codes makes codes of the grid of its inputs, which must be one: pooling */
    const Grid *grid; /* of the output, where it is always the same; NULL: its range is observed */
    /* The same function with an integer form, which the quantization pass gives a node whose clamp no
     * layer before it can take; NULL: there is none. */
    const Op *alone;
    size_t table; /* bytes of IntegerLayer.table, which rescale fills; 0: none */

    /* Checks the inputs and sets the outputs' shapes, per sample (batch 1). Must not be NULL. */
    int (*infer)(Node *n, Error *e);
    /* Sizes for the memory plan; NULL when there are none. Shapes and elems of r are final. */
    void (*needs)(const Run *r, Needs *needs);
    void (*forward)(const Run *r);
    /* Produces in[i]->grad for each want[i], from out[j]->grad; NULL: not differentiable. Not
     * called where no input wants one. */
    void (*backward)(const Run *r);
    /* Before backward, from run_finished(): the gradient of out[0] is final for the samples of a chunk,
     * and some of it still in a cache. Every chunk comes once or never. NULL: all the same to it. */
    void (*finished)(const Run *r, int chunk);
    /* Updates states (running statistics, ranges) after a training step, serially; may be NULL. */
    void (*commit)(const Run *r);
    /* Multiply-accumulates of one sample; NULL: none. */
    int64_t (*macs)(const Node *n);
    /* OP_STREAMS: whether to compute the output again costs less than to keep it. NULL: it never
     * does. */
    bool (*again)(const Run *r);

    /* A per-channel affine map y = a[c] x + b[c] of evaluation, foldable into a weighted op before
     * it (batch-norm). state(v) returns the current numbers of an input value. NULL: is none. */
    void (*affine)(const Node *n, const Real *const *inputs, Real *a, Real *b);
    /* Narrows [*lo, *hi], codes on grid g, to what an activation function allows. NULL: is none. */
    void (*clamp)(const Node *n, Grid g, int32_t *lo, int32_t *hi);
    /* The same activation on real numbers: y = min(max(x, *lo), *hi), infinities for no bound. */
    void (*bounds)(const Node *n, Real *lo, Real *hi);
    /* y = f(x), element by element: f and its derivative at x. NULL: is no such op. */
    void (*unary)(const Node *n, double x, double *y, double *slope);
    /* An op with integer and without weights: fills layer->word, as many as layer->words then says,
     * layer->add or layer->table, for layer->profile, from the grids and the clamp that are already
     * there; NULL where there is nothing to fill. ERR_NUMERIC
     * where no multiplier exists. */
    int (*rescale)(const Node *n, IntegerLayer *layer, Error *e);
    /* An op with integer and weights: packs w and bias for c->integer into packed, which integer then
     * finds in its layer; returns the bytes that takes, and only that when packed is NULL. w and bias
     * must stay where they are while packed is used. */
    size_t (*pack)(const Node *n, const Compute *c, const int8_t *w, const int32_t *bias,
                   int32_t x_zero_point, void *packed);
    /* Computes out[0] from codes to codes, exactly as the artifact will. NULL: cannot be. */
    void (*integer)(const Run *r);
    /* Fills kind and geometry of the integer program's op; export fills in tensors and constants. */
    void (*lower)(const Node *n, HoneRtOp *op);
};

/* The batch is cut into at most this many chunks: more balance better, fewer reduce faster. */
#define RUN_CHUNKS 16

/* Called for items [begin, end) of chunk `chunk` by worker `worker`. */
typedef void (*RunFn)(const Run *r, int chunk, int begin, int end, int worker);

/* Number of chunks that n items are cut into; depends on n only. */
static inline int run_chunk_count(int n)
{
    return n < RUN_CHUNKS ? n : RUN_CHUNKS;
}

/* The first item of a chunk of n items; chunk may be the number of chunks, which gives n. */
static inline int run_chunk_begin(int n, int chunk)
{
    return (int)((int64_t)n * chunk / run_chunk_count(n));
}

/* Cuts n items (samples, rows) into run_chunk_count(n) chunks and runs fn for each on the pool, or
 * in the caller where the node has next to nothing to do. */
void run_chunks(const Run *r, int n, RunFn fn);

/* Scratch of one worker, 64-byte aligned, Needs.worker bytes. */
static inline void *run_worker(const Run *r, int worker)
{
    return r->worker + (size_t)worker * r->worker_bytes;
}

/* For backward functions that cut the batch by samples, with run_chunks(): in[i]->grad is written for
 * the samples of this chunk. Whoever made in[i] is told if nobody else adds to its gradient later. */
void run_finished(const Run *r, int i, int chunk);

/* The scales of a tensor of codes: one, or one per channel. */
static inline const Real *run_scale(const Tensor *t)
{
    return t->scale->data;
}

/* Its zero point; 0 for weights, which have none. */
static inline int32_t run_zero_point(const Tensor *t)
{
    return t->zero_point ? (int32_t) * (const Real *)t->zero_point->data : 0;
}

/* The place of the largest number, of equal ones the first, in a row of [N,K] reals or codes: codes of
 * one grid are ordered as what they stand for. */
int run_largest(const Tensor *t, int row);

#endif
