#!/usr/bin/env python3
"""Writes tests/mel_fixture.h: log-mel and MFCC features that librosa computes of one signal.

    pip install librosa==0.11.0 && tests/oracle/mel.py >tests/mel_fixture.h

A frame of librosa's is n_fft samples long with the window in its middle; ours starts at its first
sample and is padded with zeros behind. Zeros around the signal make the two cover the same samples.
SPDX-License-Identifier: Apache-2.0
"""
import librosa
import numpy as np

CASES = [  # name, kind, rate, frame, hop, fft, mels, coefficients, low, high, htk, area norm
    ("htk", "log_mel", 8000, 256, 128, 256, 20, 20, 20.0, 4000.0, True, False),
    ("slaney", "log_mel", 16000, 400, 160, 512, 40, 40, 0.0, 8000.0, False, True),
    ("mfcc", "mfcc", 8000, 200, 80, 256, 24, 10, 20.0, 3800.0, True, False),
]
SAMPLES = 1200


def signal():
    """A chirp, a tone that comes late, and noise, as 16-bit integers."""
    t = np.arange(SAMPLES) / 8000
    x = 0.4 * np.sin(2 * np.pi * (300 * t + 8000 * t * t))
    x += 0.2 * np.sin(2 * np.pi * 1800 * t) * (t > 0.06)
    x += 0.001 * np.random.default_rng(1).standard_normal(SAMPLES)
    return np.round(x * 32768).astype(np.int16)


def features(pcm, case):
    _, kind, rate, frame, hop, fft, mels, coefficients, low, high, htk, area = case
    left = (fft - frame) // 2
    y = np.pad(pcm.astype(np.float64) / 32768, (left, fft - frame - left))
    s = librosa.feature.melspectrogram(
        y=y, sr=rate, n_fft=fft, hop_length=hop, win_length=frame, window="hann", center=False,
        power=2.0, n_mels=mels, fmin=low, fmax=high, htk=htk, norm="slaney" if area else None,
        dtype=np.float64)
    db = librosa.power_to_db(s, ref=1.0, amin=1e-10, top_db=None)
    if kind == "mfcc":
        db = librosa.feature.mfcc(S=db, n_mfcc=coefficients, dct_type=2, norm="ortho")
    return db.T


def rows(values, text):
    lines, line = [], "   "
    for v in values:
        word = " " + text(v) + ","
        if len(line) + len(word) > 100:
            lines.append(line)
            line = "   "
        line += word
    return "\n".join(lines + [line])


def main():
    pcm = signal()
    print(f"""/* Features that librosa {librosa.__version__} computes: written by tests/oracle/mel.py.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_MEL_FIXTURE_H
#define HONE_TESTS_MEL_FIXTURE_H

#include <stdint.h>

#include "datasets/mel.h"
#include "runtime/frontend.h"

/* clang-format off */
enum {{ MEL_PCM = {SAMPLES} }};
static const int16_t mel_pcm[MEL_PCM] = {{
{rows(pcm, str)}
}};
""")
    table = []
    for case in CASES:
        name, kind, rate, frame, hop, fft, mels, coefficients, low, high, htk, area = case
        v = features(pcm, case)
        print(f"static const float mel_{name}[{v.shape[0]} * {v.shape[1]}] = {{")
        print(rows(v.ravel(), lambda x: f"{x:.5f}f") + "\n};\n")
        table.append(
            f'    {{"{name}", {{.kind = HONE_RT_FRONT_{kind.upper()}, .rate = {rate}, '
            f".clip = MEL_PCM,\n     .frame = {frame}, .hop = {hop}, .fft = {fft}, "
            f".frames = {v.shape[0]}, .mels = {mels}, .coefficients = {coefficients},\n"
            f"     .scale = HONE_RT_FRONT_{'HTK' if htk else 'SLANEY'}, "
            f".area_norm = {str(area).lower()}, .low_hz = {low}f, .high_hz = {high}f,\n"
            f"     .floor = 1e-10f}}, mel_{name}}},")
    print("static const struct MelCase {\n    const char *name;\n    MelSpec spec;\n"
          "    const float *values; /* [frames][coefficients] */\n} mel_cases[] = {")
    print("\n".join(table))
    print("};\n/* clang-format on */\n\n#endif")


if __name__ == "__main__":
    main()
