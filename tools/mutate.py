#!/usr/bin/env python3
"""Changes one operator or constant at a time and asks whether the tests notice.

    tools/mutate.py --count 60 core layers qat export runtime store      (`make mutants COUNT=60`)
    tools/mutate.py --at core/plan.c:41                                  every change of that line

A mutant is one change in one line of C: + for -, < for <=, == for !=, && for ||, 0 for 1, and so on, in
code (no comments, strings, preprocessor lines or assertions). It is compiled in a copy of the sources;
suites named like the file run first, then those that know the folder best, then all others, up to the
first that fails. A mutant that none notices survives: a hole in the tests, or a change that changes
nothing. One that exceeds the time of the tests is "hung", and counts as killed. Mutants that do not
compile, or compile to the same object file, do not count.

The order of the mutants depends on the seed and on each line's text, so --skip N goes on where another
call stopped after its Nth, as long as few lines have changed. SPDX-License-Identifier: Apache-2.0
"""
import argparse
import glob
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time

# What may be put in the place of a token.
CHANGES = {
    "+": ["-"], "-": ["+"], "*": ["+"], "/": ["*"], "%": ["*"],
    "<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"],
    "==": ["!="], "!=": ["=="], "&&": ["||"], "||": ["&&"],
    "<<": [">>"], ">>": ["<<"], "&": ["|"], "|": ["&"],
    "+=": ["-="], "-=": ["+="], "++": ["--"], "--": ["++"],
    "0": ["1"], "1": ["0", "2"], "2": ["3"], "true": ["false"], "false": ["true"],
}
TOKEN = re.compile(r"""
    (?P<skip>/\*.*?\*/|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|^[ \t]*\#(?:\\\n|[^\n])*)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<number>(?:0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)\w*)
  | (?P<op><<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%<>&|^!~])
  | (?P<other>[]()[{};,?:.])
""", re.X | re.S | re.M)

# Suites that are most likely to notice a change in a folder.
FIRST = {
    "core": "core exec plan option yaml optim schedule kerncheck_real kerncheck_conv kerncheck_pair kerncheck_ring",
    "layers": "layers batchnorm conv pairs fuse gradtorch gradtorchconv torch_layers qat_nodes qat_layers "
              "kerncheck_layers kerncheck_ring",
    "qat": "qat qat_nodes qat_layers fuse fuse_net prove export",
    "export": "export prove parallel cli_text",
    "runtime": "runtime runtime_layers fixed frontend kerncheck_int kerncheck_groups d31 prove export",
    "store": "store store_damage resume",
}
LIMIT = 600  # seconds for one build or one call of the tests
CAUGHT, HUNG = 1, 124


def places(path, text):
    """Every possible change in a file: (rank, path, start, end, replacement)."""
    found, previous = [], ""
    for match in TOKEN.finditer(text):
        token = match.group()
        if match.lastgroup == "skip":
            continue
        start = text.rfind("\n", 0, match.start()) + 1
        before = text[start:match.start()]
        line = text[start:text.find("\n", match.end())]
        # A sign, a pointer or an address is no arithmetic.
        unary = token in "+-*&" and (not re.match(r"[\w)\]]", previous[-1:] or "(") or
                                     previous in ("return", "case"))
        pointer = token == "*" and re.search(r"(const|char|int|void|float|double|bool|long|Real|_t|\b[A-Z]\w*[a-z]\w*) *$", before)
        if token in CHANGES and not unary and not pointer and "assert" not in line.lower() \
                and not line.lstrip().startswith(("enum", "typedef", "#")):
            for new in CHANGES[token]:
                key = f"{path}|{line}|{len(before)}|{new}"
                found.append((key, path, match.start(), match.end(), new))
        previous = token
    return found


def run(command, cwd, timeout=LIMIT, **more):
    """Runs a command in a group of its own, and ends the whole group when the time is over."""
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors="replace", start_new_session=True, close_fds=False,
                               **more)
    try:
        return process.communicate(timeout=timeout)[0], process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)  # Check passes it on to the test
        time.sleep(1)
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()[0], HUNG


class Copy:
    """A copy of the sources that mutants are made in."""

    def __init__(self, folder, under):
        self.folder = folder
        self.under = under
        shutil.copytree(".", folder, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("build", "runs", "data", ".git"))
        said, status = self.build()
        if status != 0:
            sys.exit(said + "\nthe unchanged sources do not build")
        self.suites = run(["build/release/tests/run", "-l"], folder)[0].split()

    def build(self):
        # Without names for the debugger an object tells nothing but what it does.
        return run([*self.under, "make", "-s", "-j2", "release_flags=-O1 -g0", "build/release/hone",
                    "build/release/tests/run"], self.folder)

    def test(self, suites):
        environment = dict(os.environ, HONE_PROGRAM=self.folder + "/build/release/hone")
        environment.setdefault("CK_DEFAULT_TIMEOUT", "20")
        said, status = run([*self.under, "build/release/tests/run", "-x", "-j", "2", *suites],
                           self.folder, env=environment)
        if status not in (0, HUNG):
            status = CAUGHT
            wrong = re.findall(r":[FE]:.*", said)
            if wrong and all("Test timeout expired" in w for w in wrong):
                status = HUNG
        return status, said

    def path(self, source):
        return os.path.join(self.folder, source)

    def object_of(self, source):
        return os.path.join(self.folder, "build/release", source[:-2] + ".o")


def stages(path, suites):
    """The suites in three parts: those with a word of the file's name, the folder's, the others."""
    folder, name = path[:-2].split("/")
    named = [s for s in suites if set(s.split("_")) & set(name.split("_"))]
    first = [s for s in FIRST.get(folder, "").split() if s not in named]
    return named, first, [s for s in suites if s not in named + first]


def judge(copy, path, text, place, quick):
    """killed, hung, survived, same, or broken; and the first of the tests that noticed."""
    _, _, start, end, new = place
    original = open(copy.object_of(path), "rb").read()
    with open(copy.path(path), "w") as file:
        file.write(text[:start] + new + text[end:])
    try:
        if copy.build()[1] != 0:
            return "broken", ""
        if open(copy.object_of(path), "rb").read() == original:
            return "same", ""
        for suites in stages(path, copy.suites)[:2 if quick else 3]:
            status, said = copy.test(suites) if suites else (0, "")
            if status != 0:
                who = re.findall(r"^(?:.*):[FE]:(.*?):", said, re.M)
                return "hung" if status == HUNG else "killed", ", ".join(who[:2])
        return "survived", ""
    finally:
        with open(copy.path(path), "w") as file:
            file.write(text)
        with open(copy.object_of(path), "wb") as file:
            file.write(original)


def chosen(options):
    """The texts of the files, and the places to change, in their order."""
    if options.at:
        files = {at.rsplit(":", 1)[0] for at in options.at}
    else:
        files = [f for folder in options.folders for f in glob.glob(folder + "/*.c")]
    texts = {f: open(f).read() for f in files}
    found = [p for f in sorted(texts) for p in places(f, texts[f])]
    if options.at:
        at = [tuple(a.rsplit(":", 1)) for a in options.at]
        return texts, [p for p in found if (p[1], str(line_of(texts, p))) in at]
    found.sort(key=lambda p: hashlib.sha256(f"{options.seed}|{p[0]}".encode()).digest())
    return texts, found


def line_of(texts, place):
    return texts[place[1]].count("\n", 0, place[2]) + 1


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("folders", nargs="*")
    arguments.add_argument("--at", nargs="+", default=[], metavar="FILE:LINE", help="these lines only")
    arguments.add_argument("--count", type=int, default=60, help="mutants that count")
    arguments.add_argument("--skip", type=int, default=0, help="go on after this many")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--minutes", type=float, default=1e6, help="start none after this time")
    arguments.add_argument("--quick", action="store_true", help="leave out the other folders' suites")
    arguments.add_argument("--copy", default="build/mutants", help="where the copy goes")
    arguments.add_argument("--under", default="", help="a command that runs builds and tests: nice")
    options = arguments.parse_args()
    begin = time.monotonic()
    texts, order = chosen(options)
    copy = Copy(os.path.abspath(options.copy), options.under.split())
    folders = {path.split("/")[0] for path in texts}
    status, said = copy.test(sorted({s for f in folders for s in FIRST.get(f, "").split()})
                             if options.quick else [])
    if status != 0:
        sys.exit(said + "\nthe unchanged sources fail their tests")
    print(f"{len(order)} possible changes; the tests take {time.monotonic() - begin:.0f} s", flush=True)
    tally = dict.fromkeys(("killed", "hung", "survived", "same", "broken"), 0)
    for number, place in enumerate(order[options.skip:], options.skip + 1):
        counted = tally["killed"] + tally["hung"] + tally["survived"]
        if counted >= options.count or time.monotonic() - begin > 60 * options.minutes:
            break
        _, path, start, end, new = place
        verdict, who = judge(copy, path, texts[path], place, options.quick)
        tally[verdict] += 1
        line = line_of(texts, place)
        code = texts[path].splitlines()[line - 1].strip()
        print(f"{number:4} {verdict:8} {path}:{line}: {texts[path][start:end]} -> {new}   {code}"
              + (f"   [{who}]" if who else ""), flush=True)
    counted = tally["killed"] + tally["hung"] + tally["survived"]
    print(f"{tally['killed'] + tally['hung']} of {counted} killed, {tally['hung']} of them by time; "
          f"{tally['same']} changed no code, {tally['broken']} did not compile")


if __name__ == "__main__":
    main()
