#!/bin/bash
# Checks who includes whom: folders only look down (the table below), every library has one door,
# every header compiles alone. Prints "file:line: what is wrong" for each
# violation; exit status 1 when there is one. CC chooses the compiler.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "$0")/.."
folders='core layers models optim qat prune distill datasets store report trainer export runtime api cli tests bench fuzz examples'

# ---- rules --------------------------------------------------------------------------------------

# Folder: folders it may include beside itself. `runtime` alone means its public header runtime.h;
# the leaf headers fixed.h, program.h, kernels.h and frontend.h are everybody's.
rules='
runtime:
core:
layers:   core
optim:    core
prune:    core
datasets: core
distill:  core
models:   core layers
qat:      core layers
store:    core layers models
report:   core
export:   core layers qat runtime
trainer:  core layers models optim qat prune distill datasets store report export runtime
api:      core layers optim qat export runtime
cli:      *
tests:    *
bench:    *
fuzz:     *
examples: *
'
# Library header: the files that may include it.
doors='
cblas.h    core/blas.*
yaml.h     trainer/yaml.*
hdf5.h     store/* datasets/hdf5_file.c tests/test_store_damage.c tests/hdf5_calls.*
check.h    tests/*
jpeglib.h  datasets/image_jpeg.c
png.h      datasets/image_png.c
zlib.h     datasets/gzip.c
'

found=$(for folder in $folders; do
    if [ -d "$folder" ]; then find "$folder" -name '*.[ch]'; fi
done | sort)

violations() {
    # shellcheck disable=SC2086
    awk -v rules="$rules" -v doors="$doors" '
    function fail(what) { printf "%s:%d: %s\n", FILENAME, FNR, what }
    function matches(name, pattern) {
        gsub(/\./, "\\.", pattern); gsub(/\*/, ".*", pattern)
        return name ~ ("^" pattern "$")
    }
    BEGIN {
        n = split(rules, line, "\n")
        for (i = 1; i <= n; i++) {
            m = split(line[i], word, /[: ]+/)
            for (j = 2; j <= m; j++) may[word[1], word[j]] = 1
        }
        n = split(doors, line, "\n")
        for (i = 1; i <= n; i++) if (split(line[i], word, / +/) > 1) door[word[1]] = line[i]
    }
    function exists(path,   text, ok) { ok = (getline text < path) >= 0; close(path); return ok }

    /^[ \t]*#[ \t]*include[ \t]*</ {
        name = $0; sub(/^[^<]*</, "", name); sub(/>.*/, "", name)
        base = name; sub(/.*\//, "", base)
        if (base in door) {
            allowed = 0; list = ""
            m = split(door[base], word, / +/)
            for (j = 2; j <= m; j++) {
                list = list " " word[j]
                if (matches(FILENAME, word[j])) allowed = 1
            }
            if (!allowed) fail("<" name "> is for" list " only")
        }
    }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
        name = $0; sub(/^[^"]*"/, "", name); sub(/".*/, "", name)
        from = FILENAME; sub(/\/.*/, "", from)
        # The runtime can be copied elsewhere as it is: it names its files without the folder.
        if (name !~ /\// && from == "runtime") name = "runtime/" name
        to = name; sub(/\/.*/, "", to)
        if (name !~ /\//) fail("\"" name "\" is not a path from the project root")
        else if (!exists(name)) fail("\"" name "\" does not exist")
        else if (name ~ /\.c$/) fail("\"" name "\" is a source file, which the build compiles itself")
        else if (to == from || (from, "*") in may) next
        else if (name ~ /^runtime\/(fixed|program|kernels|frontend)\.h$/) next
        else if (to == "runtime" && (from, to) in may && name == "runtime/runtime.h") next
        else if (to != "runtime" && (from, to) in may) next
        else fail(from "/ may not include \"" name "\"")
    }' $found
}

# ---- headers compile alone ----------------------------------------------------------------------

# Prints what the compiler says about one header.
alone() {
    case $1 in runtime/*) std=c99 ;; *) std=c11 ;; esac
    # shellcheck disable=SC2086
    "${CC:-cc}" -std=$std -D_POSIX_C_SOURCE=200809L -I. $hdf5 -Wall -Wextra -Werror \
        -Wno-unused-function -Wno-unused-const-variable -fsyntax-only -x c - 2>&1 \
        <<<"#include \"$1\"" | sed "s|^In file included from <stdin>:.*|$1:1: does not compile alone:|"
}
export -f alone
hdf5=$(pkg-config --cflags hdf5 2>/dev/null || true)
export hdf5 CC=${CC:-cc}

# A *_body.h is a piece of the sources that include it with their own macros set.
headers=$(grep '\.h$' <<<"$found" | grep -v '_body\.h$' || true)
bad=$(violations; xargs -r -n1 -P"$(nproc)" bash -c 'alone "$1"' _ <<<"$headers")
if [ -n "$bad" ]; then
    printf '%s\n' "$bad"
    echo "includes: broken rules, see above (tools/check_includes.sh has the table)" >&2
    exit 1
fi
echo "includes: $(wc -w <<<"$found") files, $(wc -w <<<"$headers") headers compile alone, all rules kept"
