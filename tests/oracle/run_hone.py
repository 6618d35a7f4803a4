#!/usr/bin/env python3
"""Runs a .hone file with NumPy's 64-bit integers: a second implementation, for comparison.

Written from docs/FORMAT.md and docs/NUMERICS.md alone; it shares no line with the C runtime. It is
slow and plain on purpose: every sum is exact in int64, every formula is as the documents give it.

    run_hone.py MODEL.hone IMAGES OUTPUTS    int8 codes in, int8 codes out, images one after another
    run_hone.py MODEL.hone                   lists the ops

As a module: `model = Model(open(path, "rb").read()); codes = model.run(image)`.
SPDX-License-Identifier: Apache-2.0
"""
import struct
import sys
import zlib

import numpy as np

MAGIC, VERSION, NONE, S24, D31 = 0x454E4F48, 1, 0xFFFFFFFF, 0, 1
CONV, DEPTHWISE, DENSE, ADD, MEAN = 1, 2, 3, 4, 5
MUL, MAXPOOL, AVGPOOL, TABLE, CONCAT, PAD, UPSAMPLE, SOFTMAX, RESHAPE = range(6, 15)
KINDS = {CONV: "conv", DEPTHWISE: "depthwise", DENSE: "dense", ADD: "add", MEAN: "mean",
         MUL: "mul", MAXPOOL: "max_pool", AVGPOOL: "average_pool", TABLE: "table",
         CONCAT: "concat", PAD: "pad", UPSAMPLE: "upsample", SOFTMAX: "softmax",
         RESHAPE: "reshape"}
KEEP_GRID = (MAXPOOL, AVGPOOL, CONCAT, PAD, UPSAMPLE, RESHAPE)


class Tensor:
    """32 bytes of the section TENS."""

    def __init__(self, record):
        (self.name, self.h, self.w, self.c, self.zero_point, scale_bits, self.offset,
         reserved) = struct.unpack("<4Ii3I", record)
        self.scale = struct.unpack("<f", struct.pack("<I", scale_bits))[0]
        assert reserved == 0 and -128 <= self.zero_point <= 127

    @property
    def shape(self):
        return self.h, self.w, self.c


class Op:
    """96 bytes of the section OPS."""

    def __init__(self, record):
        f = struct.unpack("<2HI2II12H3I5i5I", record)
        self.kind, self.weight_type, self.name = f[0:3]
        self.inputs, self.output = f[3:5], f[5]
        self.kernel, self.stride, self.dilation = f[6:8], f[8:10], f[10:12]
        self.pad_top, self.pad_left, self.pad_bottom, self.pad_right = f[12:16]
        self.multiplier, self.groups = f[16], f[17] or 1
        self.weights, self.bias, self.requant = f[18:21]
        self.lo, self.hi, self.m1, self.m2, self.k = f[21:26]
        if self.kind == CONCAT:
            self.inputs += tuple(struct.unpack("<6I", record[64:88]))
            assert not any(f[29:31])
        else:
            assert not any(f[26:31])
        assert f[17] != 1 and self.weight_type == 0
        assert -128 <= self.lo <= self.hi <= 127
        assert self.kind <= MUL or (self.lo, self.hi) == (-128, 127)


def requantize(acc, words):
    """S24: (acc * m + 2^(k-1)) >> k, floor; a word is k in its top byte, m in the other three."""
    m, k = (words & 0xFFFFFF).astype(np.int64), (words >> 24).astype(np.int64)
    assert ((k >= 1) & (k <= 62)).all()
    assert (np.abs(acc) < 2**31).all()
    return (acc * m + (np.int64(1) << (k - 1))) >> k


def round_off(v, bits):
    """v / 2^bits to the nearest, halves away from zero."""
    half = np.where(bits > 0, np.int64(1) << np.maximum(bits - 1, 0), 0)
    return np.sign(v) * ((np.abs(v) + half) >> bits)


def requantize_d31(acc, m, e):
    """D31: halves up in the product with m * 2^-31, then halves away from zero for 2^e below 1."""
    m, e = m.astype(np.int64), e.astype(np.int64)
    assert ((m >= 0) & (m < 2**31) & (e >= -31) & (e <= 30)).all()
    assert (np.abs(acc) < 2**31).all()
    acc = np.clip(acc << np.maximum(e, 0), -2**31, 2**31 - 1)
    return round_off((acc * m + 2**30) >> 31, np.maximum(-e, 0))


class Model:
    def __init__(self, blob):
        self.blob = blob
        (magic, version, size, crc, self.profile, self.input, self.output, self.activation_bytes,
         self.class_count, sections, r0, r1) = struct.unpack_from("<12I", blob)
        assert magic == MAGIC and version == VERSION and (r0, r1) == (0, 0)
        assert self.profile in (S24, D31)
        assert size == len(blob), "length"
        assert zlib.crc32(blob[:12] + bytes(4) + blob[16:]) == crc, "CRC"
        part = {}
        for i in range(sections):
            tag, flags, offset, length = struct.unpack_from("<4s3I", blob, 48 + 16 * i)
            assert offset % 16 == 0 and offset + length <= size
            assert tag in (b"TENS", b"OPS ", b"CONS", b"STRS") or not flags & 1, "unknown section"
            part[tag] = blob[offset:offset + length]
        self.constants, self.strings = part[b"CONS"], part[b"STRS"]
        tensors, ops = part[b"TENS"], part[b"OPS "]
        self.tensors = [Tensor(tensors[i:i + 32]) for i in range(0, len(tensors), 32)]
        self.ops = [Op(ops[i:i + 96]) for i in range(0, len(ops), 96)]

    def name(self, offset):
        return "" if offset == NONE else self.strings[offset:self.strings.index(0, offset)].decode()

    def constant(self, offset, dtype, count):
        if offset == NONE:
            return np.zeros(count, dtype)
        assert offset % 16 == 0
        return np.frombuffer(self.constants, dtype, count, offset)

    def windows(self, op, x, y):
        """For each tap (ky, kx): the inputs that the outputs read there, zero outside the image."""
        (sh, sw), (dh, dw) = op.stride, op.dilation
        padded = np.pad(x, ((op.pad_top, op.pad_bottom), (op.pad_left, op.pad_right), (0, 0)))
        assert y.h == (padded.shape[0] - (op.kernel[0] - 1) * dh - 1) // sh + 1
        assert y.w == (padded.shape[1] - (op.kernel[1] - 1) * dw - 1) // sw + 1
        for ky in range(op.kernel[0]):
            for kx in range(op.kernel[1]):
                rows = slice(ky * dh, ky * dh + (y.h - 1) * sh + 1, sh)
                cols = slice(kx * dw, kx * dw + (y.w - 1) * sw + 1, sw)
                yield ky, kx, padded[rows, cols]

    def accumulate(self, op, x, y):
        """The exact sums of CONV, DEPTHWISE and DENSE; x has its zero point subtracted already."""
        acc = np.zeros((y.h, y.w, y.c), np.int64) + self.constant(op.bias, "<i4", y.c)
        if op.kind == DENSE:
            w = self.constant(op.weights, "i1", y.c * x.size).reshape(y.c, x.size)
            acc += w.astype(np.int64) @ x.ravel()
        elif op.kind == CONV:
            wide, parts = x.shape[2] // op.groups, y.c // op.groups
            assert wide * op.groups == x.shape[2] and parts * op.groups == y.c
            shape = (y.c, *op.kernel, wide)
            w = self.constant(op.weights, "i1", int(np.prod(shape))).reshape(shape)
            for ky, kx, taps in self.windows(op, x, y):
                for i in range(op.groups):
                    o = slice(i * parts, (i + 1) * parts)
                    acc[:, :, o] += (taps[:, :, i * wide:(i + 1) * wide]
                                     @ w[o, ky, kx].astype(np.int64).T)
        else:
            shape = (*op.kernel, y.c)
            assert y.c == x.shape[2] * op.multiplier
            w = self.constant(op.weights, "i1", int(np.prod(shape))).reshape(shape)
            for ky, kx, taps in self.windows(op, x, y):
                acc += np.repeat(taps, op.multiplier, axis=2) * w[ky, kx].astype(np.int64)
        assert (w >= -127).all()
        return acc

    def rescale(self, op, acc, channels):
        """acc by the op's multipliers: one, or one per channel."""
        if self.profile == S24:
            return requantize(acc, self.constant(op.requant, "<u4", channels))
        words = self.constant(op.requant, "<i4", 2 * channels)
        return requantize_d31(acc, words[:channels], words[channels:])

    def add(self, op, a, b):
        if self.profile == S24:
            return (a * op.m1 + b * op.m2 + (1 << (op.k - 1))) >> op.k
        assert (op.m1, op.m2, op.k) == (0, 0, 0)
        w = self.constant(op.requant, "<i4", 6)
        a, b = (requantize_d31(v << 20, w[i], w[3 + i]) for i, v in enumerate((a, b)))
        return requantize_d31(a + b, w[2], w[5])

    def pool(self, op, codes, y):
        """MAXPOOL and AVGPOOL: the codes themselves, over the taps inside the image."""
        inside = np.ones(codes.shape, np.int64)
        taps = [(v, n) for (_, _, v), (_, _, n) in
                zip(self.windows(op, codes.astype(np.int64), y), self.windows(op, inside, y))]
        if op.kind == MAXPOOL:
            return np.max([np.where(n > 0, v, -128) for v, n in taps], axis=0)
        total, count = sum(v for v, _ in taps), sum(n for _, n in taps)
        rounded = (np.abs(total) + count // 2) // count
        return np.where(total > 0, rounded, -rounded)

    def softmax(self, op, codes):
        table = self.constant(op.requant, "<u4", 256).astype(np.int64)
        largest = codes.max(axis=-1, keepdims=True).astype(np.int64)
        e = table[largest - codes]
        total = e.sum(axis=-1, keepdims=True)
        assert (total < 2**31 + 1).all()
        y = np.minimum((256 * e + total // 2) // total - 128, 127)
        top = np.maximum(y.max(axis=-1, keepdims=True), -127)
        return np.where(codes == largest, top, np.minimum(y, top - 1))

    def copy(self, op, codes, y):
        """The kinds that move codes and compute nothing."""
        x = [codes[i] for i in op.inputs if i != NONE]
        if op.kind == CONCAT:
            return np.concatenate(x, axis=2)
        if op.kind == PAD:
            return np.pad(x[0], ((op.pad_top, op.pad_bottom), (op.pad_left, op.pad_right), (0, 0)),
                          constant_values=y.zero_point)
        if op.kind == UPSAMPLE:
            return x[0].repeat(op.stride[0], axis=0).repeat(op.stride[1], axis=1)
        return x[0].reshape(y.shape)

    def layer(self, op, codes):
        """The kinds from MAXPOOL on, in codes."""
        y, x = self.tensors[op.output], codes[op.inputs[0]]
        for i in op.inputs if op.kind in KEEP_GRID else ():
            assert i == NONE or (self.tensors[i].zero_point, self.tensors[i].scale) == (
                y.zero_point, y.scale)
        if op.kind in (MAXPOOL, AVGPOOL):
            return self.pool(op, x, y)
        if op.kind == TABLE:
            return self.constant(op.weights, "i1", 256)[x.astype(np.int64) + 128]
        if op.kind == SOFTMAX:
            assert (y.zero_point, y.scale) == (-128, 1 / 256)
            return self.softmax(op, x)
        return self.copy(op, codes, y)

    def step(self, op, codes):
        y = self.tensors[op.output]
        if op.kind > MUL:
            result = self.layer(op, codes)
            assert result.shape == y.shape
            return result.astype(np.int8)
        x = [codes[i].astype(np.int64) - self.tensors[i].zero_point
             for i in op.inputs if i != NONE]
        if op.kind == ADD:
            assert x[0].shape == x[1].shape == y.shape
            v = self.add(op, *x)
        elif op.kind == MUL:
            assert x[0].shape == y.shape and x[1].size in (x[0].size, y.c)
            v = self.rescale(op, x[0] * x[1].reshape((-1, y.c) if x[1].size == y.c else y.shape), 1)
        elif op.kind == MEAN:
            v = self.rescale(op, x[0].sum(axis=(0, 1), keepdims=True), 1)
        else:
            v = self.rescale(op, self.accumulate(op, x[0], y), y.c)
        return np.clip(v + y.zero_point, op.lo, op.hi).reshape(y.shape).astype(np.int8)

    def run(self, image, arena=True):
        """Codes of the output for one image of codes. With arena, tensors live where the memory
        plan puts them, so that a plan which lets live tensors overlap gives wrong results here."""
        memory = np.zeros(self.activation_bytes, np.int8)

        def view(i):
            t = self.tensors[i]
            return memory[t.offset:t.offset + t.h * t.w * t.c].reshape(t.shape)

        codes = {i: view(i) for i in range(len(self.tensors))} if arena else {}
        entry = self.tensors[self.input]
        image = np.asarray(image, np.int8).reshape(entry.shape)
        if arena:
            codes[self.input][:] = image
        else:
            codes[self.input] = image
        for op in self.ops:
            result = self.step(op, codes)
            if arena:
                codes[op.output][:] = result
            else:
                codes[op.output] = result
        return codes[self.output].ravel().copy()


def main(arguments):
    if len(arguments) not in (1, 3):
        sys.exit(__doc__)
    with open(arguments[0], "rb") as f:
        model = Model(f.read())
    if len(arguments) == 1:
        for op in model.ops:
            y = model.tensors[op.output]
            print(f"{KINDS[op.kind]:10} {model.name(op.name):32} {y.h}x{y.w}x{y.c}")
        return
    entry = model.tensors[model.input]
    images = np.fromfile(arguments[1], np.int8).reshape(-1, entry.h * entry.w * entry.c)
    outputs = []
    for image in images:
        outputs.append(model.run(image))
        assert (outputs[-1] == model.run(image, arena=False)).all(), "the memory plan overlaps"
    np.stack(outputs).tofile(arguments[2])


if __name__ == "__main__":
    main(sys.argv[1:])
