/* Builds, trains, quantizes and exports a network with the library.
 *
 *     cc train.c $(pkg-config --cflags --libs --static hone) -o train && ./train stripes.hone
 *
 * The task needs no files: tell horizontal, vertical and diagonal stripes apart, in 16 x 16 gray
 * pixels with noise. SPDX-License-Identifier: Apache-2.0 */
#include <hone/hone.h>

#include <stdint.h>
#include <stdio.h>

enum { SIDE = 16, PIXELS = SIDE * SIDE, CLASSES = 3, BATCH = 32, TEST = 300, STEPS = 120 };

/* A small generator: xorshift. */
static uint32_t draw(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void draw_image(uint32_t *random, uint8_t *pixels, int32_t *label)
{
    const int kind = (int)(draw(random) % CLASSES), period = 3 + (int)(draw(random) % 4);
    const int phase = (int)(draw(random) % 8);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const int along = kind == 0 ? y : kind == 1 ? x : x + y;
            const int light = (along + phase) / period % 2 ? 150 : 100;
            pixels[y * SIDE + x] = (uint8_t)(light + (int)(draw(random) % 61) - 30);
        }
    *label = kind;
}

static void draw_images(uint32_t *random, int count, uint8_t *pixels, int32_t *labels)
{
    for (int i = 0; i < count; i++)
        draw_image(random, pixels + i * PIXELS, labels + i);
}

static HoneNet *build(HoneError *e)
{
    const HoneNetOptions options = {.height = SIDE,
                                    .width = SIDE,
                                    .channels = 1,
                                    .classes = CLASSES,
                                    .batch = BATCH,
                                    .seed = 1};
    HoneNet *net = hone_net_new(&options, e);
    if (!net)
        return NULL;
    HoneTensor x = hone_image(net);
    x = hone_conv2d(net, "stem", x, &(HoneConv){.filters = 8, .kernel = 3, .stride = 2});
    x = hone_relu(net, "stem_relu", hone_batchnorm(net, "stem_norm", x));
    HoneTensor y = hone_depthwise(net, "wide", x, &(HoneConv){.kernel = 3});
    y = hone_relu(net, "wide_relu", hone_batchnorm(net, "wide_norm", y));
    y = hone_conv2d(net, "point", y, &(HoneConv){.filters = 8});
    x = hone_add(net, "sum", x, hone_batchnorm(net, "point_norm", y));
    x = hone_dense(net, "logits", hone_mean(net, "pool", x), CLASSES);
    if (hone_net_finish(net, x, e) != 0) {
        hone_net_free(net);
        return NULL;
    }
    return net;
}

static int train(HoneNet *net, uint32_t *random, double lr, HoneError *e)
{
    static uint8_t pixels[BATCH * PIXELS];
    int32_t labels[BATCH];
    double loss = 0;
    for (int step = 0; step < STEPS; step++) {
        draw_images(random, BATCH, pixels, labels);
        if (hone_train_step(net, pixels, labels, lr * (STEPS - step) / STEPS, &loss, e) != 0)
            return -1;
    }
    printf("  loss of the last batch %.3f\n", loss);
    return 0;
}

static int report(HoneNet *net, const char *what, const uint8_t *pixels, const int32_t *labels,
                  HoneError *e)
{
    double accuracy;
    if (hone_evaluate(net, pixels, labels, TEST, &accuracy, e) != 0)
        return -1;
    printf("  %s: %.1f %% of %d images\n", what, 100 * accuracy, TEST);
    return 0;
}

static int run(HoneNet *net, const char *path, HoneError *e)
{
    static uint8_t pixels[TEST * PIXELS];
    static int32_t labels[TEST];
    uint32_t random = 12345;
    draw_images(&random, TEST, pixels, labels);
    printf("%lld parameters, %lld multiply-accumulates\n", (long long)hone_net_params(net),
           (long long)hone_net_macs(net));
    if (train(net, &random, 0.1, e) != 0 || report(net, "float", pixels, labels, e) != 0)
        return -1;
    if (hone_quantize(net, pixels, TEST, e) != 0)
        return -1;
    if (train(net, &random, 0.02, e) != 0 || report(net, "int8", pixels, labels, e) != 0)
        return -1;
    if (hone_export(net, path, pixels, TEST, e) != 0)
        return -1;
    printf("  %s: every output equals the network's\n", path);
    return 0;
}

int main(int argc, char **argv)
{
    HoneError e = {0};
    HoneNet *net = build(&e);
    const int status = net ? run(net, argc > 1 ? argv[1] : "stripes.hone", &e) : -1;
    hone_net_free(net);
    if (status != 0)
        fprintf(stderr, "train: %s\n", e.text);
    return status != 0;
}
