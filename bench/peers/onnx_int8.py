#!/usr/bin/env python3
"""Quantizes what onnx_float.py wrote: int8 ONNX in QDQ form, calibrated on its images.

usage: onnx_int8.py MODEL FOLDER       FOLDER/MODEL.int8.onnx

Activations are uint8 per tensor (extremes of the images), weights int8 symmetric per output channel,
biases int32: what ONNX Runtime runs fastest. A ReLU behind a convolution or an addition is dropped,
because the range of its output starts at 0 and the zero point clips. Needs onnx, onnxruntime and
numpy. SPDX-License-Identifier: Apache-2.0
"""
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper


def observe(model, images):
    """{tensor: (smallest, largest)} of every activation over the images."""
    names = [name for node in model.graph.node for name in node.output]
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(probe.SerializeToString(), options,
                                           providers=["CPUExecutionProvider"])
    ranges = {"x": (float(images.min()), float(images.max()))}
    for image in images:
        for name, value in zip(names, session.run(names, {"x": image[None]})):
            low, high = ranges.get(name, (0.0, 0.0))
            ranges[name] = (min(low, float(value.min())), max(high, float(value.max())))
    return ranges


class Quantizer:
    """Builds the quantized graph node by node."""

    def __init__(self, graph, ranges):
        self.graph, self.ranges = graph, ranges
        self.weights = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
        self.nodes, self.constants = [], []
        self.scale, self.ready = {}, {}  # of activations; name of the dequantized tensor

    def constant(self, name, value):
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))

    def dequantize(self, name, axis=None):
        self.nodes.append(helper.make_node("DequantizeLinear",
                                           [f"{name}_q", f"{name}_s", f"{name}_z"], [f"{name}_dq"],
                                           **({} if axis is None else {"axis": axis})))
        return f"{name}_dq"

    def activation(self, source, name):
        """Quantizes the float tensor `source`; consumers of `name` then read ready[name]."""
        low, high = min(self.ranges[name][0], 0.0), max(self.ranges[name][1], 0.0)
        scale = np.float32(max(high - low, 1e-8) / 255)
        self.constant(f"{name}_s", scale)
        self.constant(f"{name}_z", np.uint8(np.clip(round(-low / scale), 0, 255)))
        self.nodes.append(helper.make_node("QuantizeLinear", [source, f"{name}_s", f"{name}_z"],
                                           [f"{name}_q"]))
        self.scale[name] = scale
        self.ready[name] = self.dequantize(name)

    def weighted(self, weight, bias, input_scale):
        w = self.weights[weight]
        scale = np.maximum(np.abs(w.reshape(w.shape[0], -1)).max(1), 1e-8).astype(np.float32) / 127
        each = scale.reshape(-1, *[1] * (w.ndim - 1))
        self.constant(f"{weight}_q", np.clip(np.rint(w / each), -127, 127).astype(np.int8))
        self.constant(f"{weight}_s", scale)
        self.constant(f"{weight}_z", np.zeros(len(scale), np.int8))
        product = (scale * input_scale).astype(np.float32)
        self.constant(f"{bias}_q", np.rint(self.weights[bias] / product).astype(np.int32))
        self.constant(f"{bias}_s", product)
        self.constant(f"{bias}_z", np.zeros(len(scale), np.int32))
        return [self.dequantize(weight, 0), self.dequantize(bias, 0)]

    def node(self, node, inputs, name):
        """`name` is what the node's output is called behind a ReLU, if there is one."""
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        ready = [self.ready[i] for i in inputs if i in self.ready]
        if node.op_type in ("Conv", "Gemm"):
            ready = ready[:1] + self.weighted(inputs[1], inputs[2], self.scale[inputs[0]])
        elif node.op_type == "Flatten":
            self.ranges[name] = self.ranges[inputs[0]]
        elif node.op_type not in ("Add", "GlobalAveragePool"):
            raise SystemExit(f"onnx_int8.py: no rule for {node.op_type}")
        self.nodes.append(helper.make_node(node.op_type, ready, [f"{name}_f"], **attributes))
        self.activation(f"{name}_f", name)

    def run(self):
        readers, names = {}, {}
        for node in self.graph.node:
            for name in node.input:
                readers.setdefault(name, []).append(node)
        self.activation("x", "x")
        for node in self.graph.node:
            if node.op_type == "Relu":
                continue
            name, after = node.output[0], readers.get(node.output[0], [])
            if len(after) == 1 and after[0].op_type == "Relu":
                name = after[0].output[0]
            self.node(node, [names.get(i, i) for i in node.input], name)
            names[node.output[0]] = name
        self.nodes[-1].output[0] = "y"
        return helper.make_graph(self.nodes, "int8", list(self.graph.input),
                                 list(self.graph.output), self.constants)


def main():
    if len(sys.argv) != 3:
        print("usage: onnx_int8.py MODEL FOLDER", file=sys.stderr)
        return 2
    name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    model = onnx.load(folder / f"{name}.float.onnx")
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim][1:]
    images = np.fromfile(folder / f"{name}.images.f32", np.float32).reshape(-1, *shape)
    graph = Quantizer(model.graph, observe(model, images)).run()
    quantized = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    quantized.ir_version = 8
    onnx.checker.check_model(quantized)
    onnx.save(quantized, folder / f"{name}.int8.onnx")
    return 0


if __name__ == "__main__":
    sys.exit(main())
