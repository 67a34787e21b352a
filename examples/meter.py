"""A level meter: peak and RMS of each channel, in dB below full scale.

python examples/meter.py --device hw:0

Shows ``capture(...).read()``, and floats from a card that has integers. On a terminal one line is redrawn twenty times
a second; elsewhere there is a line for each second. RMS is of full scale too, so a sine is 3 dB below its peak.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

import alsamm

SILENCE = 1e-6  # -120 dB, for silence has no logarithm


def levels(block: Any) -> str:
    """Tell of each channel of (frames, channels)."""
    peaks = np.abs(block).max(axis=0)
    means = np.sqrt(np.square(block, dtype="f8").mean(axis=0))
    shown = 20 * np.log10(np.maximum([peaks, means], SILENCE))
    return "   ".join(f"{n}: peak {peak:6.1f} RMS {mean:6.1f}" for n, (peak, mean) in enumerate(shown.T, 1)) + " dBFS"


def main(arguments: Sequence[str] | None = None) -> int:
    """Show levels until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="hw:0")
    parser.add_argument("--channels", type=int, default=2)
    parser.add_argument("--seconds", type=float, help="stop then")
    options = parser.parse_args(arguments)

    redrawn = sys.stdout.isatty()
    with suppress(KeyboardInterrupt), alsamm.capture(options.device, channels=options.channels, dtype="f4") as mic:
        frames = mic.rate // 20 if redrawn else mic.rate
        for shown in itertools.count(1):
            told = levels(mic.read(frames))
            print(f"\r{told}" if redrawn else told, end="" if redrawn else "\n", flush=True)
            if options.seconds is not None and shown * frames >= options.seconds * mic.rate:
                break
    if redrawn:
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
