#!/usr/bin/env python3
"""Measures how fast PyTorch trains one model, in a process of its own, and prints one JSON line.

usage: train_step.py MODEL --mode float|qat --batch N --threads N [--seconds S] [--compile]
                     [--qat fx|pt2e]

A step is what `hone bench step` times: forward, loss, backward, SGD with momentum, on images that are
in memory. The data is drawn before and is in channels-last order, as the model is, because PyTorch is
faster so. Quantization-aware training is prepare_qat_fx with the default fbgemm configuration (8 bits,
weights per channel, fused moving-average observers); --qat pt2e is torchao's prepare_qat_pt2e for x86.
--compile runs the model through torch.compile, whose work falls into the warm-up. Keys: see measure();
images_per_s is of the median step. SPDX-License-Identifier: Apache-2.0
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
parser.add_argument("--compile", action="store_true", help="by torch.compile")
parser.add_argument("--qat", choices=("fx", "pt2e"), default="fx", help="how a model is prepared")

BATCHES = 4      # different ones, so that none stays in the cache from its last use
WARMUP_STEPS = 3
STEPS_MIN = 5
SLOW = 1.0       # seconds; steps that take longer vary less: three are enough, after two


def peak_rss_bytes():
    """Of this program alone: ru_maxrss would remember the process it was forked from."""
    try:
        for line in open("/proc/self/status"):
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def exported(torch, model, example):
    from torchao.quantization.pt2e import move_exported_model_to_train
    from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86
    quantizer = x86.X86InductorQuantizer()
    quantizer.set_global(x86.get_default_x86_inductor_quantization_config(is_qat=True))
    model = prepare_qat_pt2e(torch.export.export(model, (example,)).module(), quantizer)
    return move_exported_model_to_train(model)


def quantized(torch, model, example):
    from torch.ao.quantization import QConfigMapping, get_default_qat_qconfig
    from torch.ao.quantization.quantize_fx import prepare_qat_fx
    mapping = QConfigMapping().set_global(get_default_qat_qconfig("fbgemm"))
    return prepare_qat_fx(model, mapping, (example,)).train()


def measure(args):
    import torch
    import models
    torch.set_num_threads(args.threads)
    model, shape, classes = models.build(args.model)
    macs = models.count_macs(model, shape)
    layout = torch.channels_last
    model.train()
    if args.mode == "qat":
        example = torch.randn(args.batch, *shape).contiguous(memory_format=layout)
        model = {"fx": quantized, "pt2e": exported}[args.qat](torch, model, example)
    model = model.to(memory_format=layout)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    criterion = torch.nn.MSELoss() if classes is None else torch.nn.CrossEntropyLoss()
    images = [torch.randn(args.batch, *shape).contiguous(memory_format=layout)
              for _ in range(BATCHES)]
    labels = torch.randint(0, classes or 1, (args.batch,))

    forward = torch.compile(model) if args.compile else model

    def step(i):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        x = images[i % BATCHES]
        criterion(forward(x), x.flatten(1) if classes is None else labels).backward()
        optimizer.step()
        return time.perf_counter() - start

    warmup = [step(i) for i in range(2)]
    while len(warmup) < WARMUP_STEPS and min(warmup) < SLOW:
        warmup.append(step(len(warmup)))
    steps_min = 3 if min(warmup) > SLOW else STEPS_MIN
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    seconds, begin = [], time.perf_counter()
    while len(seconds) < steps_min or time.perf_counter() - begin < args.seconds:
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
