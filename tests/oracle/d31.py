#!/usr/bin/env python3
"""An oracle for the profile D31: exact integers and rationals, no code or header of ours is read.

    python3 tests/oracle/d31.py > tests/oracle/d31_fixtures.h

Written from the public definition of TensorFlow Lite's quantized kernels (docs/NUMERICS.md, section 5):
a real multiplier is a 31-bit fraction and a power of two; a product is rounded twice, to nearest with
halves up, then to nearest with halves away from zero. tflite_ops.py holds these functions against the
interpreter itself. Deterministic: the same file every time.
SPDX-License-Identifier: Apache-2.0"""
import os
import random
import struct
import sys
from fractions import Fraction
from math import floor, frexp

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import integer_ops as base  # noqa: E402


# ---- the arithmetic ------------------------------------------------------------------------------

def half_up(v):
    return floor(v + Fraction(1, 2))


def half_away(v):
    return half_up(v) if v >= 0 else -half_up(-v)


def double_bits(value):
    return struct.unpack("<Q", struct.pack("<d", value))[0]


def multiplier(real):
    """(m, e): real is about m * 2^(e - 31), m of 31 bits; (0, 0) below 2^-32; None: too large."""
    if real == 0:
        return 0, 0
    fraction, e = frexp(real)
    m = half_up(Fraction(fraction) * 2**31)
    if m == 2**31:
        m, e = 2**30, e + 1
    if e > 30:
        return None
    return (m, e) if e >= -31 else (0, 0)


def rescale(acc, m, e):
    """Two roundings; an accumulator that a left shift takes out of 32 bits saturates."""
    if e > 0:
        acc = max(-2**31, min(2**31 - 1, acc << e))
    high = half_up(Fraction(acc * m, 2**31))
    return half_away(Fraction(high, 2**-min(e, 0)))


def code(acc, m, e, zero_point, lo, hi):
    return base.clamp(rescale(acc, m, e) + zero_point, lo, hi)


def mean_multiplier(x, y, n):
    """Of a mean over n positions: that of x / y, divided by n."""
    m, e = multiplier(x / y)
    k = min(n.bit_length() - 1, 32, 31 + e)
    return (m << k) // n, e - k


def add_multipliers(a, b, y):
    """Of the operands and of the sum; scales are float32 values in doubles."""
    twice = 2 * max(a, b)
    return [multiplier(v) for v in (a / twice, b / twice, twice / (2**20 * y))]


def add(a, b, za, zb, m, zy, lo, hi):
    total = sum(rescale((v - z) << 20, *m[i]) for i, (v, z) in enumerate(((a, za), (b, zb))))
    return code(total, *m[2], zy, lo, hi)


# ---- fixtures ------------------------------------------------------------------------------------

def float32(v):
    return struct.unpack("<f", struct.pack("<f", v))[0]


def rescale_fixtures(rng):
    reals = [1.0, .5, .25, .75, .3, 1 / 3, .001, 2.0, 3.7, 1000.5, 2.0**29, 2.0**-31, 2.0**-32, 1.9 * 2.0**-32,
             2.0**-33, 1e-300, 5e-324, 0.0, 1 - 2.0**-33, 1 - 2.0**-32, .5 - 2.0**-34, .5 + 2.0**-31,
             1 - 2.0**-53, 2.0**29 * (2 - 2.0**-30)]
    accs = [0, 1, -1, 2, -2, 3, -3, 2**31 - 1, -2**31, 2**30, -2**30, 2**29 + 1, -2**29 - 1]
    rows = [(acc, r, rng.choice([0, 5, -128, 127]), -128, 127) for r in reals for acc in accs]
    rows += [(acc, 2.0**-k, 0, -128, 127) for k in range(1, 8) for acc in range(-2 * k - 3, 2 * k + 4)]
    for _ in range(300):
        r = 2 ** rng.uniform(-16, 2)
        acc = base.clamp(floor(rng.uniform(-140, 140) / r), -2**31, 2**31 - 1)
        rows.append((acc, r, rng.randint(-128, 127), rng.choice([-128, -10]), rng.choice([127, 60])))
    print("/* Real multipliers as double bits; m, e; what the accumulator becomes. */")
    base.struct_array("D31Fixture", "d31_fixtures", [
        (base.lowest(acc), f"0x{double_bits(r):016x}u", z, lo, hi, *multiplier(r),
         code(acc, *multiplier(r), z, lo, hi)) for acc, r, z, lo, hi in rows])


def add_fixtures(rng):
    scales = [(1., 1., 1.), (.5, .25, .6), (.1, 1e-6, .1), (1e-9, .7, .7), (3., .01, .004)]
    scales += [tuple(2 ** rng.uniform(-6, 3) for _ in range(3)) for _ in range(60)]
    rows = []
    for triple in scales:
        a, b, y = map(float32, triple)
        m = add_multipliers(a, b, y)
        for _ in range(6):
            va, vb, za, zb, zy = (rng.randint(-128, 127) for _ in range(5))
            lo = rng.choice([-128, zy])
            rows.append((*(f"0x{base.bits_of(v):08x}u" for v in (a, b, y)),
                         "{" + ", ".join(str(v[0]) for v in m) + "}",
                         "{" + ", ".join(str(v[1]) for v in m) + "}", va, vb, za, zb, zy, lo, 127,
                         add(va, vb, za, zb, m, zy, lo, 127)))
    print("\n/* Scales of a, b and y as float bits; multipliers and shifts; a, b; zero points; clamp; y. */")
    base.struct_array("D31AddFixture", "d31_add_fixtures", rows)


def mean_fixtures(rng):
    rows = []
    for n in [1, 2, 3, 4, 7, 9, 16, 49, 64, 100, 1024, 12345, 8421504]:
        for _ in range(3):
            x, y = (float32(2 ** rng.uniform(-8, 2)) for _ in range(2))
            rows.append((*(f"0x{base.bits_of(v):08x}u" for v in (x, y)), n,
                         *mean_multiplier(x, y, n)))
    print("\n/* Scales of x and y as float bits; positions; multiplier, shift. */")
    base.struct_array("D31MeanFixture", "d31_mean_fixtures", rows)


HEAD = '''/* Made by tests/oracle/d31.py; do not edit.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_ORACLE_D31_FIXTURES_H
#define HONE_TESTS_ORACLE_D31_FIXTURES_H

#include <stdint.h>

typedef struct D31Fixture {
    int32_t acc;
    uint64_t real;
    int32_t zero_point, lo, hi, m, e, y;
} D31Fixture;

typedef struct D31AddFixture {
    uint32_t scale_a, scale_b, scale_y;
    int32_t m[3], e[3], a, b, a_zp, b_zp, y_zp, lo, hi, y;
} D31AddFixture;

typedef struct D31MeanFixture {
    uint32_t scale_x, scale_y;
    int32_t n, m, e;
} D31MeanFixture;
'''


def main():
    rng = random.Random(20261121)
    print(HEAD)
    rescale_fixtures(rng)
    add_fixtures(rng)
    mean_fixtures(rng)
    print("\n#endif")


if __name__ == "__main__":
    main()
