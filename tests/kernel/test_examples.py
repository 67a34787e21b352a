"""The examples on real drivers. What is heard and said is looked at where the lab has a loop: on snd-aloop.

There an example has a mouth to listen to, and an ear that hears it, each on a substream of its own.
"""

from __future__ import annotations

import re
import shlex
import threading
import wave
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]

import alsamm
from tests.examples import kit
from tests.examples.kit import RATE, exact_tone, half_scale_sine, loudest, noise, place_of, with_echo

SIZES: dict[str, Any] = {"period_size": 1024, "buffer_size": 16 * 1024}


@dataclass
class Run:
    """What came of an example; ``heard`` by the ear, None where the device has no loop."""

    printed: str
    folder: Path
    heard: Any = None


@contextmanager
def mouth(device: str, sound: Any) -> Generator[None]:
    """Say ``sound`` again and again."""
    stop = threading.Event()
    out = alsamm.playback(device, **SIZES)  # before the example comes: snd-aloop's ends take the format of the first

    def say() -> None:
        with out:
            while not stop.is_set():
                for begin in range(0, len(sound), RATE // 10):
                    out.write(sound[begin : begin + RATE // 10])
                    if stop.is_set():
                        break

    with _thread(say, stop):
        yield


@contextmanager
def ear(device: str) -> Generator[list[Any]]:
    """Keep all that is heard."""
    stop = threading.Event()
    blocks: list[Any] = []
    mic = alsamm.capture(device, **SIZES)

    def hear() -> None:
        with mic:
            while not stop.is_set():
                blocks.append(mic.read())
            assert mic.stats.xruns == 0

    with _thread(hear, stop):
        yield blocks


@contextmanager
def _thread(work: Callable[[], None], stop: threading.Event) -> Generator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def first_of(sound: Any) -> int:
    """Where it begins to be heard."""
    assert sound.any(), "nothing was heard"
    return int(sound.any(axis=1).argmax())


def hear_notes(run: Run) -> None:
    assert re.search(r"\d+ frames, 0 xruns", run.printed)
    if run.heard is not None:
        first = first_of(run.heard)
        assert loudest(run.heard[first : first + RATE // 2, 0], 1) == pytest.approx([440], abs=1)
        second = run.heard[first + RATE // 2 + RATE // 10 :][: RATE // 2 - RATE // 10, 0]
        assert loudest(second, 2) == pytest.approx([523.251, 659.255], abs=1.5)


def hear_echo(run: Run) -> None:
    assert re.search(r"\d+ frames, 0 xruns", run.printed)
    if run.heard is not None:
        echoed = with_echo(CALL[RATE : 2 * RATE], 9 * 512, 0.5)
        place_of(echoed[: RATE * 3 // 4], run.heard)


def hear_the_wire(run: Run) -> None:
    assert re.search(r"\d+ frames, 0 xruns", run.printed)
    if run.heard is not None:
        place_of(SAID[100:20_000], run.heard)


def see_levels(run: Run) -> None:
    lines = run.printed.splitlines()
    assert len(lines) == 3
    quiet = "1: peak -120.0 RMS -120.0   2: peak -120.0 RMS -120.0 dBFS"
    loud = "1: peak   -6.0 RMS   -9.0   2: peak -120.0 RMS -120.0 dBFS"
    assert lines[-1] == (quiet if run.heard is None else loud)


def hear_the_tone(run: Run) -> None:
    assert re.search(r"card [+-][\d.]+ \+- [\d.]+ ppm; 0 xruns", run.printed)
    if run.heard is not None:
        first = first_of(run.heard) - 1  # frame 0 of a sine is 0
        sound = run.heard[first : first + 2 * RATE, 0]
        np.testing.assert_array_equal(sound, exact_tone("1000/3", 0.25, range(2 * RATE)))


def read_flac(run: Run) -> None:
    taken, rate = soundfile.read(run.folder / "take.flac", dtype="int16")
    assert (len(taken), rate) == (2 * RATE, RATE)
    assert "0:02 recorded, 0:00 left, 0 xruns" in run.printed
    if run.heard is not None:
        place_of(SAID[:20_000], taken)


def read_both(run: Run) -> None:
    with wave.open(str(run.folder / "both.wav"), "rb") as file:
        played, heard = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2).T
    assert np.abs(played).max() > 5000
    assert "taken out; 0 xruns" in run.printed
    if run.heard is not None:
        np.testing.assert_array_equal(played, heard)
        assert "residual +0.00 frames (+0.000 ms), correlation 1.0000" in run.printed


def hear_answers(run: Run) -> None:
    assert "level" in run.printed
    assert ("answered" in run.printed) == (run.heard is not None)
    if run.heard is not None:
        place_of(SPEECH[RATE // 2 :][: RATE // 4], run.heard)


def see_drift(run: Run) -> None:
    told = re.findall(r"drift ([+-][\d.]+) ppm", run.printed)
    assert len(told) == 4
    assert abs(float(told[-1])) < 3000  # an emulated card's clock is no crystal


SAID = noise(1.0, 8)
CALL = np.concatenate([np.zeros((RATE, 2), "i2"), noise(0.3, 7), np.zeros((10 * RATE, 2), "i2")])
SPEECH = np.concatenate([np.zeros((RATE // 2, 2), "i2"), noise(0.3, 9), np.zeros((RATE // 2, 2), "i2")])


@dataclass(frozen=True)
class Case:
    """Arguments: PLAY and HEAR are devices of the example's, BACK a pair that hears itself, {} a folder."""

    arguments: str
    check: Callable[[Run], None]
    said: Any = None


PLAY, HEAR = "--device PLAY", "--device PLAY --capture HEAR"
CASES = {
    "synth": Case(f"'A4:0.5 C5+E5:0.5' --period 512 --periods 16 --realtime {PLAY}", hear_notes),
    "effect": Case(f"--seconds 3 --delay 0.096 --period 512 --periods 8 {HEAR}", hear_echo, CALL),
    "callback": Case(f"--seconds 2 --latency 0.17 {HEAR}", hear_the_wire, SAID),
    "meter": Case("--seconds 3 --device HEAR", see_levels, half_scale_sine(1)),
    "tone": Case(f"1000/3 --seconds 3 {PLAY}", hear_the_tone),
    "record_flac": Case("{}/take.flac --seconds 2 --device HEAR", read_flac, SAID),
    "play_while_recording": Case("{}/both.wav --device BACKP --capture BACKC", read_both),
    "chat_echo": Case(f"--seconds 5 {HEAR}", hear_answers, SPEECH),
    "drift": Case("--play --seconds 4 --device HEAR --other PLAY", see_drift),
}


@pytest.mark.needs("playback")
@pytest.mark.needs("capture")
@pytest.mark.parametrize("name", kit.NAMES)
def test_it_does_what_it_says(device: dict[str, Any], name: str, tmp_path: Path) -> None:
    case = CASES[name]
    names = {"PLAY": device["playback"], "HEAR": device["capture"]}
    names |= {"BACKP": device["playback"], "BACKC": device["capture"]}
    with ExitStack() as stack:
        heard = None
        if device["driver"] == "snd-aloop":
            way = {**names}
            names = {"PLAY": way["PLAY"] + ",SUBDEV=2", "HEAR": way["HEAR"] + ",SUBDEV=1"}
            names |= {"BACKP": way["PLAY"] + ",SUBDEV=3", "BACKC": way["HEAR"] + ",SUBDEV=3"}
            heard = stack.enter_context(ear(way["HEAR"] + ",SUBDEV=2"))
            if case.said is not None:
                stack.enter_context(mouth(way["PLAY"] + ",SUBDEV=1", case.said))
        words = [names.get(word, word).replace("{}", str(tmp_path)) for word in shlex.split(case.arguments)]
        code, printed = kit.run(name, words)
    print(printed)
    assert code == 0, printed
    case.check(Run(printed, tmp_path, None if heard is None else np.concatenate(heard)))
