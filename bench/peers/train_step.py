#!/usr/bin/env python3
"""Measures how fast PyTorch trains one model, in a process of its own, and prints one JSON line.

usage: train_step.py MODEL --mode float|qat --batch N --threads N [--seconds S]

A step is what `hone bench step` times: forward, loss, backward, SGD with momentum, on images that are
in memory. The data is drawn before and is in channels-last order, as the model is, because PyTorch is
faster so. Quantization-aware training is prepare_qat_fx with the default fbgemm configuration (8 bits,
weights per channel, fused moving-average observers). Keys: see measure(); images_per_s is of the median
step. SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import pathlib
import resource
import sys
import time
import warnings

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("model")
parser.add_argument("--mode", choices=("float", "qat"), default="float")
parser.add_argument("--batch", type=int, required=True)
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--seconds", type=float, default=5, help="timed, after the warm-up")

BATCHES = 4      # different ones, so that none stays in the cache from its last use
WARMUP_STEPS = 3
STEPS_MIN = 5


def peak_rss_bytes():
    """Of this program alone: ru_maxrss would remember the process it was forked from."""
    try:
        for line in open("/proc/self/status"):
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def quantized(torch, model, shape):
    from torch.ao.quantization import QConfigMapping, get_default_qat_qconfig
    from torch.ao.quantization.quantize_fx import prepare_qat_fx
    mapping = QConfigMapping().set_global(get_default_qat_qconfig("fbgemm"))
    return prepare_qat_fx(model, mapping, (torch.zeros(1, *shape),))


def measure(args):
    import torch
    import models
    torch.set_num_threads(args.threads)
    model, shape, classes = models.build(args.model)
    macs = models.count_macs(model, shape)
    model.train()
    if args.mode == "qat":
        model = quantized(torch, model, shape).train()
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    criterion = torch.nn.CrossEntropyLoss()
    images = [torch.randn(args.batch, *shape).contiguous(memory_format=torch.channels_last)
              for _ in range(BATCHES)]
    labels = torch.randint(0, classes, (args.batch,))

    def step(i):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        criterion(model(images[i % BATCHES]), labels).backward()
        optimizer.step()
        return time.perf_counter() - start

    for i in range(WARMUP_STEPS):
        step(i)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    seconds, begin = [], time.perf_counter()
    while len(seconds) < STEPS_MIN or time.perf_counter() - begin < args.seconds:
        seconds.append(step(len(seconds)))
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    seconds.sort()
    n = len(seconds)
    return {
        "images_per_s": args.batch / seconds[n // 2],
        "ms_per_step": 1e3 * seconds[n // 2],
        "ms_p10": 1e3 * seconds[n // 10],
        "ms_p90": 1e3 * seconds[n - 1 - n // 10],
        "steps": n,
        "peak_rss_bytes": peak_rss_bytes(),
        "page_faults_per_step": faults / n,
        "macs": macs,
        "model": args.model,
        "mode": args.mode,
        "batch": args.batch,
        "threads": args.threads,
        "torch": torch.__version__,
    }


if __name__ == "__main__":
    arguments = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(arguments.threads)  # read when torch is imported
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    warnings.filterwarnings("ignore")
    print(json.dumps(measure(arguments)))
