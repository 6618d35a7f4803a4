#!/usr/bin/python3
"""Writes tests/oracle/image_fixtures.h: small JPEG and PNG files with the pixels that Pillow decodes
from them, and resized images computed with NumPy (area, from its definition) and PyTorch (bilinear).

    tests/oracle/images.py >tests/oracle/image_fixtures.h

SPDX-License-Identifier: Apache-2.0"""
import io
import struct
import zlib

import numpy as np
import torch
from PIL import Image

rng = np.random.default_rng(7)


def smooth(height, width, channels):
    """Waves: something that JPEG keeps well."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [128 + 90 * np.sin(0.4 * x + 0.3 * y * (c + 1) + c) for c in range(channels)]
    return np.stack(planes, -1).astype(np.uint8).squeeze()


def saved(image, **how):
    out = io.BytesIO()
    image.save(out, **how)
    return out.getvalue()


def interlaced(pixels):
    """PNG with Adam7 passes, which Pillow reads but does not write."""
    height, width, _ = pixels.shape
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
              (1, 0, 2, 1)]
    rows = b''.join(b'\0' + row.tobytes() for y, x, dy, dx in passes
                    for row in pixels[y::dy, x::dx] if row.size)

    def chunk(tag, data):
        return struct.pack('>I', len(data)) + tag + data + struct.pack('>I', zlib.crc32(tag + data))
    head = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 1)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(rows)) +
            chunk(b'IEND', b''))


def files():
    rgb, gray = smooth(9, 13, 3), smooth(10, 8, 1)
    yield 'jpeg_colour', saved(Image.fromarray(rgb), format='JPEG', quality=90), 'RGB'
    yield 'jpeg_progressive', saved(Image.fromarray(rgb), format='JPEG', progressive=True), 'RGB'
    yield 'jpeg_gray', saved(Image.fromarray(gray), format='JPEG', quality=80), 'L'
    noise = rng.integers(0, 256, (5, 7, 4), np.uint8)
    yield 'png_colour', saved(Image.fromarray(noise[..., :3].copy()), format='PNG'), 'RGB'
    yield 'png_alpha', saved(Image.fromarray(noise), format='PNG'), 'RGB'
    yield 'png_gray', saved(Image.fromarray(noise[..., 0].copy()), format='PNG'), 'L'
    yield 'png_palette', saved(Image.fromarray(rgb).quantize(9), format='PNG'), 'RGB'
    yield 'png_bits', saved(Image.fromarray(gray).convert('1'), format='PNG'), 'L'
    yield 'png_interlaced', interlaced(noise[..., :3]), 'RGB'


def area(pixels, axis, n):
    """Each pixel n times, then means of as many as there were pixels."""
    m = pixels.shape[axis]
    repeated = np.repeat(pixels.astype(np.float64), n, axis)
    shape = list(pixels.shape)
    shape[axis:axis + 1] = [n, m]
    return repeated.reshape(shape).mean(axis + 1)


def linear(pixels, axis, n):
    moved = torch.from_numpy(np.moveaxis(pixels.astype(np.float64), axis, -1).copy())
    flat = moved.reshape(1, -1, moved.shape[-1])
    out = torch.nn.functional.interpolate(flat, n, mode='linear', align_corners=False)
    return np.moveaxis(out.reshape(*moved.shape[:-1], n).numpy(), -1, axis)


def resized(pixels, size):
    for axis, n in enumerate(size):
        pixels = (area if pixels.shape[axis] >= n else linear)(pixels, axis, n)
    return pixels


def line_up(numbers, form):
    text, line = '', '   '
    for number in numbers:
        word = ' ' + format(number, form) + ','
        if len(line) + len(word) > 99:
            text, line = text + line + '\n', '   '
        line += word
    return text + line + '\n'


print('/* Images and what outside programs make of them; written by images.py.\n'
      ' * SPDX-License-Identifier: Apache-2.0 */\n'
      '#ifndef HONE_TESTS_ORACLE_IMAGE_FIXTURES_H\n#define HONE_TESTS_ORACLE_IMAGE_FIXTURES_H\n\n'
      '#include <stddef.h>\n#include <stdint.h>\n')
table = []
for name, data, mode in files():
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert(mode))
    height, width = pixels.shape[:2]
    print(f'static const uint8_t {name}[] = {{\n{line_up(data, "d")}}};')
    print(f'static const uint8_t {name}_pixels[] = {{\n{line_up(pixels.flatten(), "d")}}};\n')
    table.append(f'    {{"{name}", {name}, sizeof {name}, {height}, {width}, '
                 f'{1 if mode == "L" else 3}, {name}_pixels}},')
print('static const struct ImageFixture {\n    const char *name;\n    const uint8_t *bytes;\n'
      '    size_t count;\n    int height, width, channels;\n    const uint8_t *pixels;\n'
      '} image_files[] = {')
print('\n'.join(table) + '\n};\n')
cmyk = saved(Image.fromarray(smooth(4, 4, 3)).convert('CMYK'), format='JPEG')
print(f'static const uint8_t jpeg_cmyk[] = {{\n{line_up(cmyk, "d")}}};\n')
source = rng.integers(0, 256, (6, 9, 3), np.uint8)
print(f'/* [6][9][3], and resized */\nstatic const uint8_t resize_source[] = '
      f'{{\n{line_up(source.flatten(), "d")}}};\n')
table = []
for size in (3, 3), (4, 5), (6, 9), (11, 16), (4, 20), (13, 2), (1, 1):
    name = f'resized_{size[0]}x{size[1]}'
    print(f'static const double {name}[] = {{\n'
          f'{line_up(resized(source, size).flatten(), ".3f")}}};')
    table.append(f'    {{{size[0]}, {size[1]}, {name}}},')
print('static const struct ResizeFixture {\n    int height, width;\n    const double *values;\n'
      '} resized[] = {')
print('\n'.join(table) + '\n};\n\n#endif')
