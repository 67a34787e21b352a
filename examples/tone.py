"""A tone of exact frequency, and how exact the card is.

python examples/tone.py --device hw:0 440
python examples/tone.py --device hw:0 1000/3

The phase is a fraction of whole numbers, so after hours it is still the right one. How fast the card itself is,
``stream.clock`` finds out: it compares the card's position with the machine's clock.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction

import numpy as np

import alsamm


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the tone until Ctrl-C, telling the measured frequency every second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frequency", type=Fraction, nargs="?", default=Fraction(440), help="Hz: 440, 432.1, 1000/3")
    parser.add_argument("--device", default="hw:0")
    parser.add_argument("--rate", type=int, default=48_000)
    parser.add_argument("--amplitude", type=float, default=0.25, help="of full scale")
    parser.add_argument("--seconds", type=float, help="stop then")
    options = parser.parse_args(arguments)

    with suppress(KeyboardInterrupt), alsamm.playback(options.device, rate=options.rate) as out:
        turns = Fraction(options.frequency) / out.rate  # in a frame
        p, q = turns.numerator, turns.denominator
        if not 0 <= 2 * p <= q or q * out.period_size >= 1 << 62:
            parser.error(f"{options.frequency} Hz: 0 to half the rate, and of fewer digits")
        ahead = np.arange(out.period_size) * p % q
        at = 0  # frame n is at n * p / q turns; this is n * p modulo q, of unlimited size and without an error
        count = None if options.seconds is None else round(options.seconds * out.rate / out.period_size)
        told = 0
        for period in out.periods(count):
            angle = 2 * np.pi * ((at + ahead) % q / q)
            period[...] = np.rint(32767 * options.amplitude * np.sin(angle))[:, None]
            at = (at + out.period_size * p) % q

            out.time()  # teaches the clock
            if out.frame >= told + out.rate:
                told, clock = out.frame, out.clock
                heard, error = float(turns) * clock.rate, float(options.frequency) * clock.rate_error_ppm * 1e-6
                card = f"card {clock.ppm:+.2f} +- {clock.rate_error_ppm:.2f} ppm"
                print(
                    f"{told // out.rate} s: {heard:.6f} +- {error:.6f} Hz; {card}; {out.stats.xruns} xruns", flush=True
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
