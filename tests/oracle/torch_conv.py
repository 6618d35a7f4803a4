#!/usr/bin/env python3
"""Convolutions in groups, dilated, and depthwise with a multiplier, by PyTorch in float64.

Writes tests/oracle/torch_conv_fixtures.h: of each case the output and the gradients of input, weights and
bias, each as its sum, its Euclidean norm and a dot product with a fixed vector. All numbers come from
the formula below, which tests/test_torch.c repeats: only results cross over.

    usage: torch_conv.py > tests/oracle/torch_conv_fixtures.h          (needs PyTorch; any version from 1.13 on)

SPDX-License-Identifier: Apache-2.0
"""
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)

# name, depthwise, (n, h, w, in), out, kernel, stride, dilation, pads (top, left, bottom, right), groups
CASES = [
    ("groups", 0, (3, 7, 6, 6), 9, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), 3),
    ("groups, stride, dilation", 0, (2, 11, 9, 8), 12, (3, 2), (2, 3), (2, 3), (2, 1, 2, 0), 4),
    ("groups 1x1", 0, (4, 5, 4, 12), 24, (1, 1), (1, 1), (1, 1), (0, 0, 0, 0), 6),
    ("groups of one channel", 0, (2, 6, 6, 5), 10, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), 5),
    ("dilated", 0, (2, 10, 9, 3), 5, (3, 3), (1, 1), (2, 3), (2, 3, 2, 3), 1),
    ("dilated, stride", 0, (3, 12, 13, 4), 6, (3, 3), (2, 2), (3, 2), (3, 2, 2, 1), 1),
    ("depthwise dilated", 1, (2, 10, 11, 7), 7, (3, 3), (1, 2), (2, 3), (2, 3, 2, 3), 7),
    ("multiplier", 1, (3, 6, 7, 4), 12, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), 4),
    ("multiplier, stride, dilation", 1, (2, 9, 9, 5), 10, (5, 3), (2, 2), (1, 2), (2, 2, 2, 1), 5),
    ("multiplier of one channel", 1, (2, 8, 5, 1), 8, (4, 3), (2, 1), (1, 1), (1, 1, 2, 1), 1),
]


def numbers(count, salt, scale):
    """scale * (u - 1/2), u from a linear congruence on the index: exact in float32."""
    i = torch.arange(count, dtype=torch.int64)
    u = ((i * 7919 + salt * 104729 + 12345) * 48271 % 65536).double() / 65536
    return scale * (u - 0.5)


def summary(t):
    t = t.flatten()
    return t.sum().item(), t.norm().item(), (t * numbers(t.numel(), 50, 1.0)).sum().item()


print(f"""/* Made by tests/oracle/torch_conv.py with PyTorch {torch.__version__.split('+')[0]}; see there.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_ORACLE_TORCH_CONV_FIXTURES_H
#define HONE_TESTS_ORACLE_TORCH_CONV_FIXTURES_H

/* Sum, Euclidean norm and dot product of y, dx, dw and db. */
static const struct {{
    const char *name;
    int depthwise, batch, h, w, in, out;
    int kernel[2], stride[2], dilation[2], pads[4], groups;
    double results[4][3];
}} torch_convs[] = {{""")
for name, depthwise, (n, h, w, c), out, kernel, stride, dilation, pads, groups in CASES:
    x = numbers(n * h * w * c, 1, 2.0).reshape(n, h, w, c).requires_grad_()
    shape = (1, *kernel, out) if depthwise else (out, *kernel, c // groups)
    weight = numbers(kernel[0] * kernel[1] * out * (1 if depthwise else c // groups), 2, 1.0)
    weight = weight.reshape(shape).requires_grad_()
    bias = numbers(out, 3, 0.5).requires_grad_()
    top, left, bottom, right = pads
    y = F.conv2d(F.pad(x.permute(0, 3, 1, 2), (left, right, top, bottom)),
                 weight.permute((3, 0, 1, 2) if depthwise else (0, 3, 1, 2)), bias, stride,
                 dilation=dilation, groups=groups).permute(0, 2, 3, 1)
    dy = numbers(y.numel(), 4, 1.0).reshape(y.shape)
    (y * dy).sum().backward()
    rows = [f"{{{s:.13g}, {e:.13g}, {d:.13g}}}"
            for s, e, d in map(summary, (y, x.grad, weight.grad, bias.grad))]
    braces = ["{" + ", ".join(map(str, v)) + "}" for v in (kernel, stride, dilation, pads)]
    print(f'    {{"{name}", {depthwise}, {n}, {h}, {w}, {c}, {out}, {", ".join(braces)}, {groups},')
    print("     {" + ",\n      ".join(rows) + "}},")
print("};\n\n#endif")
