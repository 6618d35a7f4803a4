#!/usr/bin/env python3
"""Latency of Hone's runtime beside ONNX Runtime: the same networks, one image at a time, turn by turn.
Prints Markdown on stdout and what it is doing on stderr.

usage: bench/peers_infer.py [--models resnet8,kws] [--threads 1,2] [--rounds 3] [--seconds 1]
                            [--onnx-python PYTHON] [--work FOLDER] [--hone ./hone]
                            [--torch-python /usr/bin/python3] [--json]

A round measures each contestant once, each in a new process: Hone int8, ONNX Runtime int8, ONNX
Runtime float. What disturbs a machine for a while then disturbs all of them, so ratios are taken
within a round; the table has the median over rounds, and in brackets the extremes. A measurement's
latency is its tenth percentile: that of runs which nothing interrupted, on either side.

ONNX Runtime gets the files that it runs fastest: QDQ, uint8 activations, int8 weights per channel, all
its optimizations, and it is called from C with tensors made beforehand. Weights are random on both
sides; counts of multiply-accumulates are compared first. bench/peers/ has the programs. A model that
cannot be measured costs its row, which is explained below the table, and makes the status 1; Ctrl-C
ends with the rows so far. All models take 4 minutes with these defaults.

Needs PyTorch (Debian: python3-torch) to write the networks, and a Python with onnx and onnxruntime:

    python3 -m venv /tmp/onnx && /tmp/onnx/bin/pip install onnx onnxruntime
    bench/peers_infer.py --onnx-python /tmp/onnx/bin/python

Without them Hone is measured alone. SPDX-License-Identifier: Apache-2.0
"""
import argparse
import collections
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # nothing into the source tree
from measure import (OTHERS_MAX, ROOT, Failure, machine, median_of, number, positive, run, say,
                     threads_of)

IMAGES = {  # channels, height, width
    "resnet8": (3, 32, 32), "vww": (3, 96, 96), "kws": (1, 49, 10),
    "mobilenet_v2_cifar": (3, 32, 32), "mobilenet_v2_224": (3, 224, 224),
    "mobilenet_v1_224": (3, 224, 224), "ad": (1, 5, 128),
}
HONE, INT8, FLOAT = "hone", "onnx int8", "onnx float"  # in the order of a round
LATENCY = "latency_us_p10"
PEERS = pathlib.Path("bench/peers")
RUNS_MIN, RUNS_MAX = 50, 1000000

Case = collections.namedtuple("Case", "model threads")


def call(command):
    """Runs a program that prints nothing we want; returns its stdout."""
    done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise Failure(f"{shlex.join(map(str, command))}: status {done.returncode}: {last}")
    return done.stdout


class Bench:
    def __init__(self, args, work):
        self.args, self.work = args, work
        self.runs = {}    # case: of Hone, found by a short run
        self.macs = None  # {model: multiply-accumulates} of PyTorch
        self.failed = {}  # {case: sentence}
        self.version = self.library = None
        self.find_onnx()

    def find_onnx(self):
        """Version and library of ONNX Runtime; both stay None where it, or PyTorch, is missing."""
        code = ("import onnx, onnxruntime, pathlib; "
                "f = sorted(pathlib.Path(onnxruntime.__file__).parent.glob('capi/libonnxruntime.so*'));"
                "print(onnxruntime.__version__, f[0])")
        try:
            version, library = call([self.args.onnx_python, "-c", code]).split(None, 1)
            call([self.args.torch_python, "-c", "import torch"])
            call(["cc", "-O2", PEERS / "onnx_latency.c", "-o", self.work / "latency", "-ldl"])
        except (Failure, OSError) as error:
            say(f"peers_infer: {error}\npeers_infer: no ONNX Runtime (--help says how to get it), so "
                "Hone is measured alone")
            return
        self.version, self.library = version, library.strip()

    def contestants(self):
        return [HONE, INT8, FLOAT] if self.library else [HONE]

    def check_same_network(self, name):
        if not self.macs:
            lines = call([self.args.torch_python, PEERS / "models.py"]).splitlines()
            self.macs = {m["model"]: m["macs"] for m in map(json.loads, lines)}
        ours = run([self.args.hone, "inspect", f"configs/bench/{name}.yaml", "--json"])["macs"]
        if ours != self.macs[name]:
            raise Failure(f"{name}: {ours} multiply-accumulates in Hone, {self.macs[name]} in PyTorch")

    def write_model(self, name):
        if not (self.work / f"{name}.int8.onnx").exists():
            say(f"peers_infer: {name}: writing ONNX files")
            call([self.args.torch_python, PEERS / "onnx_float.py", name, self.work])
            call([self.args.onnx_python, PEERS / "onnx_int8.py", name, self.work])

    def hone(self, case, runs):
        return run([self.args.hone, "bench", "infer", f"configs/bench/{case.model}.yaml",
                    "--threads", case.threads, "--runs", runs, "--json"])

    def onnx(self, case, kind):
        return run([self.work / "latency", self.library, self.work / f"{case.model}.{kind}.onnx",
                    self.work / f"{case.model}.images.f32", case.threads, self.args.seconds,
                    *IMAGES[case.model]])

    def measure(self, contestant, case):
        if contestant != HONE:
            return self.onnx(case, contestant.split()[1])
        if case not in self.runs:
            wanted = int(1e6 * self.args.seconds / self.hone(case, RUNS_MIN)[LATENCY])
            self.runs[case] = min(max(wanted, RUNS_MIN), RUNS_MAX)
        return self.hone(case, self.runs[case])

    def run_case(self, case):
        """{contestant: its results, one per round}."""
        if self.library:
            self.check_same_network(case.model)
            self.write_model(case.model)
        results = {c: [] for c in self.contestants()}
        for turn in range(1, self.args.rounds + 1):
            for contestant in results:
                result = self.measure(contestant, case)
                results[contestant].append(result)
                say(f"peers_infer: {case.model}, threads {case.threads}, round {turn}: {contestant} "
                    f"{result[LATENCY]:.1f} us")
        return results

    def run_all(self):
        """{Case: results}; cases that failed are in self.failed."""
        cases = {}
        try:
            for case in (Case(m, t) for m in self.args.models for t in self.args.threads):
                try:
                    cases[case] = self.run_case(case)
                except (Failure, OSError) as error:
                    say(f"peers_infer: {error}")
                    self.failed[case] = str(error)
        except KeyboardInterrupt:
            say("peers_infer: interrupted; the rows so far:")
        return cases


# ---- the table ----------------------------------------------------------------------------------

def latency(results, contestant):
    return number(median_of(results[contestant], LATENCY)) if contestant in results else "–"


def times(results, contestant):
    """How many times as long the contestant takes as Hone: median and extremes of the rounds."""
    if contestant not in results:
        return "–"
    ratios = [a[LATENCY] / b[LATENCY] for a, b in zip(results[contestant], results[HONE])]
    return f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f}–{max(ratios):.2f})"


COLUMNS = [  # heading, text of a cell from the results of a case
    ("ONNX Runtime float", lambda r: latency(r, FLOAT)),
    ("ONNX Runtime int8", lambda r: latency(r, INT8)),
    ("Hone int8", lambda r: latency(r, HONE)),
    ("ONNX int8 / Hone", lambda r: times(r, INT8)),
    ("ONNX float / Hone", lambda r: times(r, FLOAT)),
]


def table(bench, cases):
    """cases: {Case: results}, at least one"""
    every = [r for results in cases.values() for runs in results.values() for r in runs]
    hone = next(iter(cases.values()))[HONE][0]
    others = [r["others"] for r in every]
    lines = [
        f"{machine()}; Hone: {hone['kernels']} kernels; "
        + (f"ONNX Runtime {bench.version}" if bench.library else "no ONNX Runtime") + ".",
        f"Rounds: {bench.args.rounds}, {bench.args.seconds:g} s for each measurement. Other programs "
        f"used {statistics.median(others):.2f} processors (median; at most {max(others):.2f}).",
        *(["**Disturbed, not for quoting.**"] if max(others) > OTHERS_MAX else []),
        "",
        "    " + shlex.join(["bench/peers_infer.py"] + sys.argv[1:]),
        "",
        "Microseconds per image, and how many times as long ONNX Runtime takes:",
        "",
        "| model | threads | " + " | ".join(heading for heading, _ in COLUMNS) + " |",
        "|---|--:|" + "--:|" * len(COLUMNS),
    ]
    for case, results in cases.items():
        cells = [case.model, str(case.threads)] + [text(results) for _, text in COLUMNS]
        lines.append("| " + " | ".join(cells) + " |")
    if bench.failed:
        lines += ["", *(f"Not measured: {c.model}, {c.threads} threads: {sentence}"
                        for c, sentence in bench.failed.items())]
    return "\n".join(lines)


def as_json(bench, cases):
    return json.dumps({
        "machine": machine(),
        "onnxruntime": bench.version,
        "cases": [dict(case._asdict(), rounds=[
            {contestant.replace(" ", "_"): results[contestant][i] for contestant in results}
            for i in range(bench.args.rounds)]) for case, results in cases.items()],
        "failed": [dict(case._asdict(), why=why) for case, why in bench.failed.items()],
    }, indent=1)


# ---- the command line ---------------------------------------------------------------------------

def models_of(text):
    for name in text.split(","):
        if name not in IMAGES:
            raise argparse.ArgumentTypeError(f"no model '{name}' ({', '.join(IMAGES)})")
    return text.split(",")


def parse_arguments():
    parser = argparse.ArgumentParser(
        description="Latency of Hone's runtime beside ONNX Runtime.",
        epilog="onnx and onnxruntime: python3 -m venv /tmp/onnx && /tmp/onnx/bin/pip install onnx "
               "onnxruntime; bench/peers_infer.py --onnx-python /tmp/onnx/bin/python")
    parser.add_argument("--models", type=models_of, default=list(IMAGES), metavar="NAME,...",
                        help="of " + ", ".join(IMAGES) + "; all")
    parser.add_argument("--threads", type=threads_of, default=[1], metavar="N,...", help="1")
    parser.add_argument("--rounds", type=positive(int), default=3, help="3")
    parser.add_argument("--seconds", type=positive(float), default=1, help="of each measurement; 1")
    parser.add_argument("--hone", default="./hone", help="the program, from the project's root; ./hone")
    parser.add_argument("--onnx-python", default=os.environ.get("HONE_ONNX_PYTHON", "python3"),
                        help="one that has onnx and onnxruntime; $HONE_ONNX_PYTHON or python3")
    parser.add_argument("--torch-python", default="/usr/bin/python3", help="one that has PyTorch")
    parser.add_argument("--work", type=pathlib.Path,
                        help="keep the ONNX files in this folder; a temporary one")
    parser.add_argument("--json", action="store_true", help="every measurement, no table")
    return parser.parse_args()


def compare(args, work):
    """The exit status."""
    bench = Bench(args, work)
    cases = bench.run_all()
    if args.json:
        print(as_json(bench, cases))
    elif cases:
        print(table(bench, cases))
    return 1 if bench.failed or not cases else 0


def main():
    args = parse_arguments()
    try:
        if args.work:
            args.work.mkdir(parents=True, exist_ok=True)
            return compare(args, args.work.resolve())
        with tempfile.TemporaryDirectory(prefix="hone-onnx-") as folder:
            return compare(args, pathlib.Path(folder))
    except OSError as error:
        say(f"peers_infer: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
