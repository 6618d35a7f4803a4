#!/usr/bin/env python3
"""Changes one operator or constant at a time and asks whether the tests notice.

    tools/mutate.py --count 60 core layers qat export runtime store      (`make mutants COUNT=60`)
    tools/mutate.py --at core/plan.c:41                                  every change of that line

A mutant is one change in one line of C: + for -, < for <=, == for !=, && for ||, 0 for 1, and so on, in
code (no comments, strings, preprocessor lines or assertions). It is compiled in a copy of the sources;
suites named like the file run first, then those that know the folder best, then all others, one after
the other up to the first test that fails. Where `make cov` has left its counts, suites that never run
the line are left out. A mutant that none notices survives: a hole in the tests, or a change that changes
nothing. One that exceeds the time of the tests is "hung", and counts as killed. Mutants that do not
compile, or compile to the same objects, do not count. --quick leaves out three of four random cases
(tests/effort.h) and, where the folder's suites run the line, those of other folders: its survivors are
to be tried again without.

The order of the mutants depends on the seed and on each line's text, so --skip N goes on where another
call stopped after its Nth, as long as few lines have changed. SPDX-License-Identifier: Apache-2.0
"""
import argparse
import glob
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
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
    "core": "core exec plan option yaml optim refusals kerncheck_real kerncheck_conv kerncheck_pair "
            "kerncheck_ring",
    "layers": "layers refusals conv pairs fuse gradtorch gradtorchconv torch_layers qat_nodes qat_layers "
              "kerncheck_layers kerncheck_ring",
    "qat": "qat refusals qat_nodes qat_layers fuse fuse_net prove export",
    "export": "export prove parallel cli_text",
    "runtime": "runtime runtime_layers fixed kerncheck_int kerncheck_groups d31 frontend prove export",
    "store": "store store_damage store_calls state resume",
}
# Suites that start the program, which --quick does not build.
PROGRAM = set("crash cli cli_train cli_artifact cli_run report evaluate audio_artifact".split())
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


def end(process):
    """Ends a process and all that it started."""
    os.killpg(process.pid, signal.SIGTERM)  # Check passes it on to the test
    time.sleep(0.2)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run(command, cwd, until=None, **more):
    """Runs a command in a group of its own, at most for LIMIT and to the first line that matches until."""
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors="replace", start_new_session=True, close_fds=False,
                               **more)
    late = threading.Timer(LIMIT, end, [process])
    late.start()
    said, matched = [], False
    for line in process.stdout:
        said.append(line)
        if until and until.search(line):
            matched = True
            end(process)
            break
    process.stdout.close()
    status = process.wait()
    hung = not late.is_alive()
    late.cancel()
    return "".join(said), HUNG if hung else CAUGHT if matched else status


class Copy:
    """A copy of the sources that mutants are made in."""

    def __init__(self, folder, under, quick):
        self.folder = folder
        self.under = under
        # Without names for the debugger an object tells nothing but what it does; kernels are slow
        # unoptimized, and compiled as everywhere ccache has them.
        self.flags = "release_flags=$(if $(findstring kernels,$(1)),-O3,-O1 -g0)"
        self.flags += " -DHONE_FEWER" if quick else ""
        self.programs = ["build/release/tests/run"] + ([] if quick else ["build/release/hone"])
        left_out = ("build", "runs", "data", ".git")
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            if name not in left_out and os.path.isdir(os.path.join(folder, name)):
                shutil.rmtree(os.path.join(folder, name))  # sources of an earlier call
        shutil.copytree(".", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*left_out))
        said, status = self.build()
        if status != 0:
            sys.exit(said + "\nthe unchanged sources do not build")
        # From the fastest to the slowest.
        suites = run(["build/release/tests/run", "-l"], folder)[0].split()[::-1]
        self.suites = [s for s in suites if not (quick and s in PROGRAM)]

    def build(self):
        return run([*self.under, "make", "-s", "-j2", self.flags, *self.programs], self.folder)

    def test(self, suites):
        """Runs suites in turn; the status and the name of the test that fails first."""
        environment = dict(os.environ, HONE_PROGRAM=self.folder + "/build/release/hone",
                           CK_TAP_LOG_FILE_NAME="-")
        environment.setdefault("CK_DEFAULT_TIMEOUT", "20")
        for suite in suites:
            said, status = run([*self.under, "build/release/tests/run", suite], self.folder,
                               re.compile("^not ok"), env=environment)
            if status != 0:
                wrong = re.search(r"^not ok.*", said, re.M)
                wrong = wrong.group() if wrong else said[-200:]
                expired = status == HUNG or "Test timeout expired" in wrong
                name = re.match(r"not ok \d+ - [^:]*:[^:]*:([^:]*)", wrong)
                return HUNG if expired else CAUGHT, name.group(1) if name else wrong
        return 0, ""

    def path(self, source):
        return os.path.join(self.folder, source)

    def objects_of(self, source):
        """The objects that a source is compiled into."""
        own = self.path(f"build/release/{source[:-2]}.o")
        if source.endswith(".c"):
            return [own]
        lists = glob.glob(self.path("build/release/*/*.d"))
        return [d[:-2] + ".o" for d in lists if f" {source} " in open(d).read().replace("\n", " ")]


class Reach:
    """Which suites run a line, as `make cov` counted; of a file that has changed since, nothing."""

    def __init__(self, folder):
        self.ran = {}
        for path in glob.glob(folder + "/*.json"):
            suite = os.path.basename(path)[:-5]
            for source, counts in json.load(open(path)).items():
                if "@" not in suite and os.path.exists(source) and counts["text"] == \
                        hashlib.sha256(open(source, "rb").read()).hexdigest()[:16]:
                    self.ran.setdefault(source, {})[suite] = counts["lines"]

    def of(self, source, line, suites):
        """Those of the suites that run a line; where gcov knows no such line, that run the file."""
        if source not in self.ran:
            return suites
        ran = self.ran[source]
        known = any(str(line) in lines for lines in ran.values())
        return [s for s in suites if s not in ran or
                (ran[s].get(str(line)) if known else any(ran[s].values()))]


def stages(path, suites):
    """The suites in three parts: those with a word of the file's name, the folder's, the others."""
    folder, name = path[:-2].split("/")
    named = [s for s in suites if set(s.split("_")) & set(name.split("_"))]
    first = [s for s in suites if s in FIRST.get(folder, "").split() and s not in named]
    return named, first, [s for s in suites if s not in named + first]


def judge(copy, suites, path, text, place):
    """killed, hung, survived, same, or broken; and the first test that noticed."""
    _, _, start, end_, new = place
    originals = {o: open(o, "rb").read() for o in copy.objects_of(path)}
    with open(copy.path(path), "w") as file:
        file.write(text[:start] + new + text[end_:])
    try:
        if copy.build()[1] != 0:
            return "broken", ""
        if all(open(o, "rb").read() == was for o, was in originals.items()):
            return "same", ""
        status, who = copy.test(suites)
        return "hung" if status == HUNG else "killed" if status != 0 else "survived", who
    finally:
        with open(copy.path(path), "w") as file:
            file.write(text)
        for name, was in originals.items():
            with open(name, "wb") as file:
                file.write(was)


def chosen(options):
    """The texts of the files, and the places to change, in their order."""
    if options.at:
        files = {at.rsplit(":", 1)[0] for at in options.at}
    else:
        files = [f for folder in options.folders for f in glob.glob(folder + "/*.[ch]")]
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
    arguments.add_argument("--quick", action="store_true", help="fewer suites and cases")
    arguments.add_argument("--copy", default="build/mutants", help="where the copy goes")
    arguments.add_argument("--coverage", default="build/cov/coverage", help="what `make cov` counted")
    arguments.add_argument("--check", action="store_true", help="first test the unchanged sources")
    arguments.add_argument("--under", default="", help="a command that runs builds and tests: nice")
    options = arguments.parse_args()
    begin = time.monotonic()
    texts, order = chosen(options)
    reach = Reach(options.coverage)
    copy = Copy(os.path.abspath(options.copy), options.under.split(), options.quick)
    if options.check:
        status, who = copy.test(copy.suites)
        if status != 0:
            sys.exit(f"the unchanged sources fail: {who}")
    print(f"{len(order)} possible changes", flush=True)
    tally = dict.fromkeys(("killed", "hung", "survived", "same", "broken"), 0)
    for number, place in enumerate(order[options.skip:], options.skip + 1):
        counted = tally["killed"] + tally["hung"] + tally["survived"]
        if counted >= options.count or time.monotonic() - begin > 60 * options.minutes:
            break
        _, path, start, end_, new = place
        line = line_of(texts, place)
        named, first, others = [reach.of(path, line, s) for s in stages(path, copy.suites)]
        suites = named + first + ([] if options.quick and named + first else others)
        began = time.monotonic()
        verdict, who = judge(copy, suites, path, texts[path], place)
        tally[verdict] += 1
        code = texts[path].splitlines()[line - 1].strip()
        print(f"{number:4} {verdict:8} {path}:{line}: {texts[path][start:end_]} -> {new}   {code}"
              + (f"   [{who}]" if who else "") + f" {time.monotonic() - began:.0f} s", flush=True)
    counted = tally["killed"] + tally["hung"] + tally["survived"]
    print(f"{tally['killed'] + tally['hung']} of {counted} killed, {tally['hung']} of them by time; "
          f"{tally['same']} changed no code, {tally['broken']} did not compile")


if __name__ == "__main__":
    main()
