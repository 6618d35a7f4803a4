#!/usr/bin/env python3
"""Training throughput and memory of Hone beside PyTorch: the same networks, the same machine, turn by
turn. Prints Markdown on stdout and what it is doing on stderr.

usage: bench/peers.py [--models resnet8:128,mobilenet_v2_cifar] [--threads 1,2] [--rounds 3]
                      [--seconds 3] [--hone ./hone] [--python /usr/bin/python3]
                      [--newest PYTHON] [--json]

A round measures each contestant once, each in a new process: Hone float, Hone QAT, PyTorch float,
PyTorch QAT. What disturbs a machine for a while then disturbs all of them, so ratios are taken within
a round; the table has the median over rounds, and in brackets the extremes. Throughput is that of
the median step, memory the largest resident set of the process.

PyTorch runs at its best settings here: channels-last, and an allocator that keeps its memory
(MALLOC_MMAP_MAX_=0 and MALLOC_TRIM_THRESHOLD_, 1.2 to 1.6 times as fast as without). Before anything is
timed, both programs' counts of multiply-accumulates are compared: they must be the same network.
A measurement during which other programs were busy is printed with a warning: PyTorch suffers more.
Without PyTorch (Debian: python3-torch; tools/deps dev) Hone is measured alone. A model that cannot be
measured costs its row, which is explained below the table, and makes the status 1; Ctrl-C ends with
the rows so far. All models take 12 minutes with these defaults.

--newest is a Python with another PyTorch, which gets a table of its own: in float the faster of eager
and torch.compile, in QAT of prepare_qat_fx and torchao's prepare_qat_pt2e. The download is 3 GB:

    python3 -m venv /tmp/newest && /tmp/newest/bin/pip install torch torchao numpy
    bench/peers.py --newest /tmp/newest/bin/python --models resnet8:128 --threads 1

Needs nothing but Python's own library. SPDX-License-Identifier: Apache-2.0
"""
import argparse
import collections
import os
import sys

sys.dont_write_bytecode = True  # nothing into the source tree
from measure import (Comparison, Failure, call, cell, median_of, positive, ratio, rows, run,
                     threads_of)

BATCHES = {"resnet8": 128, "vww": 32, "kws": 100, "mobilenet_v2_cifar": 64, "mobilenet_v2_224": 16,
           "mobilenet_v1_224": 16, "ad": 512}
CASES = [("resnet8", 128), ("resnet8", 32), *[case for case in BATCHES.items() if case[0] != "resnet8"]]
HONE, TORCH = [[(program, mode) for mode in ("float", "qat")] for program in ("hone", "torch")]
# Of --newest; what may fail, such as a compilation, is left out. In the order of a round.
NEWEST_FLOAT = {("newest", "eager"): [], ("newest", "compiled"): ["--compile"]}
NEWEST_QAT = {("newest", "fx"): ["--qat", "fx"], ("newest", "pt2e"): ["--qat", "pt2e"]}
TORCH_ENVIRONMENT = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "1000000000000"}
STEPS_MIN = 5

Case = collections.namedtuple("Case", "model batch threads")


def torch_version(python):
    """None where there is no PyTorch."""
    try:
        return call([python, "-c", "import torch; print(torch.__version__)"]).strip()
    except (Failure, OSError):
        return None


class Bench(Comparison):
    program, figure, unit = "peers.py", "images_per_s", "images/s"

    def __init__(self, args):
        super().__init__(args, args.python)
        self.steps = {}  # (case, mode): of Hone, found by a short run
        self.torch = torch_version(args.python)
        self.newest = torch_version(args.newest) if args.newest else None
        if not self.torch:
            self.say(f"{args.python} has no PyTorch (tools/deps dev installs Debian's), so Hone is "
                     "measured alone")

    def contestants(self):
        newest = [*NEWEST_FLOAT, *NEWEST_QAT] if self.newest else []
        return HONE + (TORCH if self.torch else []) + newest

    def title(self, contestant):
        return " ".join(contestant)

    def may_fail(self, contestant):
        return contestant[0] == "newest"

    def prepare(self, case):
        if self.torch:
            self.check_same_network(case.model)

    def hone(self, case, mode, steps):
        return run([self.args.hone, "bench", "step", f"configs/bench/{case.model}.yaml", "--mode",
                    mode, "--batch", case.batch, "--threads", case.threads, "--steps", steps,
                    "--json"])

    def pytorch(self, python, case, mode, *more):
        return run([python, "bench/peers/train_step.py", case.model, "--mode", mode, "--batch",
                    case.batch, "--threads", case.threads, "--seconds", self.args.seconds, *more],
                   TORCH_ENVIRONMENT)

    def measure(self, contestant, case):
        program, mode = contestant
        if contestant in NEWEST_FLOAT:
            return self.pytorch(self.args.newest, case, "float", *NEWEST_FLOAT[contestant])
        if contestant in NEWEST_QAT:
            return self.pytorch(self.args.newest, case, "qat", *NEWEST_QAT[contestant])
        if program == "torch":
            return self.pytorch(self.args.python, case, mode)
        if (case, mode) not in self.steps:
            short = self.hone(case, mode, STEPS_MIN)
            steps = int(1e3 * self.args.seconds / short["ms_per_step"])
            self.steps[case, mode] = max(STEPS_MIN, steps)
        return self.hone(case, mode, self.steps[case, mode])

    def tables(self, cases):
        hone = next(iter(cases.values()))["hone", "qat"][0]
        torch = f"PyTorch {self.torch}" if self.torch else "no PyTorch"
        lines = self.preamble(cases, f"Hone: {hone['cpu']} kernels, {hone['blas_core']}; {torch}",
                              "Images per second, ratios of Hone's figure to the other:", DISTURBED)
        lines += rows(cases, COLUMNS)
        if self.newest:
            lines += ["", f"Beside PyTorch {self.newest}, the fastest way each (eager or compiled; fx or "
                      "pt2e):", "", *rows(cases, NEWEST_COLUMNS)]
        return lines

    def as_json(self, cases):
        return super().as_json(cases, torch=self.torch, newest=self.newest)


# ---- the tables ---------------------------------------------------------------------------------

COLUMNS = [
    ("PyTorch float", "--:", lambda r: cell(r, ("torch", "float"), "images_per_s")),
    ("PyTorch QAT", "--:", lambda r: cell(r, ("torch", "qat"), "images_per_s")),
    ("Hone float", "--:", lambda r: cell(r, ("hone", "float"), "images_per_s")),
    ("Hone QAT", "--:", lambda r: cell(r, ("hone", "qat"), "images_per_s")),
    ("QAT / QAT", "--:", lambda r: ratio(r, ("hone", "qat"), ("torch", "qat"), "images_per_s")),
    ("float / float", "--:",
     lambda r: ratio(r, ("hone", "float"), ("torch", "float"), "images_per_s")),
    ("QAT / PyTorch float", "--:",
     lambda r: ratio(r, ("hone", "qat"), ("torch", "float"), "images_per_s")),
    ("QAT step / float step", "--:",
     lambda r: ratio(r, ("hone", "qat"), ("hone", "float"), "ms_per_step")),
    ("MB, PyTorch QAT", "--:", lambda r: cell(r, ("torch", "qat"), "peak_rss_bytes", 1e6)),
    ("MB, Hone QAT", "--:", lambda r: cell(r, ("hone", "qat"), "peak_rss_bytes", 1e6)),
    ("memory", "--:", lambda r: ratio(r, ("hone", "qat"), ("torch", "qat"), "peak_rss_bytes")),
]


def fastest(results, contestants):
    """The one of most images per second, or None."""
    measured = [c for c in contestants if c in results]
    return max(measured, key=lambda c: median_of(results[c], "images_per_s"), default=None)


def way(results, contestants):
    best = fastest(results, contestants)
    return best[1] if best else "–"


NEWEST_COLUMNS = [
    ("float", "--:", lambda r: cell(r, fastest(r, NEWEST_FLOAT), "images_per_s")),
    ("way", "---", lambda r: way(r, NEWEST_FLOAT)),
    ("QAT", "--:", lambda r: cell(r, fastest(r, NEWEST_QAT), "images_per_s")),
    ("way", "---", lambda r: way(r, NEWEST_QAT)),
    ("Hone QAT / QAT", "--:",
     lambda r: ratio(r, ("hone", "qat"), fastest(r, NEWEST_QAT), "images_per_s")),
    ("Hone float / float", "--:",
     lambda r: ratio(r, ("hone", "float"), fastest(r, NEWEST_FLOAT), "images_per_s")),
]

DISTURBED = ("**Disturbed, not for quoting.** With several threads the ratios then flatter Hone: "
             "PyTorch's threads wait for each other after every operation, Hone's take what work "
             "is left.")


# ---- the command line ---------------------------------------------------------------------------

def models_of(text):
    """[(model, batch)] of "resnet8:32,mobilenet_v2_cifar"."""
    chosen = []
    for word in text.split(","):
        name, colon, batch = word.partition(":")
        if name not in BATCHES:
            raise argparse.ArgumentTypeError(f"no model '{name}' ({', '.join(BATCHES)})")
        if colon and not (batch.isdigit() and int(batch) > 0):
            raise argparse.ArgumentTypeError(f"'{batch}' is no batch size")
        chosen.append((name, int(batch) if colon else BATCHES[name]))
    return chosen


def parse_arguments():
    parser = argparse.ArgumentParser(
        description="Training throughput and memory of Hone beside PyTorch.",
        epilog="example: bench/peers.py --models resnet8:128,resnet8:32 --threads 1,2 --rounds 7; the "
               "newest PyTorch (3 GB): python3 -m venv /tmp/newest && /tmp/newest/bin/pip install "
               "torch torchao numpy; bench/peers.py --newest /tmp/newest/bin/python")
    parser.add_argument("--models", type=models_of, default=CASES,
                        metavar="NAME[:BATCH],...", help="of " + ", ".join(BATCHES) + "; all")
    parser.add_argument("--threads", type=threads_of, default=[os.cpu_count() or 1],
                        metavar="N,...", help="all processors")
    parser.add_argument("--rounds", type=positive(int), default=3, help="3")
    parser.add_argument("--seconds", type=positive(float), default=3,
                        help="of each measurement, after its warm-up; 3")
    parser.add_argument("--hone", default="./hone", help="the program, from the project's root; ./hone")
    parser.add_argument("--python", default="/usr/bin/python3", help="one that has PyTorch")
    parser.add_argument("--newest", metavar="PYTHON",
                        help="one that has another PyTorch, for a second table")
    parser.add_argument("--json", action="store_true", help="every measurement, no table")
    return parser.parse_args()


def main():
    args = parse_arguments()
    bench = Bench(args)
    if args.newest and not bench.newest:
        bench.say(f"--newest: {args.newest} has no PyTorch")
        return 1
    return bench.report(bench.run_all(Case(model, batch, threads) for model, batch in args.models
                                      for threads in args.threads))


if __name__ == "__main__":
    sys.exit(main())
