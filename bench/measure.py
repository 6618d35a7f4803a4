"""What the comparisons with peers share: running programs that print JSON, noticing who else was busy,
medians and ratios for tables, the machine's name. SPDX-License-Identifier: Apache-2.0
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


def say(text):
    print(text, file=sys.stderr, flush=True)


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


def run(command, environment=None):
    """The JSON that a program prints, with the processors that others used meanwhile as `others`."""
    busy, own, begin = busy_seconds(), own_seconds(), time.perf_counter()
    done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True,
                          env=dict(os.environ, **(environment or {})))
    took = time.perf_counter() - begin
    if done.returncode != 0:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise Failure(f"{shlex.join(map(str, command))}: status {done.returncode}: {last}")
    try:
        result = json.loads(done.stdout)
    except ValueError:
        raise Failure(f"{shlex.join(map(str, command))}: prints no JSON object") from None
    result["others"] = max(0.0, (busy_seconds() - busy - (own_seconds() - own)) / took)
    return result


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
