#!/usr/bin/env python3
"""Writes tests/sgd_fixture.h: ten steps of torch.optim.SGD, for comparison with optim/sgd.c.

    sgd.py >tests/sgd_fixture.h              made with PyTorch 1.13

Weights, gradients and rates are small fractions of powers of two that both sides make by the same
formulas, exact in float; PyTorch computes in double. The first WEIGHTS parameters decay, the other
BIASES do not (two parameter groups).
SPDX-License-Identifier: Apache-2.0
"""
import torch

STEPS, WEIGHTS, BIASES = 10, 12, 5
COUNT = WEIGHTS + BIASES
CASES = [("plain", 0.0, False, 0.0), ("momentum", 0.875, False, 0.0),
         ("decay", 0.875, False, 0.03125), ("nesterov", 0.875, True, 0.03125)]


def weight(i):
    return ((5 * i + 3) % 13 - 6) / 8


def grad(t, i):
    return ((7 * t + 3 * i * i + 5) % 17 - 8) / 16


def rate(t):
    return (STEPS - t) / 64


def run(momentum, nesterov, decay):
    w = torch.tensor([weight(i) for i in range(WEIGHTS)], dtype=torch.float64, requires_grad=True)
    b = torch.tensor([weight(i) for i in range(WEIGHTS, COUNT)], dtype=torch.float64,
                     requires_grad=True)
    groups = [{"params": [w], "weight_decay": decay}, {"params": [b], "weight_decay": 0.0}]
    sgd = torch.optim.SGD(groups, lr=1.0, momentum=momentum, nesterov=nesterov)
    for t in range(STEPS):
        w.grad = torch.tensor([grad(t, i) for i in range(WEIGHTS)], dtype=torch.float64)
        b.grad = torch.tensor([grad(t, i) for i in range(WEIGHTS, COUNT)], dtype=torch.float64)
        for group in sgd.param_groups:
            group["lr"] = rate(t)
        sgd.step()
    values = torch.cat([w, b]).tolist()
    if momentum == 0.0:
        return values, None
    return values, torch.cat([sgd.state[p]["momentum_buffer"] for p in (w, b)]).tolist()


def row(values):
    if values is None:
        return " {0}"
    lines = [", ".join(repr(v) for v in values[i:i + 3]) for i in range(0, len(values), 3)]
    return "\n         {" + (",\n          ").join(lines) + "}"


print("/* Made by tests/oracle/sgd.py with PyTorch %s; do not edit." %
      torch.__version__.split("+")[0])
print(" * SPDX-License-Identifier: Apache-2.0 */")
print("#ifndef HONE_TESTS_SGD_FIXTURE_H\n#define HONE_TESTS_SGD_FIXTURE_H\n")
print("#include <stdbool.h>\n")
print("enum { SGD_STEPS = %d, SGD_WEIGHTS = %d, SGD_BIASES = %d, SGD_COUNT = %d };\n" %
      (STEPS, WEIGHTS, BIASES, COUNT))
print("/* clang-format off */\nstatic const struct SgdCase {")
print("    const char *name;\n    double momentum;\n    bool nesterov;\n    double weight_decay;")
print("    double weight[SGD_COUNT];   /* after SGD_STEPS steps */")
print("    double velocity[SGD_COUNT]; /* without momentum PyTorch keeps none: 0 */")
print("} sgd_cases[] = {")
for name, momentum, nesterov, decay in CASES:
    values, velocity = run(momentum, nesterov, decay)
    print('    {.name = "%s",' % name)
    print("     .momentum = %r," % momentum)
    print("     .nesterov = %s," % str(nesterov).lower())
    print("     .weight_decay = %r," % decay)
    print("     .weight =" + row(values) + ",")
    print("     .velocity =" + row(velocity) + "},")
print("};\n/* clang-format on */\n\n#endif")
