"""Reads a folder of event files with TensorBoard's own reader; tests/test_report.c wrote it.

Usage: read_events.py FOLDER. Exit status 0 when it says what the test means.
SPDX-License-Identifier: Apache-2.0
"""
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "histograms": 0})
events.Reload()
scalars = [(s.step, s.value) for s in events.Scalars("loss/train")]
assert scalars == [(0, 0.0), (10, 10.0), (20, 21.0)], scalars
histograms = events.Histograms("weights/a")
assert [h.step for h in histograms] == [26], histograms
value = histograms[0].histogram_value
assert value.num == 100 and sum(value.bucket) == 100, value
assert (value.min, value.max) == (-2, 2) and abs(value.sum - sum(i * 0.04 - 2 for i in range(100))) < 1e-6
assert len(value.bucket_limit) == 64 and value.bucket_limit[-1] == 2, value
