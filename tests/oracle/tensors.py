#!/usr/bin/python3
"""Writes arrays in every form that data sets take, with NumPy and h5py, into a folder:

    tests/oracle/tensors.py FOLDER

Element i, counted with the last index fastest, is (37 i) mod 120 less 0 (uint8) or 50 (all others).
SPDX-License-Identifier: Apache-2.0"""
import sys

import h5py
import numpy as np

folder = sys.argv[1]
shapes = {'u1': (4, 5), 'i1': (3, 2, 4), 'i4': (7,), 'i8': (2, 3, 2, 2), 'f4': (6, 1, 3), 'f8': (5, 4)}


def numbers(kind):
    shape = shapes[kind]
    v = np.arange(np.prod(shape)) * 37 % 120 - (0 if kind == 'u1' else 50)
    return v.reshape(shape).astype(('|' if kind[1] == '1' else '<') + kind)


with h5py.File(f'{folder}/arrays.h5', 'w') as h5:
    for kind in shapes:
        for version in (1, 0), (2, 0), (3, 0):
            for order in 'CF':
                with open(f'{folder}/{kind}_{version[0]}{order}.npy', 'wb') as out:
                    np.lib.format.write_array(out, np.array(numbers(kind), order=order), version)
        h5[kind] = numbers(kind)
    h5.create_dataset('packed', data=numbers('f8'), chunks=(2, 2), compression='gzip')
    h5['big'] = numbers('f8').astype('>f8')
    h5['u2'] = np.zeros(3, '<u2')
    h5['text'] = 'words'
    h5['five'] = np.zeros((1, 1, 1, 1, 1))
    h5.create_dataset('hollow', (1000, 1000), 'f4')
    h5.create_dataset('sparse', (100000, 100000), 'f4', chunks=(2, 2))[0, 0] = 1
    h5.create_group('group')

# A whole set: two classes, whose numbers are 0.25 i - 3 and the like.
x = (np.arange(24).reshape(6, 4) * 0.25 - 3).astype('<f4')
y = np.array([0, 1, 2, 0, 1, 2])
for name, part in ('train', slice(0, 6)), ('test', slice(1, 4)):
    np.save(f'{folder}/x_{name}.npy', x[part])
    np.save(f'{folder}/y_{name}.npy', y[part])
    rows = np.concatenate([x[part], y[part, None]], 1)
    np.savetxt(f'{folder}/{name}.txt', rows, delimiter=',', fmt='%.8g')
    with h5py.File(f'{folder}/set.h5', 'a') as h5:
        h5[f'x_{name}'], h5[f'y_{name}'] = x[part], y[part]
