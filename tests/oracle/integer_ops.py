#!/usr/bin/env python3
"""An oracle for the integer arithmetic: exact rationals, no code or header of ours is read.

    python3 tests/oracle/integer_ops.py > tests/oracle/fixtures.h

Every definition here is written from the mathematics, not from the C: a multiplier is the
exact rational value of a float32, rescaling is floor(acc * r + 1/2), a convolution is a sum over the
taps inside the image. It also writes a whole .hone file, byte by byte from docs/FORMAT.md, with what each
of its layers computes. Deterministic: the same file every time.
SPDX-License-Identifier: Apache-2.0"""
import random
import struct
import zlib
from fractions import Fraction
from math import floor

rng = random.Random(20261120)


# ---- float32 and rescaling -----------------------------------------------------------------------

def bits_of(value):
    """The float32 nearest to value, as bits."""
    return struct.unpack("<I", struct.pack("<f", value))[0]


def value_of(bits):
    """The exact value of a float32."""
    return Fraction(struct.unpack("<f", struct.pack("<I", bits))[0])


def clamp(v, lo, hi):
    return max(lo, min(hi, v))


def round_half_up(v):
    return floor(v + Fraction(1, 2))


def requantize(acc, bits, zero_point, lo, hi):
    return clamp(round_half_up(acc * value_of(bits)) + zero_point, lo, hi)


def word_of(bits):
    """Packed multiplier: r = m / 2^k, m of 24 bits; m = 0, k = 1 below 2^-39."""
    r = value_of(bits)
    if r < Fraction(1, 2**39):
        return 1 << 24
    k = next(k for k in range(63) if r * 2**k >= 2**23)
    assert k >= 1 and r * 2**k < 2**24 and (r * 2**k).denominator == 1
    return k << 24 | int(r * 2**k)


def add_multipliers(bits1, bits2):
    """(m1, m2, k), k the largest for which the larger multiplier stays below 2^21; None: no k."""
    r1, r2 = value_of(bits1), value_of(bits2)
    if max(r1, r2) == 0 or round_half_up(max(r1, r2) * 2**31) < 2**21:
        return 0, 0, 1
    k = max((k for k in range(1, 31) if round_half_up(max(r1, r2) * 2**k) < 2**21), default=None)
    return None if k is None else (round_half_up(r1 * 2**k), round_half_up(r2 * 2**k), k)


def add(a, b, za, zb, multipliers, zy, lo, hi):
    m1, m2, k = multipliers
    return clamp(round_half_up(Fraction((a - za) * m1 + (b - zb) * m2, 2**k)) + zy, lo, hi)


# ---- convolutions: x [h][w][c] and w as nested index functions -----------------------------------

class Geometry:
    def __init__(self, in_hwc, out_c, kernel, stride=(1, 1), dilation=(1, 1), pads=(0, 0, 0, 0)):
        self.in_hwc, self.out_c, self.kernel = in_hwc, out_c, kernel
        self.stride, self.dilation, self.pads = stride, dilation, pads  # top, left, bottom, right
        size = [(in_hwc[i] + pads[i] + pads[i + 2] - (kernel[i] - 1) * dilation[i] - 1) // stride[i]
                + 1 for i in range(2)]
        self.out_h, self.out_w = size

    def taps(self, oy, ox):
        """(ky, kx, iy, ix) of the taps of an output pixel that lie inside the image."""
        for ky in range(self.kernel[0]):
            for kx in range(self.kernel[1]):
                iy = oy * self.stride[0] - self.pads[0] + ky * self.dilation[0]
                ix = ox * self.stride[1] - self.pads[1] + kx * self.dilation[1]
                if 0 <= iy < self.in_hwc[0] and 0 <= ix < self.in_hwc[1]:
                    yield ky, kx, iy, ix

    def pixels(self):
        return [(oy, ox) for oy in range(self.out_h) for ox in range(self.out_w)]


def conv(g, x, zx, w, bias):
    _, iw, ic = g.in_hwc
    kh, kw = g.kernel
    return [bias[o] + sum((x[(iy * iw + ix) * ic + i] - zx) * w[((o * kh + ky) * kw + kx) * ic + i]
                          for ky, kx, iy, ix in g.taps(oy, ox) for i in range(ic))
            for oy, ox in g.pixels() for o in range(g.out_c)]


def depthwise(g, x, zx, w, bias):
    _, iw, ic = g.in_hwc
    multiplier = g.out_c // ic
    return [bias[o] + sum((x[(iy * iw + ix) * ic + o // multiplier] - zx)
                          * w[(ky * g.kernel[1] + kx) * g.out_c + o]
                          for ky, kx, iy, ix in g.taps(oy, ox))
            for oy, ox in g.pixels() for o in range(g.out_c)]


# ---- random data ---------------------------------------------------------------------------------

def codes(n, lo=-128):
    return [rng.choice([lo, 127]) if rng.random() < .1 else rng.randint(lo, 127) for _ in range(n)]


def biases(n):
    return [rng.randint(-3000, 3000) for _ in range(n)]


def multipliers(n, around):
    return [bits_of(around * 2 ** rng.uniform(-1, 1)) for _ in range(n)]


# ---- printing C ----------------------------------------------------------------------------------

def array(kind, name, values):
    print(f"static const {kind} {name}[{len(values)}] = {{")
    line = "   "
    for v in values:
        item = f" {v},"
        if len(line) + len(item) > 100:
            print(line)
            line = "   "
        line += item
    print(line + "\n};")


def struct_array(kind, name, rows):
    print(f"static const {kind} {name}[{len(rows)}] = {{")
    line = "   "
    for row in rows:
        words = ("{" + ", ".join(str(v) for v in row) + "},").split(" ")
        if len(line) + len(" ".join(words)) >= 100:
            print(line)
            line = "   "
        for word in words:
            if len(line) + 1 + len(word) > 100:
                print(line)
                line = "       "
            line += " " + word
    print(line + "\n};")


def lowest(v):
    """INT32_MIN has no literal of its own in C."""
    return "INT32_MIN" if v == -2**31 else v


# ---- fixtures ------------------------------------------------------------------------------------

def requantize_fixtures():
    ratios = [bits_of(v) for v in (1.0, .5, .25, .75, 2.0, 3.5, 2**-23, 2**-24, 2**-30, 2**-38,
                                   2**-39, .0078125, .001, .3, 1 / 3, 255., 65536., 8388607., 1.5 * 2**-39,
                                   1.999999 * 2**-40, 2**-40, 1e-38, 1e-45, 0.)]
    ratios += [0x3f7fffff, 0x3f800001, 0x3effffff, 0x4affffff, 0x34ffffff, 0x2c000000]
    accs = [0, 1, -1, 2, -2, 3, -3, 2**31 - 1, -2**31, 2**23, -2**23, 2**22 + 1, -2**22 - 1]
    rows = []
    for bits in ratios:
        for acc in accs:
            rows.append((acc, bits, rng.choice([0, 0, 5, -128, 127]), -128, 127))
    for bits in [bits_of(v) for v in (.5, .25, .125, .75, .375, 2**-8, 3 * 2**-9)]:
        for acc in range(-12, 13):  # exact halves, of both signs
            rows.append((acc, bits, 0, -128, 127))
    for _ in range(300):
        bits = bits_of(2 ** rng.uniform(-16, 1))
        acc = floor(rng.uniform(-140, 140) / value_of(bits))
        lo = rng.choice([-128, -10])
        rows.append((clamp(acc, -2**31, 2**31 - 1), bits, rng.randint(-128, 127), lo,
                     rng.choice([127, 60])))
    print("/* y = clamp(floor(acc * r + 1/2) + zero_point, lo, hi), r the float32 of these bits. */")
    struct_array("RequantizeFixture", "requantize_fixtures",
                 [(lowest(a), f"0x{b:08x}u", z, lo, hi, f"0x{word_of(b):08x}u",
                   requantize(a, b, z, lo, hi)) for a, b, z, lo, hi in rows])


def add_fixtures():
    pairs = [(1., 1.), (.5, .25), (1.999999, .1), (2 - 2**-23, 2 - 2**-23), (.3, 1e-6),
             (1e-9, .7), (0., .9), (0., 0.), (2**-10, 2**-10), (2**-11, 2**-12), (1e-4, 1e-5), (1.5 * 2**-10, 2**-20),
             (1000., 3.), (2**19, 1.), (524287.97, 524287.97), (1e-39, .5)]
    pairs += [(2 ** rng.uniform(-6, 3), 2 ** rng.uniform(-6, 3)) for _ in range(60)]
    rows = []
    for v1, v2 in pairs:
        b1, b2 = bits_of(v1), bits_of(v2)
        m = add_multipliers(b1, b2)
        assert m is not None
        for _ in range(6):
            a, b, za, zb, zy = (codes(1)[0] for _ in range(5))
            lo = rng.choice([-128, zy])
            rows.append((f"0x{b1:08x}u", f"0x{b2:08x}u", *m, a, b, za, zb, zy, lo, 127,
                         add(a, b, za, zb, m, zy, lo, 127)))
    print("\n/* Ratios as float32 bits; m1, m2, k; a, b; zero points; clamp; y. */")
    struct_array("AddFixture", "add_fixtures", rows)


GEOMETRIES = [
    ("same3x3", False, Geometry((6, 5, 3), 5, (3, 3), pads=(1, 1, 1, 1))),
    ("stride2", False, Geometry((7, 8, 4), 6, (3, 3), (2, 2), pads=(0, 0, 1, 1))),
    ("dilated", False, Geometry((8, 9, 2), 3, (3, 2), dilation=(2, 3), pads=(2, 1, 2, 2))),
    ("pointwise", False, Geometry((3, 4, 17), 19, (1, 1))),
    ("strided_pointwise", False, Geometry((5, 5, 6), 7, (1, 1), (2, 2))),
    ("dense", False, Geometry((1, 1, 70), 11, (1, 1))),
    ("wide", False, Geometry((2, 3, 33), 34, (2, 2), pads=(1, 0, 0, 1))),
    ("dw_same", True, Geometry((6, 6, 18), 18, (3, 3), pads=(1, 1, 1, 1))),
    ("dw_stride2", True, Geometry((7, 9, 5), 5, (3, 3), (2, 2), pads=(1, 1, 1, 1))),
    ("dw_5x5", True, Geometry((5, 7, 3), 3, (5, 5), (1, 2), pads=(2, 2, 2, 2))),
    ("dw_dilated", True, Geometry((8, 7, 4), 4, (2, 3), (1, 3), (3, 2), (0, 4, 3, 4))),
    ("dw_multiplier", True, Geometry((4, 4, 3), 6, (3, 3), pads=(1, 1, 1, 1))),
]


def conv_fixtures():
    rows = []
    for name, is_depthwise, g in GEOMETRIES:
        per = g.kernel[0] * g.kernel[1] * (1 if is_depthwise else g.in_hwc[2])
        zx, zy = rng.choice([-128, 0, 127, rng.randint(-128, 127)]), rng.randint(-20, 20)
        x, w = codes(g.in_hwc[0] * g.in_hwc[1] * g.in_hwc[2]), codes(per * g.out_c, -127)
        bias = biases(g.out_c)
        r = multipliers(g.out_c, .01 / per ** .5)
        acc = (depthwise if is_depthwise else conv)(g, x, zx, w, bias)
        y = [requantize(v, r[i % g.out_c], zy, -128, 127) for i, v in enumerate(acc)]
        print()
        array("int8_t", f"{name}_x", x)
        array("int8_t", f"{name}_w", w)
        array("int32_t", f"{name}_bias", bias)
        array("uint32_t", f"{name}_r", [f"0x{v:08x}u" for v in r])
        array("int32_t", f"{name}_acc", acc)
        array("int8_t", f"{name}_y", y)
        ih, iw, ic = g.in_hwc
        rows.append((f'"{name}"', int(is_depthwise),
                     "{" + ", ".join(map(str, (ih, iw, ic, g.out_h, g.out_w, g.out_c, *g.kernel,
                                               *g.stride, *g.dilation, *g.pads[:2], 0))) + "}",
                     zx, zy, *(f"{name}_{part}" for part in ("x", "w", "bias", "r", "acc", "y"))))
    print()
    struct_array("ConvFixture", "conv_fixtures", rows)


def mean_fixtures():
    pixels, channels = 12, 21
    x = codes(pixels * channels)
    sums = [sum(x[p * channels + c] for p in range(pixels)) for c in range(channels)]
    r, zx, zy = bits_of(1.3 / pixels), -7, 3
    y = [requantize(s - pixels * zx, r, zy, -128, 127) for s in sums]
    print("\nenum { mean_pixels = %d, mean_channels = %d, mean_x_zp = %d, mean_y_zp = %d };"
          % (pixels, channels, zx, zy))
    print(f"static const uint32_t mean_r = 0x{r:08x}u;")
    array("int8_t", "mean_x", x)
    array("int32_t", "mean_sums", sums)
    array("int8_t", "mean_y", y)


# ---- a whole model, from docs/FORMAT.md ----------------------------------------------------------

NONE = 0xffffffff
CONV, DEPTHWISE, DENSE, ADD, MEAN = 1, 2, 3, 4, 5
MUL, MAXPOOL, AVGPOOL, TABLE, CONCAT, PAD, UPSAMPLE, SOFTMAX, RESHAPE = range(6, 15)


class Model:
    def __init__(self):
        self.tensors, self.ops, self.constants, self.strings = [], [], b"", b""

    def string(self, text):
        self.strings += text.encode() + b"\0"
        return len(self.strings) - len(text) - 1

    def constant(self, kind, values):
        self.constants += bytes(-len(self.constants) % 16)
        offset = len(self.constants)
        self.constants += struct.pack(f"<{len(values)}{kind}", *values)
        return offset

    def tensor(self, name, hwc, zero_point, scale, offset):
        self.tensors.append(struct.pack("<IIIIiIII", self.string(name), *hwc, zero_point,
                                        bits_of(scale), offset, 0))
        return len(self.tensors) - 1

    def op(self, kind, name, inputs, output, g=None, weights=NONE, bias=NONE, requant=NONE,
           lo=-128, hi=127, m=(0, 0, 0), window=None):
        window = window or [0] * 11
        if g is not None:
            window = [*g.kernel, *g.stride, *g.dilation, *g.pads, 0]
            window[10] = g.out_c // g.in_hwc[2] if kind == DEPTHWISE else 0
        more = (inputs + [NONE] * 6)[2:8]
        inputs = (inputs + [NONE])[:2]
        record = struct.pack("<HHIIII", kind, 0, self.string(name), *inputs, output)
        record += struct.pack("<12H", *window, 0)
        record += struct.pack("<IIIii", weights, bias, requant, lo, hi)
        record += (struct.pack("<6I", *more) if kind == CONCAT else struct.pack("<3i", *m) + bytes(12)) + bytes(8)
        assert len(record) == 96
        self.ops.append(record)

    def file(self, input_id, output_id, activation_bytes, class_count):
        parts = [(b"TENS", b"".join(self.tensors)), (b"OPS ", b"".join(self.ops)),
                 (b"CONS", self.constants), (b"STRS", self.strings), (b"NOTE", b"skipped")]
        end, table, body = 48 + 16 * len(parts), b"", b""
        for tag, data in parts:
            pad = -end % 16
            body += bytes(pad) + data
            table += tag + struct.pack("<III", int(tag != b"NOTE"), end + pad, len(data))
            end += pad + len(data)
        head = struct.pack("<4sII", b"HONE", 1, end)
        tail = struct.pack("<IIIIIIII", 0, input_id, output_id, activation_bytes, class_count,
                           len(parts), 0, 0)
        crc = zlib.crc32(head + bytes(4) + tail + table + body)
        return head + struct.pack("<I", crc) + tail + table + body


def model_fixture():
    """conv 3x3 s2 -> depthwise -> pointwise -> add (in place) -> mean -> dense."""
    m, zp = Model(), {"x": 0, "a": -128, "d": -5, "p": 4, "s": 11, "v": -20, "y": 7}
    shape = {"x": (9, 8, 3), "a": (5, 4, 12), "d": (5, 4, 12), "p": (5, 4, 12), "s": (5, 4, 12),
             "v": (1, 1, 12), "y": (1, 1, 10)}
    offset = {"x": 496, "a": 0, "d": 240, "p": 480, "s": 0, "v": 256, "y": 272}
    ids = {n: m.tensor(n, shape[n], zp[n], .05, offset[n]) for n in shape}
    value = {"x": codes(9 * 8 * 3)}

    def layer(kind, name, x, y, g, lo, plain=False):
        per = g.kernel[0] * g.kernel[1] * (1 if kind == DEPTHWISE else g.in_hwc[2])
        w, b, r = codes(per * g.out_c, -127), biases(g.out_c), multipliers(g.out_c, .01 / per ** .5)
        if plain:
            b = [0] * g.out_c
        acc = (depthwise if kind == DEPTHWISE else conv)(g, value[x], zp[x], w, b)
        value[y] = [requantize(v, r[i % g.out_c], zp[y], lo, 127) for i, v in enumerate(acc)]
        m.op(kind, name, [ids[x]], ids[y], None if kind == DENSE else g, m.constant("b", w),
             NONE if plain else m.constant("i", b), m.constant("I", [word_of(v) for v in r]), lo)

    layer(CONV, "stem", "x", "a", Geometry((9, 8, 3), 12, (3, 3), (2, 2), pads=(1, 0, 1, 1)), -128)
    layer(DEPTHWISE, "dw", "a", "d", Geometry((5, 4, 12), 12, (3, 3), pads=(1, 1, 1, 1)), -5)
    layer(CONV, "project", "d", "p", Geometry((5, 4, 12), 12, (1, 1)), -128, plain=True)
    r1, r2 = bits_of(.8), bits_of(.45)
    ms = add_multipliers(r1, r2)
    value["s"] = [add(a, b, zp["a"], zp["p"], ms, zp["s"], -128, 127)
                  for a, b in zip(value["a"], value["p"])]
    m.op(ADD, "join", [ids["a"], ids["p"]], ids["s"], m=ms)
    r = bits_of(1.1 / 20)
    value["v"] = [requantize(sum(value["s"][p * 12 + c] - zp["s"] for p in range(20)), r, zp["v"],
                             -128, 127) for c in range(12)]
    m.op(MEAN, "pool", [ids["s"]], ids["v"], requant=m.constant("I", [word_of(r)]))
    layer(DENSE, "logits", "v", "y", Geometry((1, 1, 12), 10, (1, 1)), -128)
    data = m.file(ids["x"], ids["y"], 720, 10)
    print("\n/* A .hone file, its input and what every op computes. */")
    array("uint8_t", "model_file", list(data))
    array("int8_t", "model_x", value["x"])
    for n in "adpsvy":
        array("int8_t", f"model_{n}", value[n])


def average(values):
    """Rounded to nearest, halves away from zero."""
    exact = Fraction(sum(values), len(values))
    return round_half_up(exact) if exact > 0 else -round_half_up(-exact)


def pool(g, x, function):
    _, iw, c = g.in_hwc
    return [function([x[(iy * iw + ix) * c + o] for _, _, iy, ix in g.taps(oy, ox)])
            for oy, ox in g.pixels() for o in range(c)]


def softmax(table, x):
    e = [table[max(x) - v] for v in x]
    codes = [min(floor(Fraction(256 * v + sum(e) // 2, sum(e))) - 128, 127) for v in e]
    top = max(max(codes), -127)
    return [top if v == max(x) else min(code, top - 1) for v, code in zip(x, codes)]


def pixels_of(x, c):
    return [x[i:i + c] for i in range(0, len(x), c)]


def layers_fixture():
    """Every kind from MUL on:

    x > table (in place) > maximum --+--> concat of 5 > mean
                    \\---> average --+           |        |
                                                +-----> mul of channels > mul with itself (in place)
        > padded > doubled > reshaped (in place) > softmax """
    m, keep, zt = Model(), (-9, .07), -9
    window = Geometry((6, 5, 3), 3, (3, 2), (2, 1), pads=(1, 0, 1, 1))
    h, w = window.out_h, window.out_w
    shape = {"x": (6, 5, 3), "t": (6, 5, 3), "p": (h, w, 3), "a": (h, w, 3), "c": (h, w, 15),
             "v": (1, 1, 15), "s": (h, w, 15), "q": (h, w, 15), "z": (h + 1, w + 2, 15),
             "u": (2 * h + 2, w + 2, 15), "r": (h + 1, w + 2, 30), "y": (h + 1, w + 2, 30)}
    grid = {"x": (3, .05), "t": keep, "p": keep, "a": keep, "c": keep, "v": (40, .02), "s": (5, .01),
            "q": (-20, .03), "z": (-20, .03), "u": (-20, .03), "r": (-20, .03), "y": (-128, 1 / 256)}
    offset, end = {}, 0
    for n in shape:
        offset[n] = {"t": offset.get("x"), "q": offset.get("s"), "r": offset.get("u")}.get(n, end)
        end = max(end, offset[n] + shape[n][0] * shape[n][1] * shape[n][2])
    ids = {n: m.tensor(n, shape[n], *grid[n], offset[n]) for n in shape}
    zp = {n: grid[n][0] for n in shape}
    value = {"x": codes(6 * 5 * 3)}
    table = codes(256)
    value["t"] = [table[v + 128] for v in value["x"]]
    m.op(TABLE, "table", [ids["x"]], ids["t"], weights=m.constant("b", table))
    value["p"] = pool(window, value["t"], max)
    m.op(MAXPOOL, "maximum", [ids["t"]], ids["p"], window)
    value["a"] = pool(window, value["t"], average)
    m.op(AVGPOOL, "average", [ids["t"]], ids["a"], window)
    parts = "papap"
    value["c"] = [v for i in range(h * w) for n in parts for v in value[n][3 * i:3 * i + 3]]
    m.op(CONCAT, "concat", [ids[n] for n in parts], ids["c"])
    r = bits_of(1.7 / (h * w))
    value["v"] = [requantize(sum(p[o] - zt for p in pixels_of(value["c"], 15)), r, zp["v"], -128, 127)
                  for o in range(15)]
    m.op(MEAN, "mean", [ids["c"]], ids["v"], requant=m.constant("I", [word_of(r)]))
    r = bits_of(.013)
    value["s"] = [requantize((v - zt) * (value["v"][i % 15] - zp["v"]), r, zp["s"], -100, 120)
                  for i, v in enumerate(value["c"])]
    m.op(MUL, "scaled", [ids["c"], ids["v"]], ids["s"], requant=m.constant("I", [word_of(r)]), lo=-100,
         hi=120)
    r = bits_of(.009)
    value["q"] = [requantize((v - zp["s"]) ** 2, r, zp["q"], -128, 127) for v in value["s"]]
    m.op(MUL, "squared", [ids["s"], ids["s"]], ids["q"], requant=m.constant("I", [word_of(r)]))
    rows = [[zp["q"]] * 15 + value["q"][i * w * 15:(i + 1) * w * 15] + [zp["q"]] * 15 for i in range(h)]
    rows.append([zp["q"]] * ((w + 2) * 15))
    value["z"] = [v for row in rows for v in row]
    m.op(PAD, "padded", [ids["q"]], ids["z"], window=[0] * 6 + [0, 1, 1, 1, 0])
    value["u"] = [v for row in rows for _ in range(2) for v in row]
    m.op(UPSAMPLE, "doubled", [ids["z"]], ids["u"], window=[0, 0, 2, 1] + [0] * 7)
    value["r"] = value["u"]
    m.op(RESHAPE, "reshaped", [ids["u"]], ids["r"])
    exponentials = [floor(2**23 * .97**d) for d in range(256)]
    value["y"] = [v for row in pixels_of(value["r"], 30) for v in softmax(exponentials, row)]
    m.op(SOFTMAX, "softmax", [ids["r"]], ids["y"], requant=m.constant("I", exponentials))
    print("\n/* A second one, of the kinds from MUL on. */")
    array("uint8_t", "layers_file", list(m.file(ids["x"], ids["y"], end, 0)))
    for n in shape:
        array("int8_t", f"layers_{n}", value[n])


def main():
    print("/* Made by tests/oracle/integer_ops.py; do not edit.\n"
          " * SPDX-License-Identifier: Apache-2.0 */")
    print("#ifndef HONE_TESTS_ORACLE_FIXTURES_H\n#define HONE_TESTS_ORACLE_FIXTURES_H\n")
    print('#include <stdint.h>\n\n#include "runtime/kernels.h"\n')
    print("typedef struct RequantizeFixture {\n    int32_t acc;\n    uint32_t bits;\n"
          "    int32_t zero_point, lo, hi;\n    uint32_t word;\n    int32_t y;\n"
          "} RequantizeFixture;\n")
    print("typedef struct AddFixture {\n    uint32_t r1, r2;\n"
          "    int32_t m1, m2, k;\n    int32_t a, b, a_zp, b_zp, y_zp, lo, hi, y;\n} AddFixture;\n")
    print("typedef struct ConvFixture {\n    const char *name;\n    int depthwise;\n"
          "    HoneRtConv g;\n    int32_t x_zp, y_zp;\n    const int8_t *x, *w;\n    const int32_t *bias;\n"
          "    const uint32_t *r;\n    const int32_t *acc;\n    const int8_t *y;\n} ConvFixture;\n")
    requantize_fixtures()
    add_fixtures()
    conv_fixtures()
    mean_fixtures()
    model_fixture()
    layers_fixture()
    print("\n#endif")


if __name__ == "__main__":
    main()
