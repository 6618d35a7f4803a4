#!/bin/sh
# Runs a recipe from its first step to a verified integer model, and shows what came out.
# usage: tools/demo.sh CONFIG; each run gets a folder of its own. SPDX-License-Identifier: Apache-2.0
set -eu
config=${1:-configs/mobilenet_qat.yaml}

say() { printf '\n== %s\n' "$*"; }

say "./train $config"
./train "$config"

# The run that ended last is the one that has just ended.
summary=$(ls -t runs/*/summary.json | head -n 1)
run=${summary%/summary.json}

say "./hone inspect $run/model.hone"
./hone inspect "$run/model.hone"

say "./hone verify $run/model.hone $run/last.h5"
./hone verify "$run/model.hone" "$run/last.h5"

say "$summary"
cat "$summary"
