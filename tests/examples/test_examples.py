"""Each example does what it says, on software cards: what was played, written and told is looked at."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import wave
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]

from alsamm import sim
from tests.examples import kit
from tests.examples.kit import RATE, ctrl_c_after, exact_tone, half_scale_sine, loudest, noise, place_of, with_echo


@dataclass(frozen=True)
class Run:
    """What came of an example."""

    card: sim.Card
    fed: Any
    printed: str
    folder: Path

    def ppm(self, what: str) -> float:
        """The last figure printed after ``what``."""
        return float(re.findall(rf"{re.escape(what)} ([+-][\d.]+)", self.printed)[-1])


def hear_score(run: Run) -> None:
    played = run.card.played()
    assert loudest(played[: RATE // 2, 0], 1) == pytest.approx([440], abs=1)
    assert loudest(played[RATE // 2 : RATE, 1], 2) == pytest.approx([523.251, 659.255], abs=1)
    assert not played[: RATE // 8].any(axis=1).all(), "a sine begins at 0"
    assert not played[RATE + RATE // 10 :].any(), "silence after the release"
    assert "0 xruns" in run.printed


def hear_typed(run: Run) -> None:
    played = run.card.played()
    first = int(played.any(axis=1).argmax())
    assert loudest(played[first : first + RATE // 2, 0], 3) == pytest.approx([261.626, 329.628, 391.995], abs=1)


def hear_echo(run: Run) -> None:
    told = re.search(r"linked, ([\d.]+) ms", run.printed)
    assert told
    latency = round(float(told[1]) * RATE / 1000)
    assert latency == 3 * 128
    expected = with_echo(run.fed, 4800 // 128 * 128 + 128, 0.5)
    np.testing.assert_array_equal(run.card.played()[latency:][: len(expected)], expected)
    assert "real-time: " in run.printed
    assert "0 xruns" in run.printed


def hear_the_wire(run: Run) -> None:
    place_of(run.fed[100:20_000] // 2, run.card.played())
    assert re.search(r"[1-9]\d* frames, 0 xruns", run.printed)


def see_levels(run: Run) -> None:
    line = "1: peak   -6.0 RMS   -9.0   2: peak -120.0 RMS -120.0 dBFS"
    assert run.printed == 2 * f"{line}\n"


def see_a_redrawn_level(run: Run) -> None:
    assert "\n" not in run.printed[:-1]
    lines = run.printed.strip("\n").split("\r")
    assert len(lines) == 1 + 2 * 20
    assert all(re.fullmatch(r"1: peak +-6\.0 RMS +-9\.0   2: peak -120\.0 .*", line) for line in lines[1:])


def hear_the_tone(run: Run) -> None:
    played = run.card.played()[:, 0]
    frames = [*range(5000), *range(20 * RATE - 5000, 20 * RATE)]
    np.testing.assert_array_equal(played[frames], exact_tone("1000/3", 0.25, frames))
    assert run.ppm("card") == pytest.approx(100, abs=1)
    heard = re.findall(r"s: ([\d.]+)", run.printed)
    assert float(heard[-1]) == pytest.approx(1000 / 3 * 1.0001, abs=1e-3)


def read_flac(run: Run) -> None:
    taken, rate = soundfile.read(
        run.folder / "take.flac", dtype="int16" if run.fed.dtype == np.dtype("i2") else "int32"
    )
    assert rate == RATE
    np.testing.assert_array_equal(taken, run.fed[: 3 * RATE // 2])
    assert re.findall(r"(\S+) recorded, (\S+) left, 0 xruns", run.printed) == [("0:01", "0:00"), ("0:01", "0:00")]


def read_interrupted_flac(run: Run) -> None:
    taken, _ = soundfile.read(run.folder / "take.flac", dtype="int16")
    assert RATE // 4 < len(taken) < 3 * RATE
    np.testing.assert_array_equal(taken, run.fed[: len(taken)])
    assert f"take.flac: {len(taken)} frames" in run.printed


def read_both(run: Run) -> None:
    with wave.open(str(run.folder / "both.wav"), "rb") as file:
        assert (file.getnchannels(), file.getframerate()) == (2, RATE)
        played, heard = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2).T
    assert np.abs(played).max() > 5000
    np.testing.assert_array_equal(played, heard)
    assert "residual +0.00 frames (+0.000 ms), correlation 1.0000" in run.printed


def read_both_of_the_file(run: Run) -> None:
    read_both(run)
    with wave.open(str(run.folder / "both.wav"), "rb") as file:
        sent = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    np.testing.assert_array_equal(sent[: len(SONG), 0], SONG[:, 0])


def hear_answers(run: Run) -> None:
    played = run.card.played()
    first, second = place_of(SPEECH[0], played), place_of(SPEECH[1], played)
    assert first + len(SPEECH[0]) < second
    assert run.printed.count("answered") == 2
    assert "interrupted" not in run.printed
    assert "level" in run.printed


def hear_an_interruption(run: Run) -> None:
    told = re.search(r"interrupted after (\d+) of (\d+) frames", run.printed)
    assert told
    assert int(told[1]) <= int(told[2])
    played = run.card.played()
    place_of(LONG[:1000], played)
    with pytest.raises(AssertionError, match="not one"):
        place_of(LONG, played)
    place_of(SPEECH[1], played)


def see_drift(run: Run) -> None:
    assert run.ppm(run.card.device) == pytest.approx(0, abs=2)
    assert run.ppm("sim:other") == pytest.approx(100, abs=2)
    assert run.ppm("drift") == pytest.approx(100, abs=2)
    assert run.printed.count("\n") == 30 + ("matplotlib" in run.printed)


def see_drift_plotted(run: Run) -> None:
    see_drift(run)
    png = (run.folder / "drift.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert len(png) > 10_000


SONG = noise(0.7, 3)
SPEECH = [noise(0.3, 4), noise(0.3, 5)]
LONG = noise(1.0, 6)


def speech(*parts: Any) -> Any:
    """Utterances, or seconds of silence."""
    return np.concatenate([np.zeros((round(p * RATE), 2), "i2") if isinstance(p, float) else p for p in parts])


def full_scale(sound: Any) -> Any:
    """As 24 bits in the upper part of 32."""
    return (sound.astype("i4") << 16) + (sound.astype("i4") & 0xFF00)


@dataclass(frozen=True)
class Case:
    """An example, what it gets, and how to look at what came of it. ``{}`` in arguments: a new folder."""

    name: str
    arguments: list[str]
    check: Callable[[Run], None]
    fed: Any = None
    typed: str = ""
    card: dict[str, Any] = field(default_factory=dict)
    terminal: bool = False
    ctrl_c: float | None = None
    missing: str | None = None


REAL = {"clock": "realtime"}
INTEGERS = {"formats": ["S16_LE"]}  # as cards have them, where the example has floats
TAKE = "{}/take.flac"
DRIFT = ["--other", "sim:other", "--seconds", "30"]
CASES = {
    "synth": Case("synth", ["A4:0.5 C5+E5:0.5 R:0.2"], hear_score),
    "synth-typed": Case("synth", [], hear_typed, typed="C4 E4 G4\nX\n"),
    "effect": Case("effect", ["--seconds", "1.5", "--delay", "0.1", "--realtime"], hear_echo, noise(1), card=INTEGERS),
    "callback": Case(
        "callback", ["--seconds", "0.8", "--gain", "0.5"], hear_the_wire, 2 * noise(1), card=REAL | INTEGERS
    ),
    "meter": Case("meter", ["--seconds", "2"], see_levels, half_scale_sine(3), card=INTEGERS),
    "meter-terminal": Case(
        "meter", ["--seconds", "2"], see_a_redrawn_level, half_scale_sine(3), card=INTEGERS, terminal=True
    ),
    "tone": Case("tone", ["1000/3", "--seconds", "20.5"], hear_the_tone, card={"ppm": 100.0}),
    "record_flac": Case("record_flac", [TAKE, "--seconds", "1.5"], read_flac, noise(2)),
    "record_flac-24": Case("record_flac", [TAKE, "--seconds", "1.5", "--bits", "24"], read_flac, full_scale(noise(2))),
    "record_flac-ctrl-c": Case("record_flac", [TAKE], read_interrupted_flac, noise(5), card=REAL, ctrl_c=0.7),
    "play_while_recording": Case("play_while_recording", ["{}/both.wav"], read_both, card={"loop": True}),
    "play_while_recording-file": Case(
        "play_while_recording", ["{}/both.wav", "--play", "{}/song.wav"], read_both_of_the_file, card={"loop": True}
    ),
    "chat_echo": Case("chat_echo", ["--seconds", "4"], hear_answers, speech(0.2, SPEECH[0], 1.2, SPEECH[1]), card=REAL),
    "chat_echo-interrupted": Case(
        "chat_echo", ["--seconds", "4"], hear_an_interruption, speech(0.2, LONG, 0.6, SPEECH[1]), card=REAL
    ),
    "drift": Case("drift", DRIFT, see_drift),
    "drift-plot": Case("drift", [*DRIFT, "--play", "--png", "{}/drift.png"], see_drift_plotted),
    "drift-without-matplotlib": Case(
        "drift", [*DRIFT, "--png", "{}/drift.png"], see_drift, missing="matplotlib.figure"
    ),
}


@pytest.fixture
def cards() -> Generator[Callable[..., sim.Card]]:
    with ExitStack() as stack:

        def make(clock: Any = "auto", **options: Any) -> sim.Card:
            stack.enter_context(sim.Card("other", clock="auto", ppm=100.0))
            return stack.enter_context(sim.Card("example", clock=clock, **options))

        yield make


def _params() -> list[Any]:
    """Those in real time have the machine to themselves, and drift has two clocks to compare."""
    timed = {name for name, case in CASES.items() if case.card.get("clock") == "realtime" or case.name == "drift"}
    return [
        pytest.param(case, id=name, marks=[pytest.mark.alone] if name in timed else []) for name, case in CASES.items()
    ]


@pytest.mark.parametrize("case", _params())
def test_it_does_what_it_says(
    case: Case, cards: Callable[..., sim.Card], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = cards(**case.card)
    if case.fed is not None:
        card.feed(case.fed)
    monkeypatch.setattr(sys, "stdin", io.StringIO(case.typed))
    if case.missing is not None:
        monkeypatch.setitem(sys.modules, case.missing, None)
    with wave.open(str(tmp_path / "song.wav"), "wb") as file:
        file.setparams((2, 2, RATE, len(SONG), "NONE", ""))
        file.writeframes(SONG.tobytes())
    arguments = [word.replace("{}", str(tmp_path)) for word in case.arguments]
    with ctrl_c_after(case.ctrl_c):
        code, printed = kit.run(case.name, [*arguments, "--device", card.device], terminal=case.terminal)
    print(printed)
    assert code == (case.missing is not None), printed
    case.check(Run(card, case.fed, printed, tmp_path))


def test_every_example_has_a_case() -> None:
    assert {case.name for case in CASES.values()} == set(kit.NAMES)


@pytest.mark.parametrize("name", kit.NAMES)
def test_it_is_a_script_that_tells_what_it_is_for(name: str) -> None:
    script = kit.EXAMPLES / f"{name}.py"
    done = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"python examples/{name}.py" in done.stdout
