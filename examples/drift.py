"""How fast two cards are, and how they drift apart: a line a second, and a plot.

python examples/drift.py --device hw:0 --other hw:1 --png drift.png --seconds 300
python examples/drift.py --device hw:0 --other hw:1 --play    # plays silence on the second card

Shows ``stream.clock``, which each ``time()`` teaches. The plot needs matplotlib; the lines need nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

import alsamm


def serve(stream: alsamm.CaptureStream | alsamm.PlaybackStream) -> None:
    """Wait for a period, hear or play all that there is, and compare the clocks."""
    stream.wait()
    if isinstance(stream, alsamm.CaptureStream):
        stream.read_available()
    else:
        stream.write_available(np.zeros((stream.room, stream.channels), stream.dtype))
    stream.time()


def plot(path: Path, names: Sequence[str], rows: Sequence[Sequence[float]]) -> None:
    """Draw both clocks with their uncertainty, and the drift."""
    from matplotlib.figure import Figure  # noqa: PLC0415 -- only who asks for a plot needs it

    seconds, one, one_error, two, two_error = np.array(rows).T
    figure = Figure(figsize=(8, 6), layout="constrained")
    axes: Any = figure.subplots(2, sharex=True)
    for name, ppm, error in ((names[0], one, one_error), (names[1], two, two_error)):
        axes[0].plot(seconds, ppm, label=name)
        axes[0].fill_between(seconds, ppm - error, ppm + error, alpha=0.3)
    axes[0].set_ylabel("faster than nominal, ppm")
    axes[0].legend()
    axes[1].plot(seconds, two - one)
    axes[1].set_ylabel(f"{names[1]} against {names[0]}, ppm")
    axes[1].set_xlabel("seconds")
    figure.savefig(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare until Ctrl-C, then draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="hw:0", help="captured from")
    parser.add_argument("--other", default="hw:1", help="captured from too")
    parser.add_argument("--play", action="store_true", help="play on the other one instead")
    parser.add_argument("--png", type=Path, metavar="FILE", help="draw a plot")
    parser.add_argument("--seconds", type=float, help="stop then")
    options = parser.parse_args(arguments)

    rows: list[tuple[float, ...]] = []
    names = [options.device, options.other]
    other_way = alsamm.playback if options.play else alsamm.capture
    with (
        suppress(KeyboardInterrupt),
        alsamm.capture(options.device, latency=0.2) as one,
        other_way(options.other, latency=0.2) as two,
    ):
        one.start()
        if not options.play:
            two.start()  # a playback starts when its buffer is full
        while options.seconds is None or one.frame < options.seconds * one.rate:
            serve(one)
            serve(two)
            if one.frame >= (len(rows) + 1) * one.rate:
                a, b = one.clock, two.clock
                rows.append((one.frame / one.rate, a.ppm, a.rate_error_ppm, b.ppm, b.rate_error_ppm))
                each = "  ".join(
                    f"{name} {c.ppm:+.2f} +- {c.rate_error_ppm:.2f}" for name, c in zip(names, (a, b), strict=True)
                )
                print(f"{len(rows)} s: {each}  drift {b.ppm - a.ppm:+.2f} ppm", flush=True)
    if options.png is not None and rows:
        try:
            plot(options.png, names, rows)
        except ModuleNotFoundError:
            print("no plot without matplotlib: pip install matplotlib", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
