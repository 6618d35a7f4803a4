#!/bin/bash
# Files that the fuzz targets start from: configurations, recordings, an artifact, a checkpoint.
#
#   tools/fuzz_seeds.sh PROGRAM FOLDER      FOLDER gets one folder for each target of fuzz/
#
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
hone=$1 corpus=$2

for target in fuzz/*.c; do
    mkdir -p "$corpus/$(basename "$target" .c)"
done
cp configs/*.yaml tests/cli/*.yaml "$corpus/yaml"

# Two samples of 16 bits, and a chunk to skip; two of float.
printf 'RIFF\62\0\0\0WAVEfmt \20\0\0\0\1\0\1\0@\37\0\0\200>\0\0\2\0\20\0LIST\2\0\0\0abdata\4\0\0\0\1\2\3\4' \
    >"$corpus/wav/pcm.wav"
printf 'RIFF\54\0\0\0WAVEfmt \20\0\0\0\3\0\1\0@\37\0\0\0}\0\0\4\0 \0data\10\0\0\0\0\0\200?\0\0\0\0' \
    >"$corpus/wav/float.wav"

run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT
"$hone" train tests/cli/tiny.yaml --out "$run/run" --quiet >/dev/null
cp "$run"/run/*.hone "$corpus/artifact"
cp "$run/run/last.h5" "$corpus/checkpoint"
