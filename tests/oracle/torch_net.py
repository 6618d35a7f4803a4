#!/usr/bin/env python3
"""Gradients and losses of a small convolutional network, by PyTorch in float64.

Writes tests/torch_fixture.h: the losses of ten SGD steps and, of the first step, every parameter's
gradient as its sum, its Euclidean norm and a dot product with a fixed vector. The network, its first
weights, its images and its labels are given by the formulas below, which tests/test_torch.c repeats:
no number but the results crosses over.

    usage: torch_net.py > tests/torch_fixture.h          (needs PyTorch; any version from 1.13 on)

    image 12x12x3 > conv 3x3 stride 2 SAME (asymmetric), 8 > batch-norm > relu
                  > depthwise 3x3 SAME > batch-norm > relu6 > conv 1x1, 8 > batch-norm > + > mean
                  |                                                                    ^
                  +--------------------------------------------------------------------+
                  > dense 5 > cross-entropy, label smoothing 0.1
    SGD: learning rate 0.2, momentum 0.9, Nesterov, weight decay 1e-2 on weights; batch 6
SPDX-License-Identifier: Apache-2.0
"""
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
BATCH, STEPS = 6, 10


def numbers(count, salt, scale):
    """scale * (u - 1/2), u from a linear congruence on the index: exact in float32."""
    i = torch.arange(count, dtype=torch.int64)
    u = ((i * 7919 + salt * 104729 + 12345) * 48271 % 65536).double() / 65536
    return scale * (u - 0.5)


def parameter(salt, scale, *shape, base=0.0):
    n = 1
    for d in shape:
        n *= d
    return (base + numbers(n, salt, scale)).reshape(shape).requires_grad_()


# Hone's layouts: conv [out][kh][kw][in], depthwise [1][kh][kw][c], dense [out][in].
P = {
    "stem.weight": parameter(1, 1.0, 8, 3, 3, 3),
    "stem_bn.gamma": parameter(2, 0.5, 8, base=1.0),
    "stem_bn.beta": parameter(3, 0.5, 8),
    "dw.weight": parameter(4, 1.0, 1, 3, 3, 8),
    "dw_bn.gamma": parameter(5, 4.0, 8, base=3.0),
    "dw_bn.beta": parameter(6, 1.0, 8, base=2.0),
    "point.weight": parameter(7, 1.0, 8, 1, 1, 8),
    "point_bn.gamma": parameter(8, 0.5, 8, base=1.0),
    "point_bn.beta": parameter(9, 0.5, 8),
    "classes.weight": parameter(10, 1.0, 5, 8),
    "classes.bias": parameter(11, 0.5, 5),
}


def norm(x, name):
    return F.batch_norm(x, None, None, P[name + ".gamma"], P[name + ".beta"], True, 0.1, 1e-3)


def loss_of(step):
    x = numbers(BATCH * 12 * 12 * 3, 100 + step, 2.0).reshape(BATCH, 12, 12, 3).permute(0, 3, 1, 2)
    labels = torch.tensor([(7 * i + 3 * step) % 5 for i in range(BATCH)])
    y = F.conv2d(F.pad(x, (0, 1, 0, 1)), P["stem.weight"].permute(0, 3, 1, 2), stride=2)
    y = F.relu(norm(y, "stem_bn"))
    z = F.conv2d(y, P["dw.weight"].permute(3, 0, 1, 2), padding=1, groups=8)
    z = F.relu6(norm(z, "dw_bn"))
    z = norm(F.conv2d(z, P["point.weight"].permute(0, 3, 1, 2)), "point_bn")
    pooled = (y + z).mean(dim=(2, 3))
    logits = pooled @ P["classes.weight"].t() + P["classes.bias"]
    return F.cross_entropy(logits, labels, label_smoothing=0.1)


decay = [P[k] for k in P if k.endswith("weight")]
other = [P[k] for k in P if not k.endswith("weight")]
sgd = torch.optim.SGD([{"params": decay, "weight_decay": 1e-2}, {"params": other}], lr=0.2,
                      momentum=0.9, nesterov=True)
losses, gradients = [], []
for step in range(STEPS):
    sgd.zero_grad()
    loss = loss_of(step)
    loss.backward()
    if step == 0:
        for name, p in P.items():
            g = p.grad.flatten()
            gradients.append((name, g.sum().item(), g.norm().item(),
                              (g * numbers(g.numel(), 50, 1.0)).sum().item()))
    losses.append(loss.item())
    sgd.step()

print(f"""/* Made by tests/oracle/torch_net.py with PyTorch {torch.__version__.split('+')[0]}; see there.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_TORCH_FIXTURE_H
#define HONE_TESTS_TORCH_FIXTURE_H

static const double torch_losses[] = {{""")
for v in losses:
    print(f"    {v:.15g},")
print("""};

/* Of the first step's gradient: sum, Euclidean norm, dot product. */
static const struct {
    const char *name;
    double sum, norm, dot;
} torch_gradients[] = {""")
for name, s, n, d in gradients:
    print(f'    {{"{name}", {s:.12g}, {n:.12g}, {d:.12g}}},')
print("};\n\n#endif")
