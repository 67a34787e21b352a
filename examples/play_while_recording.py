"""Play a file or a chirp while recording, and put both into one WAV file, aligned to the frame.

python examples/play_while_recording.py --device hw:0 both.wav
python examples/play_while_recording.py --device hw:0 both.wav --play song.wav

The left channel is what was played, the right one what was heard. ``DuplexStream.exchange`` has taken the buffers'
latency out; what is left is the converters', the cable's and the air's, and correlation measures it.
"""

from __future__ import annotations

import argparse
import sys
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import alsamm

TAIL = 0.1  # seconds of silence, so that a late end is heard too


def chirp(rate: int) -> Any:
    """A second from 100 Hz to 8 kHz, each octave as long as the others."""
    time = np.arange(rate) / rate
    octaves = np.log(80)
    return np.rint(16_000 * np.sin(2 * np.pi * 100 / octaves * np.expm1(octaves * time))).astype("i2")


def first_channel(path: Path) -> tuple[Any, int]:
    """Samples and rate of a WAV file."""
    with wave.open(str(path), "rb") as file:
        if file.getsampwidth() != np.dtype("i2").itemsize:
            raise SystemExit(f"{path}: 16-bit files only")
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return samples[:: file.getnchannels()], file.getframerate()


def compare(played: Any, heard: Any) -> tuple[float, float]:
    """By how many frames ``heard`` is late, and how alike the two are then: 1.0 if the same but for volume."""
    size = 2 * len(played)
    product = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(played, size))
    alike = np.abs(np.fft.irfft(product, size)) / max(1.0, np.linalg.norm(played) * np.linalg.norm(heard))
    peak = int(alike.argmax())
    before, top, after = (float(alike[(peak + n) % size]) for n in (-1, 0, 1))
    between = (after - before) / (2 * (2 * top - before - after)) if top else 0.0  # the top of a parabola
    return (peak + between + len(played)) % size - len(played), top


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, record, write both, and tell the offset and what was left of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="the WAV file to write")
    parser.add_argument("--play", type=Path, help="a 16-bit WAV file instead of the chirp")
    parser.add_argument("--device", default="hw:0")
    parser.add_argument("--capture", help="the device to hear from, if it is another one")
    options = parser.parse_args(arguments)

    rate = 48_000
    sound = chirp(rate)
    if options.play is not None:
        sound, rate = first_channel(options.play)
    sound = np.concatenate([sound, np.zeros(round(TAIL * rate), "i2")])
    with alsamm.duplex(options.device, options.capture, rate=rate) as io:
        heard = io.exchange(np.stack([sound, sound], axis=1))[:, 0]
        print(f"offset {io.offset} frames, taken out; {io.playback.stats.xruns} xruns")

    late, alike = compare(sound.astype("f8"), heard.astype("f8"))
    print(f"residual {late:+.2f} frames ({late / rate * 1000:+.3f} ms), correlation {alike:.4f}")
    with wave.open(str(options.file), "wb") as file:
        file.setparams((2, 2, rate, len(sound), "NONE", ""))
        file.writeframes(np.stack([sound, heard], axis=1).astype("<i2").tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
