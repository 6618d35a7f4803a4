#!/usr/bin/env python3
"""Writes tests/soft_loss_fixture.h: the distillation loss and its gradient by PyTorch in double.

    soft_loss.py >tests/soft_loss_fixture.h              made with PyTorch 1.13

The loss is T^2 times torch.nn.functional.kl_div(log_softmax(s / T), softmax(t / T), "batchmean").
Logits are multiples of 1/8, exact in float.
SPDX-License-Identifier: Apache-2.0
"""
import torch
from torch.nn import functional as F

ROWS, CLASSES = 5, 7
TEMPERATURES = [1.0, 4.0, 20.0]


def logits(a, b, c, spread):
    return torch.tensor([[((a * i * i + b * k + c * i * k) % 29 - 14) * spread / 8
                          for k in range(CLASSES)] for i in range(ROWS)], dtype=torch.float64)


def row(values, indent):
    lines = [", ".join(repr(v) for v in values[i:i + 3]) for i in range(0, len(values), 3)]
    return "{" + (",\n" + " " * (indent + 1)).join(lines) + "}"


student, teacher = logits(5, 3, 2, 1), logits(2, 7, 3, 3)
print("/* Made by tests/oracle/soft_loss.py with PyTorch %s; do not edit." %
      torch.__version__.split("+")[0])
print(" * SPDX-License-Identifier: Apache-2.0 */")
print("#ifndef HONE_TESTS_SOFT_LOSS_FIXTURE_H\n#define HONE_TESTS_SOFT_LOSS_FIXTURE_H\n")
print("enum { SOFT_ROWS = %d, SOFT_CLASSES = %d, SOFT_COUNT = %d };\n" %
      (ROWS, CLASSES, ROWS * CLASSES))
print("/* clang-format off */")
for name, x in ("student", student), ("teacher", teacher):
    print("static const double soft_%s[SOFT_COUNT] =" % name)
    print("    " + row(x.flatten().tolist(), 4) + ";")
print("static const struct SoftCase {\n    double temperature, loss;")
print("    double gradient[SOFT_COUNT]; /* of the student's logits */\n} soft_cases[] = {")
for t in TEMPERATURES:
    s = student.clone().requires_grad_()
    loss = t * t * F.kl_div(F.log_softmax(s / t, 1), F.softmax(teacher / t, 1),
                            reduction="batchmean")
    loss.backward()
    print("    {.temperature = %r,\n     .loss = %r," % (t, loss.item()))
    print("     .gradient = " + row(s.grad.flatten().tolist(), 17) + "},")
print("};\n/* clang-format on */\n\n#endif")
