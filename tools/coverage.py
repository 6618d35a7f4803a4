#!/usr/bin/env python3
"""Sums up what gcov counted, per folder and in total.

usage: coverage.py BUILD FOLDER...      (run by `make cov`)

Reads the .gcda files under BUILD through `gcov --json-format --stdout`. A line counts as covered when
any object that holds it ran it; a branch likewise. SPDX-License-Identifier: Apache-2.0
"""
import collections
import json
import pathlib
import subprocess
import sys


def counts(build):
    """Yields (source, {line: ran}, {(line, branch): taken}) of every object file."""
    for data in sorted(pathlib.Path(build).rglob("*.gcda")):
        gcov = subprocess.run(["gcov", "--json-format", "--branch-probabilities", "--stdout", data],
                              stdout=subprocess.PIPE, check=True)
        for report in gcov.stdout.splitlines():
            for file in json.loads(report)["files"]:
                lines, branches = {}, {}
                for line in file["lines"]:
                    number = line["line_number"]
                    lines[number] = line["count"] > 0 or lines.get(number, False)
                    for i, branch in enumerate(line["branches"]):
                        branches[number, i] = branch["count"] > 0
                yield file["file"].removeprefix("./"), lines, branches


def main():
    build, folders = sys.argv[1], sys.argv[2:]
    lines = collections.defaultdict(dict)
    branches = collections.defaultdict(dict)
    for source, ran, taken in counts(build):
        for merged, new in ((lines[source], ran), (branches[source], taken)):
            for key, hit in new.items():
                merged[key] = merged.get(key, False) or hit

    def row(name, sources):
        line = [hit for s in sources for hit in lines[s].values()]
        branch = [hit for s in sources for hit in branches[s].values()]
        if line:
            print(f"{name:24} {100 * sum(line) / len(line):5.1f}% of {len(line):6} lines "
                  f"{100 * sum(branch) / max(1, len(branch)):5.1f}% of {len(branch):6} branches")

    every = [s for s in sorted(lines) if s.split("/")[0] in folders]
    for folder in folders:
        mine = [s for s in every if s.startswith(folder + "/")]
        for source in mine:
            row(source, [source])
        row(f"{folder}/", mine)
    row("total", every)


if __name__ == "__main__":
    main()
