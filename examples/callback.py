"""A wire: what is heard is played, softer or louder, by a function that the card calls.

python examples/callback.py --device hw:0 --gain 0.5

Shows ``alsamm.Stream``, whose callback has sounddevice's parameters: programs of that form need little more than
another name. It runs in a thread of its own; this one only waits.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import alsamm


def main(arguments: Sequence[str] | None = None) -> int:
    """Be a wire until Ctrl-C, and tell of xruns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="hw:0")
    parser.add_argument("--capture", help="the device to hear from, if it is another one")
    parser.add_argument("--gain", type=float, default=1.0)
    parser.add_argument("--latency", type=float, default=0.02, help="seconds of sound in each buffer")
    parser.add_argument("--seconds", type=float, help="stop then")
    options = parser.parse_args(arguments)

    heard = xruns = 0

    def callback(indata: Any, outdata: Any, frames: int, time: Any, status: Any) -> None:  # noqa: ARG001
        nonlocal heard, xruns
        outdata[:] = options.gain * indata
        heard += frames
        xruns += bool(status)  # what there was since the call before

    wishes: dict[str, Any] = {"capture_device": options.capture, "dtype": "f4", "latency": options.latency}
    with alsamm.Stream(callback, options.device, **wishes) as wire, suppress(KeyboardInterrupt, TimeoutError):
        wire.wait(options.seconds)
    print(f"{heard} frames, {xruns} xruns")
    return 0


if __name__ == "__main__":
    sys.exit(main())
