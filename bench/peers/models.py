"""The networks of configs/bench/ in plain PyTorch, NCHW: the same layers with the same number of
multiply-accumulates. No torchvision.

Where a choice is open it is the one that PyTorch runs faster: convolutions in front of a batch-norm
have no bias, ReLU works in place, and MobileNetV2 has ReLU for ReLU6, because quantization-aware
training fuses convolution, batch-norm and ReLU only (torchvision's own recipe does so too).

usage: models.py        a JSON line for each, with its parameters and multiply-accumulates
SPDX-License-Identifier: Apache-2.0
"""
import json

import torch
from torch import nn


def conv(inputs, outputs, kernel=3, stride=1, groups=1, relu=True, padding=None):
    """Convolution, batch-norm and, with relu, activation."""
    padding = kernel // 2 if padding is None else padding
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
              nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if relu else []))


def head(channels, classes):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]


class Residual(nn.Module):
    """A block of MLPerf Tiny's ResNet-8; its 1x1 shortcut has a bias and no batch-norm."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = conv(inputs, outputs, stride=stride)
        self.conv2 = conv(outputs, outputs, relu=False)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride) if stride != 1 else nn.Identity()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.shortcut(x) + self.conv2(self.conv1(x)))


def resnet8(classes=10):
    return nn.Sequential(conv(3, 16), Residual(16, 16, 1), Residual(16, 32, 2),
                         Residual(32, 64, 2), *head(64, classes))


class Bottleneck(nn.Module):
    """An inverted residual of MobileNetV2."""

    def __init__(self, inputs, outputs, expansion, stride):
        super().__init__()
        wide = inputs * expansion
        self.adds = stride == 1 and inputs == outputs
        expand = [conv(inputs, wide, 1)] if expansion != 1 else []
        self.layers = nn.Sequential(*expand, conv(wide, wide, 3, stride, groups=wide),
                                    conv(wide, outputs, 1, relu=False))

    def forward(self, x):
        return x + self.layers(x) if self.adds else self.layers(x)


def mobilenet_v2(classes, stem_stride, stage2_stride):
    """Width 1.0; Sandler et al., CVPR 2018, table 2."""
    stages = [(1, 16, 1, 1), (6, 24, 2, stage2_stride), (6, 32, 3, 2), (6, 64, 4, 2),
              (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    layers, inputs = [conv(3, 32, 3, stem_stride)], 32
    for expansion, channels, blocks, stride in stages:
        for block in range(blocks):
            layers.append(Bottleneck(inputs, channels, expansion, stride if block == 0 else 1))
            inputs = channels
    return nn.Sequential(*layers, conv(inputs, 1280, 1), *head(1280, classes))


def separable(inputs, outputs, stride=1):
    return [conv(inputs, inputs, 3, stride, groups=inputs), conv(inputs, outputs, 1)]


def mobilenet_v1(width, classes):
    """Howard et al., 2017, table 1; width 0.25 is MLPerf Tiny's visual wake words."""
    layers, inputs = [conv(3, int(32 * width), 3, 2)], int(32 * width)
    for channels, stride in [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
                             *[(512, 1)] * 5, (1024, 2), (1024, 1)]:
        layers += separable(inputs, int(channels * width), stride)
        inputs = int(channels * width)
    return nn.Sequential(*layers, *head(inputs, classes))


def ds_cnn():
    """MLPerf Tiny's keyword spotting: 49x10 to 25x5; without its dropout."""
    layers = [conv(1, 64, (10, 4), 2, padding=(5, 1))]
    for _ in range(4):
        layers += separable(64, 64)
    return nn.Sequential(*layers, *head(64, 12))


def autoencoder(inputs=640):
    """MLPerf Tiny's anomaly detector, on a flattened input."""
    layers = [nn.Flatten()]
    for before, after in zip([inputs, *[128] * 4, 8, *[128] * 3], [*[128] * 4, 8, *[128] * 4]):
        layers += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Linear(128, inputs))


# Name of the configuration: (constructor, shape of an image, classes; None: the image is the target).
MODELS = {
    "resnet8": (resnet8, (3, 32, 32), 10),
    "vww": (lambda: mobilenet_v1(0.25, 2), (3, 96, 96), 2),
    "kws": (ds_cnn, (1, 49, 10), 12),
    "mobilenet_v2_cifar": (lambda: mobilenet_v2(10, 1, 1), (3, 32, 32), 10),
    "mobilenet_v2_224": (lambda: mobilenet_v2(1000, 2, 2), (3, 224, 224), 1000),
    "mobilenet_v1_224": (lambda: mobilenet_v1(1.0, 1000), (3, 224, 224), 1000),
    "ad": (autoencoder, (1, 5, 128), None),
}


def build(name):
    torch.manual_seed(0)
    make, shape, classes = MODELS[name]
    return make(), shape, classes


def count_macs(model, shape):
    """Multiply-accumulates of one image, counted while it passes."""
    total = 0

    def count(module, _, output):
        nonlocal total
        each = module.weight[0].numel() if isinstance(module, nn.Conv2d) else module.in_features
        total += output.numel() * each

    hooks = [m.register_forward_hook(count) for m in model.modules()
             if isinstance(m, (nn.Conv2d, nn.Linear))]
    training = model.training
    model.eval()
    with torch.no_grad():
        model(torch.zeros(1, *shape))
    model.train(training)
    for hook in hooks:
        hook.remove()
    return total


def main():
    for name in MODELS:
        model, shape, _ = build(name)
        print(json.dumps({"model": name, "image": shape,
                          "params": sum(p.numel() for p in model.parameters()),
                          "macs": count_macs(model, shape)}))


if __name__ == "__main__":
    main()
