"""An echo: what is heard is played, and again a while later, softer each time.

python examples/effect.py --device hw:0 --delay 0.3 --feedback 0.5

Shows ``duplex(...).periods()``: what was captured and what is to be played, side by side. Mind your ears: without
headphones the microphone hears the echo too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np

import alsamm


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what is heard with its echo until Ctrl-C, and tell of xruns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="hw:0")
    parser.add_argument("--capture", help="the device to hear from, if it is another one")
    parser.add_argument("--period", type=int, default=128, help="frames")
    parser.add_argument("--periods", type=int, default=3, help="how many each buffer has")
    parser.add_argument("--delay", type=float, default=0.3, help="seconds, in whole periods")
    parser.add_argument("--feedback", type=float, default=0.5, help="how loud the echo is; below 1")
    parser.add_argument("--seconds", type=float, help="stop then")
    parser.add_argument("--realtime", action="store_true", help="as punctual as the system allows")
    options = parser.parse_args(arguments)

    with ExitStack() as stack:
        sizes: dict[str, Any] = {"period_size": options.period, "buffer_size": options.period * options.periods}
        io = stack.enter_context(alsamm.duplex(options.device, options.capture, dtype="f4", **sizes))
        if options.realtime:
            print(stack.enter_context(alsamm.realtime()))
        print(
            f"{'linked' if io.linked else 'not linked'}, {1000 * io.playback.buffer_size / io.rate:.1f} ms", flush=True
        )

        # The delay is a whole number of periods, so that nothing here ever wraps within one.
        delay = max(1, round(options.delay * io.rate / io.period_size))
        line = np.zeros((delay, io.period_size, io.playback.channels), "f4")
        count = None if options.seconds is None else round(options.seconds * io.rate / io.period_size)
        with suppress(KeyboardInterrupt):
            for turn, (heard, played) in enumerate(io.periods(count)):
                echo = line[turn % delay]  # what was played ``delay`` periods ago
                echo *= np.float32(options.feedback)
                echo += heard
                played[...] = echo
        print(f"{io.playback.stats.frames} frames, {io.playback.stats.xruns} xruns")
    return 0


if __name__ == "__main__":
    sys.exit(main())
