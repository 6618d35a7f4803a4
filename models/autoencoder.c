/* The anomaly detector of MLPerf Tiny: an autoencoder of dense layers that learns to reproduce normal
 * machine sounds (five frames of 128 mel bands) through 8 numbers, and does so worse for others:
 *
 *     x --dense 128, 4 times--> --dense 8--> --dense 128, 4 times--> --dense, as many as x--> y
 *
 * all but the last with batch-norm and ReLU. Koizumi et al., "ToyADMOS", WASPAA 2019, and the DCASE
 * 2020 task 2 baseline; Banbury et al., "MLPerf Tiny Benchmark", NeurIPS 2021. For 640 inputs: 264,192
 * multiply-accumulates, 267,928 trained numbers (biases in front of batch-norm included, as in the
 * reference file), with the 2,064 running statistics the published 269,992. It is trained with
 * loss: {kind: mse, target: input}. SPDX-License-Identifier: Apache-2.0 */
#include "models/arch.h"
#include "models/blocks.h"

#include <stddef.h>

enum { WIDE = 128, CODE = 8, SIDE = 4 };

static Value *side(const Blocks *b, const char *name, Value *x)
{
    char layer[BLOCK_NAME_BYTES];
    for (int i = 1; i <= SIDE; i++)
        x = block_dense(b, block_name(layer, name, i, "dense"), x, WIDE, layer_relu);
    return x;
}

static Value *build(Graph *g, const ModelOptions *o, Value *x)
{
    const Blocks b = {g, &o->batchnorm};
    const int count = (int)(o->input.v[0] * o->input.v[1] * o->input.v[2]);
    x = side(&b, "encoder", x);
    x = block_dense(&b, "code", x, CODE, layer_relu);
    x = side(&b, "decoder", x);
    return layer_dense(g, "output", x, count, true);
}

/* An input of more would not fit a layer's weights into an int. */
static int check(const ModelOptions *o, Error *e)
{
    const int64_t most = 1 << 20;
    const int64_t count = o->input.v[0] * o->input.v[1] * o->input.v[2];
    if (count <= most)
        return HONE_OK;
    return error_set(e, HONE_ERR_CONFIG, "input has %lld numbers, autoencoder takes at most %lld",
                     (long long)count, (long long)most);
}

const ModelArch model_autoencoder = {
    .variant =
        {
            .choice = "autoencoder",
            .help = "MLPerf Tiny's anomaly detector: ten dense layers, 0.26 million "
                    "multiply-accumulates at 640 inputs; its outputs are its inputs, classes do "
                    "not matter",
            .options = (const Option[]){OPTION_END},
        },
    .check = check,
    .build = build,
};
