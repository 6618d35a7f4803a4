/* The layers a model is built of. Each builder appends its parameters and its node to the graph and
 * returns the node's output:
 *
 *     Value *x = graph_input(g, "image", SHAPE4(1, 32, 32, 3), ELEM_REAL);
 *     x = layer_conv2d(g, "stem", x, &(Conv2dOptions){.channels = 16, .kernel = {3, 3}});
 *     x = layer_batchnorm(g, "stem_bn", x, NULL);
 *     x = layer_relu(g, "stem_relu", x);
 *     x = layer_dense(g, "logits", layer_mean(g, "pool", x), 10, true);
 *     Value *loss = layer_softmax_xent(g, "loss", x, labels, 0);
 *
 * Errors are sticky in the graph (graph.h): a builder given NULL, or failing, returns NULL; test
 * once at the end with graph_failed(). Weights start normal with variance 1 / (3 fan_in), fan_in the
 * products per sum: the variance of PyTorch's default, small enough that batch-normalized networks,
 * whose steps grow as their weights shrink, learn fast from the start. Biases start at 0.
 * Shapes are per sample, N = 1 here and the batch in a
 * compilation. Everything belongs to the graph. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_LAYERS_LAYERS_H
#define HONE_LAYERS_LAYERS_H

#include "core/graph.h"
#include "layers/window.h"

/* Of a convolution: [0] is the vertical axis, [1] the horizontal one. Zeros mean the defaults. */
typedef struct Conv2dOptions {
    int channels;    /* of the output; depthwise: 0 or the input's times multiplier */
    int kernel[2];   /* default 1 */
    int stride[2];   /* default 1 */
    int dilation[2]; /* default 1 */
    Padding padding; /* default SAME */
    int pads[4];     /* PADDING_EXPLICIT: top, left, bottom, right; each below the dilated kernel */
    bool bias;
    int groups;     /* conv2d: parts of the channels that do not mix; divides both; default 1 */
    int multiplier; /* depthwise: outputs per channel of the input; default 1 */
} Conv2dOptions;

/* Of a pooling; [0] is the vertical axis. Zeros mean the defaults. */
typedef struct PoolOptions {
    int kernel[2]; /* default 1 */
    int stride[2]; /* default: the kernel */
    Padding padding;
    int pads[4]; /* PADDING_EXPLICIT: top, left, bottom, right; each below the kernel */
} PoolOptions;

typedef struct BatchnormOptions {
    double momentum; /* running = (1 - momentum) * running + momentum * batch; default 0.1 */
    double epsilon;  /* default 1e-3 */
} BatchnormOptions;

/* y[n,oy,ox,o] = b[o] + sum x[n, oy*s-p+ky*d, ox*s-p+kx*d, i] w[o,ky,kx,i], zeros outside.
 * x [N,H,W,C]; parameters "name.weight" [O,kh,kw,C] and "name.bias" [O]. In G groups the weights are
 * [O,kh,kw,C/G], and o reads the channels i of part o / (O/G) of x alone. Errors: ERR_SHAPE. */
Value *layer_conv2d(Graph *g, const char *name, Value *x, const Conv2dOptions *o);
/* y[n,oy,ox,o] = b[o] + sum x[n, oy*s-p+ky*d, ox*s-p+kx*d, o / m] w[ky,kx,o], m the multiplier.
 * x [N,H,W,C]; "name.weight" [1,kh,kw,C m]. Errors: ERR_SHAPE. */
Value *layer_depthwise(Graph *g, const char *name, Value *x, const Conv2dOptions *o);
/* y[n,o] = b[o] + sum x[n,i] w[o,i]; x [N,C] or [N,H,W,C], flattened to C = H W C.
 * "name.weight" [O,C]. Errors: ERR_SHAPE. */
Value *layer_dense(Graph *g, const char *name, Value *x, int units, bool bias);

/* y = gamma (x - mean) / sqrt(variance + epsilon) + beta, statistics over all axes but the last: of
 * the batch in training, else running. o may be NULL for the defaults. */
Value *layer_batchnorm(Graph *g, const char *name, Value *x, const BatchnormOptions *o);
/* y = max(x, 0) */
Value *layer_relu(Graph *g, const char *name, Value *x);
/* y = min(max(x, 0), 6) */
Value *layer_relu6(Graph *g, const char *name, Value *x);
/* y = a + b, equal shapes. */
Value *layer_add(Graph *g, const char *name, Value *a, Value *b);
/* [N,H,W,C] to [N,C]: the mean over H and W. */
Value *layer_mean(Graph *g, const char *name, Value *x);

/* Functions of one number, element by element. On codes they become tables of 256 entries.
 * sigmoid 1 / (1 + exp(-x)); hard_sigmoid min(max(x / 6 + 1/2, 0), 1); hard_swish x hard_sigmoid(x)
 * [Howard et al., ICCV 2019]; silu x sigmoid(x). */
Value *layer_sigmoid(Graph *g, const char *name, Value *x);
Value *layer_tanh(Graph *g, const char *name, Value *x);
Value *layer_hard_sigmoid(Graph *g, const char *name, Value *x);
Value *layer_hard_swish(Graph *g, const char *name, Value *x);
Value *layer_silu(Graph *g, const char *name, Value *x);
/* x where x > 0, else slope x; slope finite. */
Value *layer_leaky_relu(Graph *g, const char *name, Value *x, double slope);
/* x where x > 0, else alpha (exp(x) - 1); alpha > 0. [Clevert et al., ICLR 2016] */
Value *layer_elu(Graph *g, const char *name, Value *x, double alpha);

/* The largest, or the average, of the pixels under a window that moves over x [N,H,W,C]; pixels
 * outside the image do not count. Errors: ERR_SHAPE. */
Value *layer_max_pool(Graph *g, const char *name, Value *x, const PoolOptions *o);
Value *layer_average_pool(Graph *g, const char *name, Value *x, const PoolOptions *o);
/* y = a * b; b is of a's shape, or [N,C] or [N,1,1,C] and scales the channels of a [N,H,W,C]. */
Value *layer_mul(Graph *g, const char *name, Value *a, Value *b);
/* The channels of 2..8 values, one value's behind the other's; all axes before the last are equal. */
Value *layer_concat(Graph *g, const char *name, int count, Value *const *values);
/* Zeros around the image: top, left, bottom, right of them, each 0..HONE_RT_MAX_SPAN. */
Value *layer_pad(Graph *g, const char *name, Value *x, const int pads[4]);
/* [N,H,W,C] to [N, H factor[0], W factor[1], C]: each pixel so many times; factors 1..255. */
Value *layer_upsample(Graph *g, const char *name, Value *x, const int factor[2]);
/* The same numbers, in the same order, as another shape per sample; a rank of 2 flattens. */
Value *layer_reshape(Graph *g, const char *name, Value *x, Shape shape);
Value *layer_flatten(Graph *g, const char *name, Value *x);
/* Training: each element is 0 with probability rate, in [0, 1), else x / (1 - rate); a function of
 * Control.seed, Control.step and the place alone. Else x. [Srivastava et al., JMLR 2014] */
Value *layer_dropout(Graph *g, const char *name, Value *x, double rate);
/* exp(x) / sum of exp over the last axis. */
Value *layer_softmax(Graph *g, const char *name, Value *x);
/* Scalar: the mean over the batch of -sum t log softmax(logits), t the smoothed one-hot label.
 * logits [N,K] real, labels [N] int32 in 0..K-1 (-1: the row does not count), smoothing in [0, 1). */
Value *layer_softmax_xent(Graph *g, const char *name, Value *logits, Value *labels,
                          double label_smoothing);
/* The same with two labels a row: t is (1 - s/256) onehot(labels) + (s/256) onehot(others), smoothed.
 * others [N] int32 in 0..K-1, shares s [N] int32 in 0..256. */
Value *layer_softmax_xent_mixed(Graph *g, const char *name, Value *logits, Value *labels,
                                Value *others, Value *shares, double label_smoothing);
/* Scalar: the mean of (outputs - target)^2. outputs [N,K] real; target is labels [N] int32 as above,
 * standing for one-hot rows, or real numbers [N,...], K for each row. */
Value *layer_mse(Graph *g, const char *name, Value *outputs, Value *target);
/* Scalar: the mean of -t log s - (1 - t) log(1 - s), s = 1 / (1 + exp(-logits)), t the target, as
 * layer_mse takes it, in [0, 1]. */
Value *layer_bce(Graph *g, const char *name, Value *logits, Value *target);

#define OP(op) extern const Op op;
#include "layers/ops.def"
#undef OP

#endif
