"""Record to FLAC, with the time that is left, until Ctrl-C, which keeps what was recorded.

pip install soundfile
python examples/record_flac.py --device hw:0 take.flac --bits 24

Shows that a read which Ctrl-C ends has lost nothing: what it had is what the next one begins with.
"""

from __future__ import annotations

import argparse
import math
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import soundfile  # type: ignore[import-untyped]

import alsamm


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Record, telling every second how it goes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--device", default="hw:0")
    parser.add_argument("--rate", type=int, default=48_000)
    parser.add_argument("--channels", type=int, default=2)
    parser.add_argument("--bits", type=int, choices=(16, 24), default=16)
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop then")
    options = parser.parse_args(arguments)

    dtype = "i2" if options.bits == 16 else "i4"  # noqa: PLR2004 -- of an i4 FLAC keeps the upper 24 bits
    disk = options.file.absolute().parent
    ending = "\r" if sys.stdout.isatty() else "\n"
    with (
        # A long buffer, for a disk may be slow now and then.
        alsamm.capture(options.device, rate=options.rate, channels=options.channels, dtype=dtype, latency=0.5) as mic,
        soundfile.SoundFile(options.file, "w", mic.rate, mic.channels, f"PCM_{options.bits}", format="FLAC") as file,
    ):

        def tell() -> None:
            done = file.frames / mic.rate
            fits = shutil.disk_usage(disk).free / (mic.rate * mic.channels * options.bits / 8)
            left = clock(min(options.seconds - done, fits))
            print(f"{clock(done)} recorded, {left} left, {mic.stats.xruns} xruns", end=ending, flush=True)

        try:
            while (missing := options.seconds * mic.rate - file.frames) > 0:
                file.write(mic.read(round(min(missing, mic.rate))))
                tell()
        except KeyboardInterrupt:
            file.write(mic.read_available())
            tell()
        print(f"{options.file}: {file.frames} frames")
    return 0


if __name__ == "__main__":
    sys.exit(main())
