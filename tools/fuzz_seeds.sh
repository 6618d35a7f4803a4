#!/bin/bash
# Files that the fuzz targets start from: configurations, an artifact, a checkpoint.
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

run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT
"$hone" train tests/cli/tiny.yaml --out "$run/run" --quiet >/dev/null
cp "$run"/run/*.hone "$corpus/artifact"
cp "$run/run/last.h5" "$corpus/checkpoint"
