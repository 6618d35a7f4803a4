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
import os
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True  # nothing into the source tree
from measure import Comparison, Failure, call, cell, positive, ratio, rows, run, threads_of

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


class Bench(Comparison):
    program, figure, unit = "peers_infer.py", LATENCY, "us"

    def __init__(self, args, work):
        super().__init__(args, args.torch_python)
        self.work = work
        self.runs = {}  # case: of Hone, found by a short run
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
            self.say(error)
            self.say("no ONNX Runtime (--help says how to get it), so Hone is measured alone")
            return
        self.version, self.library = version, library.strip()

    def contestants(self):
        return [HONE, INT8, FLOAT] if self.library else [HONE]

    def title(self, contestant):
        return contestant

    def prepare(self, case):
        if self.library:
            self.check_same_network(case.model)
            self.write_model(case.model)

    def write_model(self, name):
        if not (self.work / f"{name}.int8.onnx").exists():
            self.say(f"{name}: writing ONNX files")
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

    def tables(self, cases):
        hone = next(iter(cases.values()))[HONE][0]
        onnx = f"ONNX Runtime {self.version}" if self.library else "no ONNX Runtime"
        return self.preamble(
            cases, f"Hone: {hone['kernels']} kernels; {onnx}",
            "Microseconds per image, and how many times as long ONNX Runtime takes:",
        ) + rows(cases, COLUMNS)

    def as_json(self, cases):
        return super().as_json(cases, onnxruntime=self.version)


COLUMNS = [
    ("ONNX Runtime float", "--:", lambda r: cell(r, FLOAT, LATENCY)),
    ("ONNX Runtime int8", "--:", lambda r: cell(r, INT8, LATENCY)),
    ("Hone int8", "--:", lambda r: cell(r, HONE, LATENCY)),
    ("ONNX int8 / Hone", "--:", lambda r: ratio(r, INT8, HONE, LATENCY)),
    ("ONNX float / Hone", "--:", lambda r: ratio(r, FLOAT, HONE, LATENCY)),
]


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
    return bench.report(bench.run_all(Case(m, t) for m in args.models for t in args.threads))


def main():
    args = parse_arguments()
    try:
        if args.work:
            args.work.mkdir(parents=True, exist_ok=True)
            return compare(args, args.work.resolve())
        with tempfile.TemporaryDirectory(prefix="hone-onnx-") as folder:
            return compare(args, pathlib.Path(folder))
    except OSError as error:
        print(f"peers_infer: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
