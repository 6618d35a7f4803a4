#!/usr/bin/env python3
"""Single quantized operations by the TensorFlow Lite interpreter, its reference kernels.

Writes tests/oracle/tflite_fixtures.h: int8 convolutions (in groups, dilated, depthwise), dense layers,
additions and means, with random numbers, and what the interpreter computes; before that, it holds the
functions of d31.py against every number. The models are made here, one operation each.

    usage: tflite_ops.py > tests/oracle/tflite_fixtures.h     (pip install ai-edge-litert)

SPDX-License-Identifier: Apache-2.0
"""
import os
import random
import sys

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.interpreter import Interpreter, OpResolverType

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import d31  # noqa: E402
import integer_ops as base  # noqa: E402

rng = random.Random(20261122)
NONE, RELU, RELU6 = 0, 1, 3
B, O = tfl.BuiltinOperator, tfl.BuiltinOptions


# ---- one operation as a model --------------------------------------------------------------------

def tensor(shape, kind, buffer, scales, zero_points, axis=0):
    q = tfl.QuantizationParametersT()
    q.scale, q.zeroPoint, q.quantizedDimension = scales, zero_points, axis
    t = tfl.TensorT()
    t.shape, t.type, t.buffer, t.quantization = shape, kind, buffer, q
    return t


class Single:
    """Inputs, constants and the output of one operation; the interpreter runs it."""

    def __init__(self, code, version, options_type, options):
        self.model, self.graph, self.op = tfl.ModelT(), tfl.SubGraphT(), tfl.OperatorT()
        opcode = tfl.OperatorCodeT()
        opcode.builtinCode = opcode.deprecatedBuiltinCode = code
        opcode.version = version
        self.op.opcodeIndex, self.op.inputs, self.op.outputs = 0, [], []
        self.op.builtinOptionsType, self.op.builtinOptions = options_type, options
        self.model.version, self.model.operatorCodes = 3, [opcode]
        self.model.buffers = [tfl.BufferT()]
        self.graph.tensors, self.graph.inputs, self.graph.operators = [], [], [self.op]

    def add(self, t):
        self.graph.tensors.append(t)
        return len(self.graph.tensors) - 1

    def input(self, shape, scale, zero_point):
        i = self.add(tensor(shape, tfl.TensorType.INT8, 0, [scale], [zero_point]))
        self.op.inputs.append(i)
        self.graph.inputs.append(i)

    def constant(self, values, kind, scales=None, axis=0):
        buffer = tfl.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        zeros = [0] * len(scales) if scales else None
        self.op.inputs.append(self.add(tensor(list(values.shape), kind,
                                              len(self.model.buffers) - 1, scales, zeros, axis)))

    def run(self, shape, scale, zero_point, *inputs):
        out = self.add(tensor(shape, tfl.TensorType.INT8, 0, [scale], [zero_point]))
        self.op.outputs = self.graph.outputs = [out]
        self.model.subgraphs = [self.graph]
        b = flatbuffers.Builder(1024)
        b.Finish(self.model.Pack(b), file_identifier=b"TFL3")
        it = Interpreter(model_content=bytes(b.Output()),
                         experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
        it.allocate_tensors()
        for d, v in zip(it.get_input_details(), inputs):
            it.set_tensor(d["index"], np.array(v, np.int8).reshape(d["shape"]))
        it.invoke()
        return [int(v) for v in it.get_tensor(it.get_output_details()[0]["index"]).ravel()]


# ---- cases ---------------------------------------------------------------------------------------

def float32(lo, hi):
    return float(np.float32(2 ** rng.uniform(lo, hi)))


def bounds(activation, scale, zero_point):
    lo = -128 if activation == NONE else max(-128, zero_point)
    hi = 127
    if activation == RELU6:
        hi = min(127, zero_point + d31.half_away(float(np.float32(6) / np.float32(scale))))
    return lo, hi


class Weighted:
    """Numbers of a layer with weights: taps products to a sum, the output spread over its codes."""

    def __init__(self, taps, out_c, activation):
        self.sx, self.zx = float32(-7, -3), rng.choice([-128, 0, rng.randint(-128, 127)])
        self.sw = [float32(-9, -6) for _ in range(out_c)]
        typical = self.sx * sum(self.sw) / out_c * 74 * 74 * taps ** .5
        self.sy, self.zy = float(np.float32(typical / 50)), rng.randint(-60, 60)
        self.w = base.codes(taps * out_c, -127)
        self.bias = [rng.randint(-2000, 2000) for _ in range(out_c)]
        self.lo, self.hi = bounds(activation, self.sy, self.zy)

    def code(self, acc, channel):
        return d31.code(acc, *d31.multiplier(self.sx * self.sw[channel] / self.sy), self.zy,
                        self.lo, self.hi)

    def constants(self, single, shape, axis):
        single.constant(np.array(self.w, np.int8).reshape(shape), tfl.TensorType.INT8, self.sw, axis)
        single.constant(np.array(self.bias, np.int32), tfl.TensorType.INT32,
                        [float(np.float32(self.sx * s)) for s in self.sw])


def same(n, kernel, stride, dilation):
    out = -(-n // stride)
    total = max((out - 1) * stride + (kernel - 1) * dilation + 1 - n, 0)
    return total // 2, total - total // 2


def geometry(h, w, in_c, out_c, kernel, stride, dilation, padding):
    pads = [same(n, k, s, d) if padding == 0 else (0, 0)
            for n, k, s, d in zip((h, w), kernel, stride, dilation)]
    return base.Geometry((h, w, in_c), out_c, kernel, stride, dilation,
                         (pads[0][0], pads[1][0], pads[0][1], pads[1][1]))


def window_options(options, stride, dilation, padding, activation):
    options.padding, options.fusedActivationFunction = padding, activation
    options.strideH, options.strideW = stride
    options.dilationHFactor, options.dilationWFactor = dilation
    return options


def conv(name, hwc, out_c, kernel, stride, dilation, padding, activation, groups=1):
    h, w, in_c = hwc
    g = geometry(h, w, in_c, out_c, kernel, stride, dilation, padding)
    wide, parts = in_c // groups, out_c // groups
    n = Weighted(kernel[0] * kernel[1] * wide, out_c, activation)
    x = base.codes(h * w * in_c)
    single = Single(B.CONV_2D, 3, O.Conv2DOptions,
                    window_options(tfl.Conv2DOptionsT(), stride, dilation, padding, activation))
    single.input([1, h, w, in_c], n.sx, n.zx)
    n.constants(single, (out_c, *kernel, wide), 0)
    y = single.run([1, g.out_h, g.out_w, out_c], n.sy, n.zy, x)
    mine = []
    for oy, ox in g.pixels():
        for o in range(out_c):
            acc = n.bias[o]
            for ky, kx, iy, ix in g.taps(oy, ox):
                at = (iy * w + ix) * in_c + o // parts * wide
                wat = ((o * kernel[0] + ky) * kernel[1] + kx) * wide
                acc += sum((x[at + i] - n.zx) * n.w[wat + i] for i in range(wide))
            mine.append(n.code(acc, o))
    return finish(name, 0, g, groups, n, x, y, mine)


def depthwise(name, hwc, times, kernel, stride, dilation, padding, activation):
    h, w, in_c = hwc
    out_c = in_c * times
    g = geometry(h, w, in_c, out_c, kernel, stride, dilation, padding)
    n = Weighted(kernel[0] * kernel[1], out_c, activation)
    x = base.codes(h * w * in_c)
    options = window_options(tfl.DepthwiseConv2DOptionsT(), stride, dilation, padding, activation)
    options.depthMultiplier = times
    single = Single(B.DEPTHWISE_CONV_2D, 3, O.DepthwiseConv2DOptions, options)
    single.input([1, h, w, in_c], n.sx, n.zx)
    n.constants(single, (1, *kernel, out_c), 3)
    y = single.run([1, g.out_h, g.out_w, out_c], n.sy, n.zy, x)
    acc = base.depthwise(g, x, n.zx, n.w, n.bias)
    return finish(name, 1, g, 1, n, x, y, [n.code(v, i % out_c) for i, v in enumerate(acc)])


def dense(name, inputs, units, activation):
    n = Weighted(inputs, units, activation)
    x = base.codes(inputs)
    options = tfl.FullyConnectedOptionsT()
    options.fusedActivationFunction = activation
    single = Single(B.FULLY_CONNECTED, 12, O.FullyConnectedOptions, options)
    single.input([1, inputs], n.sx, n.zx)
    n.constants(single, (units, inputs), 0)
    y = single.run([1, units], n.sy, n.zy, x)
    g = base.Geometry((1, 1, inputs), units, (1, 1))
    acc = base.conv(g, x, n.zx, n.w, n.bias)
    return finish(name, 0, g, 1, n, x, y, [n.code(v, i) for i, v in enumerate(acc)])


# ---- printing ------------------------------------------------------------------------------------

checked = 0


def compare(name, theirs, mine):
    global checked
    wrong = sum(a != b for a, b in zip(theirs, mine))
    if len(theirs) != len(mine) or wrong:
        sys.exit(f"{name}: {wrong} of {len(theirs)} codes differ")
    checked += len(theirs)


def float_bits(values):
    return [f"0x{base.bits_of(v):08x}u" for v in values]


def finish(name, is_depthwise, g, groups, n, x, y, mine):
    compare(name, y, mine)
    key = "tflite_" + name
    print()
    base.array("int8_t", f"{key}_x", x)
    base.array("int8_t", f"{key}_w", n.w)
    base.array("int32_t", f"{key}_bias", n.bias)
    base.array("uint32_t", f"{key}_sw", float_bits(n.sw))
    base.array("int8_t", f"{key}_y", y)
    ih, iw, ic = g.in_hwc
    numbers = (ih, iw, ic, g.out_h, g.out_w, g.out_c, *g.kernel, *g.stride, *g.dilation,
               *g.pads[:2], 0)
    return (f'"{name}"', is_depthwise, groups, "{" + ", ".join(map(str, numbers)) + "}",
            *float_bits([n.sx, n.sy]), n.zx, n.zy, n.lo, n.hi,
            *(f"{key}_{part}" for part in ("x", "w", "bias", "sw", "y")))


def additions():
    rows = []
    for i in range(24):
        a, b = float32(-6, 0), float32(-6, 0)
        if i == 0:
            b = a
        y = float(np.float32((a + b) * rng.uniform(.4, 1.2)))
        za, zb, zy = (rng.randint(-100, 100) for _ in range(3))
        lo, hi = bounds([NONE, RELU, RELU6][i % 3], y, zy)
        xa, xb = base.codes(60), base.codes(60)
        options = tfl.AddOptionsT()
        options.fusedActivationFunction = [NONE, RELU, RELU6][i % 3]
        single = Single(B.ADD, 2, O.AddOptions, options)
        single.input([1, 3, 4, 5], a, za)
        single.input([1, 3, 4, 5], b, zb)
        out = single.run([1, 3, 4, 5], y, zy, xa, xb)
        m = d31.add_multipliers(a, b, y)
        compare(f"add {i}", out, [d31.add(v, w, za, zb, m, zy, lo, hi) for v, w in zip(xa, xb)])
        for part, values in zip("aby", (xa, xb, out)):
            base.array("int8_t", f"tflite_add{i}_{part}", values)
        rows.append((*float_bits([a, b, y]), za, zb, zy, lo, hi,
                     *(f"tflite_add{i}_{part}" for part in "aby")))
    print()
    base.struct_array("TfliteAdd", "tflite_adds", rows)


def means():
    rows = []
    for i, (h, w, c) in enumerate([(1, 1, 9), (2, 2, 40), (3, 5, 31), (7, 7, 24), (8, 8, 16),
                                   (6, 11, 12), (4, 1, 17)]):
        sx = float32(-6, 0)
        sy = float(np.float32(sx * 2 ** rng.uniform(-2, 1)))
        zx, zy = rng.randint(-20, 20), rng.randint(-60, 60)
        x = [base.clamp(v // 2 + rng.randint(-60, 60), -128, 127) for v in base.codes(h * w * c)]
        options = tfl.ReducerOptionsT()
        options.keepDims = i % 2 == 1
        single = Single(B.MEAN, 2, O.ReducerOptions, options)
        single.input([1, h, w, c], sx, zx)
        single.constant(np.array([1, 2], np.int32), tfl.TensorType.INT32)
        y = single.run([1, 1, 1, c] if i % 2 else [1, c], sy, zy, x)
        m, e = d31.mean_multiplier(sx, sy, h * w)
        compare(f"mean {h}x{w}", y,
                [d31.code(sum(x[k::c]) - h * w * zx, m, e, zy, -128, 127) for k in range(c)])
        base.array("int8_t", f"tflite_mean{i}_x", x)
        base.array("int8_t", f"tflite_mean{i}_y", y)
        rows.append((h * w, c, *float_bits([sx, sy]), zx, zy, f"tflite_mean{i}_x",
                     f"tflite_mean{i}_y"))
    print()
    base.struct_array("TfliteMean", "tflite_means", rows)


HEAD = '''/* Made by tests/oracle/tflite_ops.py with the interpreter of ai-edge-litert; do not edit.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_ORACLE_TFLITE_FIXTURES_H
#define HONE_TESTS_ORACLE_TFLITE_FIXTURES_H

#include "runtime/kernels.h"

/* Scales as float bits. */
typedef struct TfliteConv {
    const char *name;
    int depthwise, groups;
    HoneRtConv g;
    uint32_t scale_x, scale_y;
    int32_t x_zp, y_zp, lo, hi;
    const int8_t *x, *w;
    const int32_t *bias;
    const uint32_t *scale_w;
    const int8_t *y;
} TfliteConv;

typedef struct TfliteAdd {
    uint32_t scale_a, scale_b, scale_y;
    int32_t a_zp, b_zp, y_zp, lo, hi;
    const int8_t *a, *b, *y; /* 60 each */
} TfliteAdd;

typedef struct TfliteMean {
    int pixels, channels;
    uint32_t scale_x, scale_y;
    int32_t x_zp, y_zp;
    const int8_t *x, *y;
} TfliteMean;'''


def main():
    print(HEAD)
    one = (1, 1)
    rows = [
        conv("same", (6, 5, 3), 8, (3, 3), one, one, 0, NONE),
        conv("stride", (9, 8, 4), 7, (3, 3), (2, 2), one, 0, RELU),
        conv("valid", (7, 7, 5), 6, (3, 2), (1, 2), one, 1, RELU6),
        conv("pointwise", (5, 4, 17), 19, one, one, one, 0, NONE),
        conv("dilated", (9, 8, 3), 5, (3, 3), one, (2, 3), 0, RELU6),
        conv("groups", (6, 6, 8), 12, (3, 3), (1, 1), one, 0, RELU, groups=4),
        depthwise("dw", (7, 6, 9), 1, (3, 3), one, one, 0, RELU6),
        depthwise("dw_stride", (9, 9, 5), 1, (5, 3), (2, 2), one, 0, NONE),
        depthwise("dw_dilated", (8, 9, 4), 1, (3, 3), one, (2, 2), 0, RELU),
        depthwise("dw_twice", (6, 7, 4), 2, (3, 3), (2, 2), one, 0, RELU6),
        depthwise("dw_eight", (8, 5, 1), 8, (4, 3), (2, 2), one, 1, NONE),
        dense("dense", 70, 40, NONE),
        dense("dense_relu", 33, 50, RELU),
    ]
    print()
    base.struct_array("TfliteConv", "tflite_convs", rows)
    print()
    additions()
    print()
    means()
    print("\n#endif")
    print(f"{checked} codes equal", file=sys.stderr)


if __name__ == "__main__":
    main()
