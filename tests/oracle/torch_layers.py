#!/usr/bin/env python3
"""Layers without weights, by PyTorch in float64: values and gradients.

Writes tests/torch_layers_fixture.h: for each layer, of its output and of the gradient of its input, the sum,
the Euclidean norm and a dot product with a fixed vector. The input is given by the formula below, the loss is
the sum of weight(i) y[i] in NHWC order; tests/test_torch_layers.c repeats both.

    usage: torch_layers.py > tests/torch_layers_fixture.h     (needs PyTorch; any version from 1.13 on)

SPDX-License-Identifier: Apache-2.0
"""
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
SHAPE = (2, 5, 6, 3)


def numbers(count, salt, scale):
    """scale * (u - 1/2), u from a linear congruence on the index: exact in float32."""
    i = torch.arange(count, dtype=torch.int64)
    u = ((i * 7919 + salt * 104729 + 12345) * 48271 % 65536).double() / 65536
    return scale * (u - 0.5)


def weight(count):
    i = torch.arange(count, dtype=torch.int64)
    return ((i * 7 % 11) - 5).double() * 0.125


def nchw(function):
    """The same on NHWC."""
    return lambda x: function(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


gate = numbers(SHAPE[0] * SHAPE[3], 9, 3.0).reshape(SHAPE[0], 1, 1, SHAPE[3])
CASES = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "hard_sigmoid": F.hardsigmoid,
    "hard_swish": F.hardswish,
    "silu": F.silu,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.1),
    "elu": lambda x: F.elu(x, 0.7),
    "softmax": lambda x: torch.softmax(x, dim=-1),
    "max_pool": nchw(lambda x: F.max_pool2d(x, (3, 2), (2, 1), (1, 1))),
    "average_pool": nchw(lambda x: F.avg_pool2d(x, (3, 2), (2, 1), (1, 1),
                                                count_include_pad=False)),
    "mul": lambda x: x * gate,
    "pad": nchw(lambda x: F.pad(x, (0, 3, 1, 2))),
    "upsample": nchw(lambda x: F.interpolate(x, scale_factor=(2, 3), mode="nearest")),
    "concat": lambda x: torch.cat((x, x * gate, x), dim=-1),
}


def summary(v):
    v = v.flatten()
    return f"{{{v.sum().item():.12g}, {v.norm().item():.12g}, {(v * weight(v.numel())).sum().item():.12g}}}"


print(f"""/* Made by tests/oracle/torch_layers.py with PyTorch {torch.__version__.split('+')[0]}; see there.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_TORCH_LAYERS_FIXTURE_H
#define HONE_TESTS_TORCH_LAYERS_FIXTURE_H

/* Sum, Euclidean norm, dot product. */
typedef struct TorchSummary {{
    double sum, norm, dot;
}} TorchSummary;

static const struct {{
    const char *name;
    TorchSummary y, dx;
}} torch_layers[] = {{""")
for name, function in CASES.items():
    x = numbers(2 * 5 * 6 * 3, 3, 12.0).reshape(SHAPE).requires_grad_()
    y = function(x).contiguous()
    (y.flatten() * weight(y.numel())).sum().backward()
    print(f'    {{"{name}", {summary(y.detach())}, {summary(x.grad)}}},')
print("};\n\n#endif")
