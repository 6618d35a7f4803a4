#!/usr/bin/env python3
"""Writes tests/optim_fixture.h: ten steps of PyTorch's optimizers, for comparison with optim/.

    optimizers.py >tests/optim_fixture.h              made with PyTorch 1.13

Weights, gradients and rates are small fractions of powers of two that both sides make by the same
formulas, exact in float; PyTorch computes in double. The first WEIGHTS parameters decay, the other
BIASES do not (two parameter groups). States have the order in which the rule keeps them. Clipping is
of the gradients of steps 0 to 9, one after the other.
SPDX-License-Identifier: Apache-2.0
"""
import torch

STEPS, WEIGHTS, BIASES, STATES = 10, 12, 5, 3
COUNT = WEIGHTS + BIASES
SGD, ADAMW, RMSPROP = torch.optim.SGD, torch.optim.AdamW, torch.optim.RMSprop
# Name, rule, decay of the weights, PyTorch's options, ours where they are called otherwise, states.
CASES = [
    ("sgd", SGD, 0.0, {}, {}, []),
    ("sgd momentum", SGD, 0.0, {"momentum": 0.875}, {}, ["momentum_buffer"]),
    ("sgd decay", SGD, 0.03125, {"momentum": 0.875}, {}, ["momentum_buffer"]),
    ("sgd nesterov", SGD, 0.03125, {"momentum": 0.875, "nesterov": True}, {}, ["momentum_buffer"]),
    ("adamw", ADAMW, 0.03125, {"betas": (0.875, 0.9375), "eps": 2**-10},
     {"beta1": 0.875, "beta2": 0.9375}, ["exp_avg", "exp_avg_sq"]),
    ("adamw small eps", ADAMW, 0.0, {"betas": (0.5, 0.96875), "eps": 2**-26},
     {"beta1": 0.5, "beta2": 0.96875}, ["exp_avg", "exp_avg_sq"]),
    ("rmsprop", RMSPROP, 0.03125, {"alpha": 0.875, "eps": 2**-10}, {}, ["square_avg"]),
    ("rmsprop momentum", RMSPROP, 0.03125, {"alpha": 0.9375, "momentum": 0.5, "eps": 2**-10}, {},
     ["square_avg", "momentum_buffer"]),
    ("rmsprop centered", RMSPROP, 0.0, {"alpha": 0.875, "centered": True, "eps": 2**-4}, {},
     ["square_avg", "grad_avg"]),
    ("rmsprop centered momentum", RMSPROP, 0.03125,
     {"alpha": 0.875, "centered": True, "momentum": 0.75, "eps": 2**-4}, {},
     ["square_avg", "grad_avg", "momentum_buffer"]),
]
KINDS = {SGD: 0, ADAMW: 1, RMSPROP: 2}  # lines of optim/optimizers.def
OURS = {"momentum": "momentum", "nesterov": "nesterov", "alpha": "alpha", "centered": "centered",
        "eps": "epsilon"}
LIMIT = 1.5


def weight(i):
    return ((5 * i + 3) % 13 - 6) / 8


def grad(t, i):
    return ((7 * t + 3 * i * i + 5) % 17 - 8) / 16


def rate(t):
    return (STEPS - t) / 64


def tensor(f, begin, end):
    return torch.tensor([f(i) for i in range(begin, end)], dtype=torch.float64)


def run(rule, decay, options, states):
    w = tensor(weight, 0, WEIGHTS).requires_grad_()
    b = tensor(weight, WEIGHTS, COUNT).requires_grad_()
    groups = [{"params": [w], "weight_decay": decay}, {"params": [b], "weight_decay": 0.0}]
    optimizer = rule(groups, lr=1.0, **options)
    for t in range(STEPS):
        w.grad = tensor(lambda i: grad(t, i), 0, WEIGHTS)
        b.grad = tensor(lambda i: grad(t, i), WEIGHTS, COUNT)
        for group in optimizer.param_groups:
            group["lr"] = rate(t)
        optimizer.step()
    kept = [torch.cat([optimizer.state[p][s] for p in (w, b)]).tolist() for s in states]
    return torch.cat([w, b]).tolist(), kept


def clip(t):
    p = torch.zeros(COUNT, dtype=torch.float64, requires_grad=True)
    p.grad = tensor(lambda i: grad(t, i) * (t + 1) / 8, 0, COUNT)
    norm = torch.nn.utils.clip_grad_norm_([p], LIMIT)
    return [norm.item()] + p.grad.tolist()


def row(values, indent):
    lines = [", ".join(repr(v) for v in values[i:i + 3]) for i in range(0, len(values), 3)]
    return "{" + (",\n" + " " * (indent + 1)).join(lines) + "}"


def c_value(v):
    return str(v).lower() if isinstance(v, bool) else repr(v)


def c_options(rule, decay, options, more):
    ours = {"kind": KINDS[rule], "weight_decay": decay}
    ours.update({OURS[k]: v for k, v in options.items() if k in OURS})
    ours.update(more)
    return ", ".join(".%s = %s" % (k, c_value(v)) for k, v in ours.items())


print("/* Made by tests/oracle/optimizers.py with PyTorch %s; do not edit." %
      torch.__version__.split("+")[0])
print(" * SPDX-License-Identifier: Apache-2.0 */")
print("#ifndef HONE_TESTS_OPTIM_FIXTURE_H\n#define HONE_TESTS_OPTIM_FIXTURE_H\n")
print('#include "optim/optimizer.h"\n')
print("enum { OPTIM_STEPS = %d, OPTIM_WEIGHTS = %d, OPTIM_BIASES = %d, OPTIM_COUNT = %d };\n" %
      (STEPS, WEIGHTS, BIASES, COUNT))
print("/* clang-format off */\nstatic const struct OptimCase {")
print("    const char *name;\n    OptimizerOptions options;\n    int states;")
print("    double weight[OPTIM_COUNT]; /* after OPTIM_STEPS steps */")
print("    double state[%d][OPTIM_COUNT];\n} optim_cases[] = {" % STATES)
for name, rule, decay, options, more, states in CASES:
    values, kept = run(rule, decay, options, states)
    print('    {.name = "%s",' % name)
    print("     .options = {%s}," % c_options(rule, decay, options, more))
    print("     .states = %d," % len(kept))
    print("     .weight = " + row(values, 15) + ",")
    print("     .state = {" + (",\n" + " " * 15).join(row(k, 15) for k in kept or [[0]]) + "}},")
print("};\n\n#define OPTIM_CLIP %r" % LIMIT)
print("/* Of step t's gradient times (t + 1) / 8: the norm, then the gradient clipped to OPTIM_CLIP. */")
print("static const double optim_clipped[OPTIM_STEPS][1 + OPTIM_COUNT] = {")
for t in range(STEPS):
    print("    " + row(clip(t), 4) + ",")
print("};\n/* clang-format on */\n\n#endif")
