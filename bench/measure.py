"""What the comparisons with peers share: contestants that measure the same cases turn by turn, by
running programs that print JSON; noticing who else was busy; the tables and what stands around them.
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import pathlib
import platform
import resource
import shlex
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
OTHERS_MAX = 0.1  # processors that other programs may use in a measurement that counts


class Failure(Exception):
    pass


def busy_seconds():
    """Processor seconds that all programs, and the host beside us, have used so far."""
    try:
        fields = [int(x) for x in open("/proc/stat").readline().split()[1:9]]
    except OSError:
        return 0.0
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) / os.sysconf("SC_CLK_TCK")


def own_seconds():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def call(command, environment=None):
    """What a program prints."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True,
                          env=dict(os.environ, **(environment or {})))
    if done.returncode != 0:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise Failure(f"{shlex.join(words)}: status {done.returncode}: {last}")
    return done.stdout


def run(command, environment=None):
    """The JSON that a program prints, with the processors that others used meanwhile as `others`."""
    busy, own, begin = busy_seconds(), own_seconds(), time.perf_counter()
    printed = call(command, environment)
    took = time.perf_counter() - begin
    try:
        result = json.loads(printed)
    except ValueError:
        raise Failure(f"{shlex.join(map(str, command))}: prints no JSON object") from None
    result["others"] = max(0.0, (busy_seconds() - busy - (own_seconds() - own)) / took)
    return result


class Comparison:
    """Cases, namedtuples of a model and numbers that end with `threads`, each measured by every
    contestant once a round. A subclass says how: contestants(), measure(contestant, case), which
    raises Failure, title(contestant) for messages, and below."""

    program = None        # its file, for messages and the table
    figure = unit = None  # of a measurement: its key, and what it counts

    def __init__(self, args, torch_python):
        self.args, self.torch_python = args, torch_python
        self.macs = None  # {model: multiply-accumulates} of PyTorch
        self.failed = {}  # {case: sentence}

    def prepare(self, case):
        """Before a case is measured."""

    def may_fail(self, contestant):
        """Whether a failure costs the contestant, not the case."""
        return False

    def say(self, text):
        print(f"{self.program.removesuffix('.py')}: {text}", file=sys.stderr, flush=True)

    def check_same_network(self, model):
        if not self.macs:
            lines = call([self.torch_python, "bench/peers/models.py"]).splitlines()
            self.macs = {m["model"]: m["macs"] for m in map(json.loads, lines)}
        ours = run([self.args.hone, "inspect", f"configs/bench/{model}.yaml", "--json"])["macs"]
        if ours != self.macs[model]:
            raise Failure(f"{model}: {ours} multiply-accumulates in Hone, {self.macs[model]} in PyTorch")

    def run_case(self, case):
        """{contestant: its results, one per round}."""
        self.prepare(case)
        results = {c: [] for c in self.contestants()}
        for turn in range(1, self.args.rounds + 1):
            for contestant in list(results):
                what = f"{label(case)}, round {turn}: {self.title(contestant)}"
                try:
                    result = self.measure(contestant, case)
                except Failure as error:
                    if not self.may_fail(contestant):
                        raise
                    self.say(f"{what} is left out: {error}")
                    del results[contestant]
                    continue
                results[contestant].append(result)
                self.say(f"{what} {result[self.figure]:.1f} {self.unit}")
        return results

    def run_all(self, cases):
        """{case: results}; cases that failed are in self.failed."""
        done = {}
        try:
            for case in cases:
                try:
                    done[case] = self.run_case(case)
                except (Failure, OSError) as error:
                    self.say(error)
                    self.failed[case] = str(error)
        except KeyboardInterrupt:
            self.say("interrupted; the rows so far:")
        return done

    def preamble(self, cases, programs, what, disturbed="**Disturbed, not for quoting.**"):
        """Lines above the tables: the machine and the programs, how it was measured, what is below."""
        others = [r["others"] for results in cases.values() for runs in results.values() for r in runs]
        return [
            f"{machine()}; {programs}.",
            f"Rounds: {self.args.rounds}, {self.args.seconds:g} s for each measurement. Other programs "
            f"used {statistics.median(others):.2f} processors (median; at most {max(others):.2f}).",
            *([disturbed] if max(others) > OTHERS_MAX else []),
            "",
            "    " + shlex.join([f"bench/{self.program}"] + sys.argv[1:]),
            "",
            what,
            "",
        ]

    def failures(self):
        """Lines below the tables."""
        lines = [f"Not measured: {label(case)}: {sentence}" for case, sentence in self.failed.items()]
        return [""] + lines if lines else []

    def as_json(self, cases, **versions):
        return json.dumps({
            "machine": machine(), **versions,
            "cases": [dict(case._asdict(), rounds=[
                {self.title(c).replace(" ", "_"): results[c][i] for c in results}
                for i in range(self.args.rounds)]) for case, results in cases.items()],
            "failed": [dict(case._asdict(), why=why) for case, why in self.failed.items()],
        }, indent=1)

    def report(self, cases):
        """Prints what was measured: all of it, or the tables of a subclass; the exit status."""
        if self.args.json:
            print(self.as_json(cases))
        elif cases:
            print("\n".join(self.tables(cases) + self.failures()))
        return 1 if self.failed or not cases else 0


def label(case):
    """ "resnet8, batch 32, threads 1" """
    return ", ".join([case.model] + [f"{k} {v}" for k, v in case._asdict().items() if k != "model"])


def rows(cases, columns):
    """Lines of a table. columns: (heading, its alignment, text of a cell from a case's results)."""
    names = list(next(iter(cases))._fields)
    lines = ["| " + " | ".join(names + [heading for heading, _, _ in columns]) + " |",
             "|---|" + "--:|" * (len(names) - 1) + "".join(f"{a}|" for _, a, _ in columns)]
    for case, results in cases.items():
        lines.append("| " + " | ".join([str(v) for v in case] + [t(results) for _, _, t in columns]) + " |")
    return lines


def cell(results, contestant, key, unit=1):
    """The median, or a dash."""
    return number(median_of(results[contestant], key) / unit) if contestant in results else "–"


def ratio(results, above, below, key):
    """Median and extremes of the rounds' ratios, or a dash."""
    if above not in results or below not in results:
        return "–"
    ratios = [a[key] / b[key] for a, b in zip(results[above], results[below])]
    return f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f}–{max(ratios):.2f})"


def median_of(results, key):
    return statistics.median(r[key] for r in results)


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def machine():
    name, memory = platform.processor() or platform.machine(), 0
    try:
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
        for line in open("/proc/meminfo"):
            if line.startswith("MemTotal:"):
                memory = int(line.split()[1]) / 2**20
                break
    except OSError:
        pass
    return f"{name}, {os.cpu_count()} processors" + (f", {memory:.0f} GiB" if memory else "")


def positive(kind):
    def parse(text):
        value = kind(text)
        if value <= 0:
            raise ValueError
        return value
    parse.__name__ = f"positive {kind.__name__}"
    return parse


def threads_of(text):
    try:
        return [positive(int)(word) for word in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no list of thread counts") from None
