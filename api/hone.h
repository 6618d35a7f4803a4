/* Hone as a C library: build a network, train it, quantize it, export it as integers.
 *
 *     HoneError e = {0};
 *     HoneNet *net = hone_net_new(&(HoneNetOptions){.height = 28, .width = 28, .channels = 1,
 *                                                   .classes = 10, .batch = 32}, &e);
 *     HoneTensor x = hone_image(net);
 *     x = hone_conv2d(net, "stem", x, &(HoneConv){.filters = 16, .kernel = 3, .stride = 2});
 *     x = hone_relu(net, "act", hone_batchnorm(net, "norm", x));
 *     x = hone_dense(net, "logits", hone_mean(net, "pool", x), 10);
 *     if (hone_net_finish(net, x, &e) != 0) ...                         // the first error of all
 *     for (...) status = hone_train_step(net, pixels, labels, lr, &loss, &e);
 *     status = hone_quantize(net, pixels, count, &e);                   // ranges from these images
 *     for (...) status = hone_train_step(net, pixels, labels, lr, &loss, &e);   // now on integers
 *     status = hone_export(net, "model.hone", pixels, count, &e);       // written and proven
 *     hone_net_free(net);
 *
 * A network reads images of bytes, [height][width][channels]; a pixel p is the real number
 * (p - 128) / 128. Training minimizes softmax cross-entropy with SGD, Nesterov's momentum 0.9 and
 * weight decay 1e-4; who wants pruning, distillation, other optimizers or data sets uses the program
 * `hone` and its YAML. Results are the same bits at any number of threads.
 *
 * Functions return 0, or a negative number and one sentence in *e, which may be NULL, as no other
 * pointer may that is not said to. The first error stays. A network belongs to one thread at a
 * time; several networks may live beside each other. To run what was exported: <hone/runtime.h>.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_H
#define HONE_H

#include <stddef.h>
#include <stdint.h>

#define HONE_VERSION "0.1" /* of library and program */

#ifdef __cplusplus
extern "C" {
#endif

typedef struct HoneError {
    int code;       /* 0 until something failed, then negative */
    char text[480]; /* one sentence */
} HoneError;

typedef struct HoneNet HoneNet;
/* A value of a network, valid for as long as that; NULL is what a failed builder returns and every
 * builder accepts. */
typedef struct HoneValue *HoneTensor;

typedef struct HoneNetOptions {
    int height, width, channels; /* of an image, 1..4096 */
    int classes;                 /* 2..32767 */
    int batch;                   /* images of a training step, 1..65535 */
    int threads;                 /* 0: all processors */
    uint64_t seed;               /* of the first weights */
} HoneNetOptions;

/* Of a convolution. Zeros mean the defaults. Padding is "same": the output has
 * ceil(input / stride) pixels. */
typedef struct HoneConv {
    int filters; /* output channels; not of a depthwise convolution */
    int kernel;  /* height and width, default 1 */
    int stride;  /* default 1 */
    int bias;    /* not 0: add one number per channel; needless in front of batch-norm */
} HoneConv;

/* Of a pooling. Padding is "same"; pixels outside the image do not count. */
typedef struct HonePool {
    int kernel; /* height and width, default 1 */
    int stride; /* default: the kernel */
} HonePool;

/* ---- building: names are the layers' and unique, x, a and b are of this network ---- */

/* An empty network, or NULL. The caller frees it. */
HoneNet *hone_net_new(const HoneNetOptions *options, HoneError *e);
/* Frees the network and all its values; NULL is allowed. */
void hone_net_free(HoneNet *net);

/* The images, [height][width][channels]. */
HoneTensor hone_image(HoneNet *net);
HoneTensor hone_conv2d(HoneNet *net, const char *name, HoneTensor x, const HoneConv *o);
HoneTensor hone_depthwise(HoneNet *net, const char *name, HoneTensor x, const HoneConv *o);
/* x is flattened; the result has `units` numbers. */
HoneTensor hone_dense(HoneNet *net, const char *name, HoneTensor x, int units);
HoneTensor hone_batchnorm(HoneNet *net, const char *name, HoneTensor x);
HoneTensor hone_relu(HoneNet *net, const char *name, HoneTensor x);
HoneTensor hone_relu6(HoneNet *net, const char *name, HoneTensor x);
/* a + b, of equal shapes. */
HoneTensor hone_add(HoneNet *net, const char *name, HoneTensor a, HoneTensor b);
/* The mean over height and width: [channels]. */
HoneTensor hone_mean(HoneNet *net, const char *name, HoneTensor x);
/* The largest, or the average, of the pixels under a window that moves over the image. */
HoneTensor hone_max_pool(HoneNet *net, const char *name, HoneTensor x, const HonePool *o);
HoneTensor hone_average_pool(HoneNet *net, const char *name, HoneTensor x, const HonePool *o);
/* 1 / (1 + exp(-x)). */
HoneTensor hone_sigmoid(HoneNet *net, const char *name, HoneTensor x);
/* x min(max(x / 6 + 1/2, 0), 1). */
HoneTensor hone_hard_swish(HoneNet *net, const char *name, HoneTensor x);
/* a * b; b is of a's shape, or has a number for each channel of a, as hone_dense gives it. */
HoneTensor hone_mul(HoneNet *net, const char *name, HoneTensor a, HoneTensor b);
/* The channels of a and behind them those of b; height and width are equal. */
HoneTensor hone_concat(HoneNet *net, const char *name, HoneTensor a, HoneTensor b);
/* In training numbers become 0 with probability rate, 0 <= rate < 1, and the others grow by
 * 1 / (1 - rate); else x. */
HoneTensor hone_dropout(HoneNet *net, const char *name, HoneTensor x, double rate);

/* Ends building: logits [classes] are what the network says. Adds the nodes of quantization, draws
 * the first weights. Reports the first error of any builder. */
int hone_net_finish(HoneNet *net, HoneTensor logits, HoneError *e);
/* Trained numbers, and multiply-accumulates of one image; of a finished network. */
int64_t hone_net_params(const HoneNet *net);
int64_t hone_net_macs(const HoneNet *net);

/* ---- training ---- */

/* One step with learning rate lr, 0..1e38, on `batch` images. pixels
 * [batch][height][width][channels], labels [batch] in 0..classes - 1. *loss is the mean over the
 * batch; it may be NULL. A loss or gradient that is not finite is an error; the weights are then as
 * before. */
int hone_train_step(HoneNet *net, const uint8_t *pixels, const int32_t *labels, double lr,
                    double *loss, HoneError *e);

/* From here on training is quantization-aware: weights of 8 bits per channel, activations of 8 bits,
 * whose first ranges come from these images (count >= 1; the last images that do not fill a batch are
 * left out, count < batch uses the images repeatedly). */
int hone_quantize(HoneNet *net, const uint8_t *pixels, int count, HoneError *e);
/* Ranges and batch-norm statistics stay as they are from here on: for the last steps. */
void hone_freeze(HoneNet *net);

/* ---- using ---- */

/* Share of images whose largest logit is at their label: in float arithmetic, or once quantized in
 * the integers of the artifact. */
int hone_evaluate(HoneNet *net, const uint8_t *pixels, const int32_t *labels, int count,
                  double *accuracy, HoneError *e);

/* Makes an integer program for <hone/runtime.h> of the quantized network, in the rounding s24 (one
 * multiplication; TensorFlow Lite's, d31, is the program `hone`'s to export), compares every output on
 * these images (count >= 1) with the network's own, and replaces the file at path by it only if all
 * are equal. */
int hone_export(HoneNet *net, const char *path, const uint8_t *pixels, int count, HoneError *e);

#ifdef __cplusplus
}
#endif

#endif
