#!/usr/bin/env python3
"""Puts a measurement into a document: replaces a section by standard input.

usage: build/release/bench/roofline | bench/publish.py ceilings docs/PERFORMANCE.md

A section lies between the lines <!-- begin NAME --> and <!-- end NAME -->. SPDX-License-Identifier:
Apache-2.0
"""
import pathlib
import sys


def main():
    if len(sys.argv) != 3:
        print("usage: publish.py SECTION FILE <TEXT", file=sys.stderr)
        return 2
    name, path = sys.argv[1], pathlib.Path(sys.argv[2])
    new, old = sys.stdin.read().strip(), path.read_text()
    begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->\n"
    first, last = old.find(begin), old.find(end)
    if not new or first < 0 or last < first:
        what = "nothing on standard input" if not new else f"no section '{name}'"
        print(f"publish.py: {path}: {what}; left as it was", file=sys.stderr)
        return 1
    path.write_text(old[:first] + begin + "\n" + new + "\n\n" + old[last:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
