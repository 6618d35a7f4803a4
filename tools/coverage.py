#!/usr/bin/env python3
"""Lines and branches that the tests reach, per folder and in total.

    tools/coverage.py --measure build/cov core layers          run all suites, then the table (`make cov`)
    tools/coverage.py --measure --suites fuse store -- build/cov core     these anew, the others as they were
    tools/coverage.py --missing build/cov core                 what is not covered, line by line

Each suite runs by itself, and gcov's counts of it are kept in BUILD/coverage/SUITE.json (with a level in
HONE_CPU, in SUITE@LEVEL.json); the table is of all files there. Counts of a source that has changed since
are left out. tools/mutate.py takes the same files for what a suite can notice.

A line is covered when any object that holds it ran it. A branch is one of gcov's, each side of a decision,
as the compiler made them, in the files of one folder; copies of a line that were compiled to equally many
branches are one. The branches of assert() and HONE_RT_ASSERT() do not count: the one that is never taken ends the program.
Everything else counts, `default:` labels and the failures of allocations too.
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import collections
import concurrent.futures
import fnmatch
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys


def fingerprint(source):
    return hashlib.sha256(pathlib.Path(source).read_bytes()).hexdigest()[:16]


def counts(folder, folders):
    """What gcov says of the .gcda files under a folder: {source: (lines, branches)}."""
    found = {}
    data = [str(p) for f in folders for p in sorted((folder / f).rglob("*.gcda"))]
    gcov = subprocess.run(["gcov", "--json-format", "--branch-probabilities", "--stdout", *data],
                          stdout=subprocess.PIPE, check=True)
    for report in gcov.stdout.splitlines():
        for file in json.loads(report)["files"]:
            source = os.path.normpath(file["file"])
            if source.split("/")[0] not in folders:
                continue
            lines, branches = found.setdefault(source, ({}, {}))
            for line in file["lines"]:
                number, sides = line["line_number"], line["branches"]
                lines[number] = lines.get(number, False) or line["count"] > 0
                for i, side in enumerate(sides):
                    key = f"{number} {len(sides)} {i}"
                    branches[key] = branches.get(key, False) or side["count"] > 0
    return found


def measure(build, suite, folders):
    """Runs one suite and keeps its counts; returns what it printed when it failed."""
    name = suite + ("@" + os.environ["HONE_CPU"] if "HONE_CPU" in os.environ else "")
    place = (build / "coverage" / name).resolve()
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    strip = len((pathlib.Path.cwd() / build).parts) - 1
    test = subprocess.run([build / "tests/run", suite], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace",
                          env=dict(os.environ, GCOV_PREFIX=str(place), GCOV_PREFIX_STRIP=str(strip)))
    for folder in folders:
        for notes in (build / folder).glob("*.gcno"):
            (place / folder).mkdir(exist_ok=True)
            (place / folder / notes.name).symlink_to(notes.resolve())
    built = os.path.getmtime(build / "tests/run")
    kept = {source: {"text": fingerprint(source), "lines": lines, "branches": branches}
            for source, (lines, branches) in counts(place, folders).items()
            if os.path.getmtime(source) <= built}  # else it is not what was compiled
    (build / "coverage" / (name + ".json")).write_text(json.dumps(kept))
    shutil.rmtree(place)
    print(f"  {name}: {test.stdout.splitlines()[-1]}", flush=True)
    return test.stdout if test.returncode != 0 else ""


def measure_all(build, suites, folders, jobs):
    """Runs suites side by side; ends the program when one fails."""
    every = re.findall(r"^SUITE\((\w+)\)", pathlib.Path("tests/suites.def").read_text(), re.M)
    chosen = [s for s in every if any(fnmatch.fnmatchcase(s, p) for p in suites or ["*"])]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        said = pool.map(lambda s: measure(build, s, folders), chosen)
        failed = "\n".join(filter(None, said))
    if failed:
        sys.exit(failed)


def asserted(text):
    """The numbers of the lines that hold an assertion, from its name to its last parenthesis."""
    found = set()
    for match in re.finditer(r"\b(?:assert|HONE_RT_ASSERT)\(", text):
        depth, end = 1, match.end()
        while depth and end < len(text):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        first = text.count("\n", 0, match.start()) + 1
        found.update(range(first, first + text.count("\n", match.start(), end) + 1))
    return found


def collected(build, folders):
    """{source: {line: ran}} and {source: {(line, of, branch): taken}} of the sources in the folders."""
    lines = collections.defaultdict(dict)
    branches = collections.defaultdict(dict)
    now = {}
    for record in sorted((build / "coverage").glob("*.json")):
        for source, counted in json.loads(record.read_text()).items():
            if source.split("/")[0] not in folders or not os.path.exists(source):
                continue
            if now.setdefault(source, fingerprint(source)) != counted["text"]:
                continue
            for line, hit in counted["lines"].items():
                lines[source][int(line)] = lines[source].get(int(line), False) or hit
            for key, hit in counted["branches"].items():
                key = tuple(int(k) for k in key.split())
                branches[source][key] = branches[source].get(key, False) or hit
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


def table(lines, branches, folders):
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


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("build", type=pathlib.Path)
    arguments.add_argument("folders", nargs="+")
    arguments.add_argument("--measure", action="store_true", help="run the suites first")
    arguments.add_argument("--suites", nargs="+", default=[], help="those named so (wildcards), not all")
    arguments.add_argument("--jobs", type=int, default=1, help="suites side by side")
    arguments.add_argument("--missing", action="store_true", help="list what is not covered")
    options = arguments.parse_args()
    if options.measure:
        measure_all(options.build, options.suites, options.folders, options.jobs)
    lines, branches = collected(options.build, options.folders)
    if options.missing:
        list_missing(lines, branches)
    else:
        table(lines, branches, options.folders)


if __name__ == "__main__":
    main()
