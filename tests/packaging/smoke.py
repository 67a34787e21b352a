"""Run by each Python that the wheel is installed for: what it plays and records on the software card is what was sent.

Prints where the package was found; its argument is a folder to leave a sound file in.
"""

from __future__ import annotations

import platform
import sys
import wave
from pathlib import Path

import cffi
import numpy as np

import alsamm
from alsamm import sim


def main() -> None:
    ramp = np.arange(-3000, 3000, dtype="i2")
    with sim.Card("smoke", clock="auto") as card:
        with alsamm.playback(card.device, rate=48_000, channels=1) as out:
            out.write(ramp)
        played = card.played()[:, 0].tolist()
        start = played.index(-3000)
        assert played[start : start + ramp.size] == ramp.tolist()
    with sim.Card("smoke", clock="auto") as card:
        card.feed(ramp.reshape(-1, 1))
        with alsamm.capture(card.device, rate=48_000, channels=1) as mic:
            heard = mic.read(ramp.size)
        assert heard[:, 0].tolist() == ramp.tolist()
    with wave.open(str(Path(sys.argv[1], "ramp.wav")), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(ramp.tobytes())
    print(platform.python_version(), f"numpy {np.__version__}", f"cffi {cffi.__version__}", alsamm.__file__)


main()
