#!/usr/bin/env python3
"""Measures how long `hone train` takes from being started to its first finished step.

usage: bench/start.py [--hone PROGRAM] [--config FILE] [--mode float|qat|both] [--batch N] [--threads N]
                      [--runs N] [--json]

Everything is in it: loading the program and its libraries, the configuration, the data set, weights,
memory, the first batch, the step, and the line about it in metrics.jsonl, which this program waits
for. A run that quantizes from the start evaluates, saves and calibrates before its first step; that
counts, too. Runs are stopped at once. SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

LIMIT_S = 60
POLL_S = 0.0002

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--hone", default="./hone")
parser.add_argument("--config", default="configs/bench/resnet8.yaml")
parser.add_argument("--mode", choices=("float", "qat", "both"), default="both")
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--runs", type=int, default=9)
parser.add_argument("--json", action="store_true")


def has_step(log):
    try:
        return '"step": 1,' in log.read_text() and '"loss"' in log.read_text()
    except OSError:
        return False


def first_step_ms(args, mode):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "run")
        command = [args.hone, "train", args.config, "--quiet", "--out", str(out),
                   "--threads", str(args.threads), "--set", f"train.batch={args.batch}",
                   "--set", f"qat.begin_epoch={0 if mode == 'qat' else 1}"]
        begun = time.perf_counter()
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while not has_step(out / "metrics.jsonl"):
            if run.poll() not in (None, 0) or time.perf_counter() - begun > LIMIT_S:
                run.kill()
                sys.exit(f"start.py: {' '.join(command)}: {run.communicate()[1].decode()}")
            time.sleep(POLL_S)
        took = time.perf_counter() - begun
        run.terminate()
        run.communicate()
        return 1e3 * took


def measure(args, mode):
    times = sorted(first_step_ms(args, mode) for _ in range(args.runs))
    result = {"first_step_ms": statistics.median(times), "least_ms": times[0], "most_ms": times[-1],
              "mode": mode, "batch": args.batch, "threads": args.threads, "runs": args.runs}
    if not args.json:
        print(f"{args.config}, {mode}, batch {args.batch}: first step after "
              f"{result['first_step_ms']:.0f} ms ({times[0]:.0f}..{times[-1]:.0f} in {args.runs} runs)")
    return result


def main():
    args = parser.parse_args()
    results = [measure(args, m) for m in (("float", "qat") if args.mode == "both" else (args.mode,))]
    if args.json:
        print(json.dumps(results if args.mode == "both" else results[0]))


main()
