/* LeNet-300-100, the network of pruning papers: three dense layers with ReLU between them.
 *
 *     x --dense 300, ReLU--> --dense 100, ReLU--> --dense--> y
 *
 * LeCun et al., "Gradient-based learning applied to document recognition", Proc. IEEE 1998; Han et
 * al., "Learning both weights and connections", NeurIPS 2015. For 28x28x1 and 10 classes: 266,200
 * multiply-accumulates, 266,610 trained numbers. SPDX-License-Identifier: Apache-2.0 */
#include "models/arch.h"

static Value *build(Graph *g, const ModelOptions *o, Value *x)
{
    x = layer_relu(g, "dense1.relu", layer_dense(g, "dense1", x, 300, true));
    x = layer_relu(g, "dense2.relu", layer_dense(g, "dense2", x, 100, true));
    return layer_dense(g, "classifier", x, (int)o->classes, true);
}

const ModelArch model_lenet_300_100 = {
    .variant =
        {
            .choice = "lenet_300_100",
            .help = "three dense layers, 0.27 million multiply-accumulates at 28x28x1",
            .options = (const Option[]){OPTION_END},
        },
    .build = build,
};
