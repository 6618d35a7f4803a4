/* Made by tests/oracle/torch_net.py with PyTorch 1.13.0a0; see there.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_TORCH_FIXTURE_H
#define HONE_TESTS_TORCH_FIXTURE_H

static const double torch_losses[] = {
    1.63788824985869, 1.57402243512565, 1.61611066569558, 1.63641862907635, 1.66226411414823,
    1.67128885629561, 1.73699337610012, 1.73629551500601, 1.66689840964428, 1.59808785453218,
};

/* Of the first step's gradient: sum, Euclidean norm, dot product. */
static const struct {
    const char *name;
    double sum, norm, dot;
} torch_gradients[] = {
    {"stem.weight", 0.141269928005, 0.170701191298, 0.00860693342343},
    {"stem_bn.gamma", 0.0350103276737, 0.0424486004378, 0.00371201762092},
    {"stem_bn.beta", 0.0699439526936, 0.0806074508722, 0.0148800050377},
    {"dw.weight", 0.010883382242, 0.115227669233, 0.0513611630438},
    {"dw_bn.gamma", 0.00334137872023, 0.00755440674745, -0.0020251950203},
    {"dw_bn.beta", 0.0119632947305, 0.00511080902213, -0.000670682852335},
    {"point.weight", -0.0647926732861, 0.0689931495485, -0.00578960802187},
    {"point_bn.gamma", -0.00133146212966, 0.0199900234299, 0.00607821815069},
    {"point_bn.beta", 0.0435561439814, 0.140943708421, 0.0414032740238},
    {"classes.weight", -3.33066907388e-16, 0.20942082808, -0.0133095696506},
    {"classes.bias", -1.11022302463e-16, 0.149452341034, -0.0272412779344},
};

#endif
