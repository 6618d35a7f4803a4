#!/usr/bin/env python3
"""Writes a model as float ONNX, batch-norm folded, with images for its calibration.

usage: onnx_float.py MODEL FOLDER      FOLDER/MODEL.float.onnx, FOLDER/MODEL.images.f32 (NCHW)

Weights are PyTorch's first ones and the images noise, as in `hone bench infer CONFIG`: what is computed
is worthless, how long it takes is not. The statistics of batch-norm come from those images, so that
activations spread over their ranges. Needs PyTorch, no onnx. SPDX-License-Identifier: Apache-2.0
"""
import os
import pathlib
import sys
import warnings

IMAGES = 16  # of calibration and of the measurement


def fold_linear(torch, model):
    """Batch-norm into the linear layers before it; the exporter folds convolutions only."""
    from torch.nn.utils.fusion import fuse_linear_bn_eval
    layers = []
    for layer in model.eval():
        if isinstance(layer, torch.nn.BatchNorm1d):
            layers[-1] = fuse_linear_bn_eval(layers[-1], layer)
        else:
            layers.append(layer)
    return torch.nn.Sequential(*layers)


def main():
    if len(sys.argv) != 3:
        print("usage: onnx_float.py MODEL FOLDER", file=sys.stderr)
        return 2
    name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    import torch
    import models
    model, shape, _ = models.build(name)
    images = torch.rand(IMAGES, *shape) * 2 - 1
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)):
                module.momentum = 1.0  # the statistics of the last batch
        model.train()(images)
    images.numpy().tofile(folder / f"{name}.images.f32")
    torch.onnx.export(fold_linear(torch, model), images[:1], folder / f"{name}.float.onnx", opset_version=13,
                      input_names=["x"], output_names=["y"])
    return 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    warnings.filterwarnings("ignore")
    sys.exit(main())
