#!/usr/bin/env python3
"""Sums up what gcov counted, per folder and in total.

usage: coverage.py [--missing] BUILD FOLDER...      (run by `make cov`)

Reads the .gcda files under BUILD through `gcov --json-format --stdout`. A line counts as covered when
any object that holds it ran it; a branch likewise. The branches of assert() do not count: the one that
is never taken ends the program. Everything else counts, `default:` labels and the failures of
allocations too. --missing lists the lines instead that never ran and those with a branch never taken.
SPDX-License-Identifier: Apache-2.0
"""
import collections
import json
import pathlib
import re
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


def asserted(text):
    """The numbers of the lines that hold an assertion, from its name to its last parenthesis."""
    found = set()
    for match in re.finditer(r"\bassert\(", text):
        depth, end = 1, match.end()
        while depth and end < len(text):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        first = text.count("\n", 0, match.start()) + 1
        found.update(range(first, first + text.count("\n", match.start(), end) + 1))
    return found


def collected(build, folders):
    """{source: {line: ran}} and {source: {(line, branch): taken}} of the sources in the folders."""
    lines = collections.defaultdict(dict)
    branches = collections.defaultdict(dict)
    for source, ran, taken in counts(build):
        if source.split("/")[0] not in folders:
            continue
        for merged, new in ((lines[source], ran), (branches[source], taken)):
            for key, hit in new.items():
                merged[key] = merged.get(key, False) or hit
    for source in lines:
        ends = asserted(pathlib.Path(source).read_text())
        branches[source] = {key: hit for key, hit in branches[source].items() if key[0] not in ends}
    return lines, branches


def list_missing(lines, branches):
    for source in sorted(lines):
        code = pathlib.Path(source).read_text().splitlines()
        missed = collections.Counter(key[0] for key, hit in branches[source].items() if not hit)
        for number in sorted(lines[source]):
            if not lines[source][number]:
                print(f"{source}:{number}: never: {code[number - 1].strip()}")
            elif missed[number]:
                print(f"{source}:{number}: {missed[number]} not taken: {code[number - 1].strip()}")


def main():
    arguments = [a for a in sys.argv[1:] if a != "--missing"]
    build, folders = arguments[0], arguments[1:]
    lines, branches = collected(build, folders)
    if "--missing" in sys.argv:
        list_missing(lines, branches)
        return

    def row(name, sources):
        line = [hit for s in sources for hit in lines[s].values()]
        branch = [hit for s in sources for hit in branches[s].values()]
        if line:
            print(f"{name:24} {100 * sum(line) / len(line):5.1f}% of {len(line):6} lines "
                  f"{100 * sum(branch) / max(1, len(branch)):5.1f}% of {len(branch):6} branches")

    every = sorted(lines)
    for folder in folders:
        mine = [s for s in every if s.startswith(folder + "/")]
        for source in mine:
            row(source, [source])
        row(f"{folder}/", mine)
    row("total", every)


if __name__ == "__main__":
    main()
