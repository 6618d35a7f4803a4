#!/bin/bash
# Files that the fuzz targets start from: configurations, recordings, arrays, images, an artifact, a
# checkpoint, a log.
#
#   tools/fuzz_seeds.sh PROGRAM FOLDER      FOLDER gets one folder for each target of fuzz/
#
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
hone=$1 corpus=$2

for target in fuzz/*.c; do
    mkdir -p "$corpus/$(basename "$target" .c)"
done
cp configs/*.yaml tests/cli/*.yaml fuzz/*.yaml "$corpus/yaml"

# Two samples of 16 bits, and a chunk to skip; two of float.
printf 'RIFF\62\0\0\0WAVEfmt \20\0\0\0\1\0\1\0@\37\0\0\200>\0\0\2\0\20\0LIST\2\0\0\0abdata\4\0\0\0\1\2\3\4' \
    >"$corpus/wav/pcm.wav"
printf 'RIFF\54\0\0\0WAVEfmt \20\0\0\0\3\0\1\0@\37\0\0\0}\0\0\4\0 \0data\10\0\0\0\0\0\200?\0\0\0\0' \
    >"$corpus/wav/float.wav"

# Arrays, a table, three images of 1x2 pixels, each of which is a seed of a kind.
printf "\x93NUMPY\1\0v\0%-117s\n\1\2\3\4\5\6" \
    "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }" >"$corpus/npy/u1.npy"
printf '1,2.5,0\n-3,4e-1,1\n' >"$corpus/csv/two.csv"
printf '\0\0\10\3\0\0\0\2\0\0\0\1\0\0\0\2\1\2\3\4' >"$corpus/idx/plain"
gzip -nc "$corpus/idx/plain" >"$corpus/idx/zipped"
for name in jpeg_colour jpeg_gray png_colour png_palette png_interlaced; do
    sed -n "/ ${name}\[\]/,/};/p" tests/oracle/image_fixtures.h | sed 1d | grep -oE '[0-9]+' |
        while read -r byte; do printf "\\x$(printf %x "$byte")"; done >"$corpus/image/$name"
done

run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT
"$hone" train tests/cli/tiny.yaml --out "$run/tiny" --quiet >/dev/null
"$hone" train fuzz/every_layer.yaml --out "$run/every" --quiet >/dev/null
cp "$run"/*/*.hone "$corpus/artifact"
cp "$run/tiny/last.h5" "$corpus/checkpoint"
cp "$run/tiny/metrics.jsonl" "$corpus/history"
/usr/bin/python3 tests/oracle/tensors.py "$run"
cp "$run/set.h5" "$corpus/tensors"
