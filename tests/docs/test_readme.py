"""What README.md shows works, on the software card."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from alsamm import sim
from alsamm.cli import main

README = (Path(__file__).parents[2] / "README.md").read_text()
MAKEFILE = (Path(__file__).parents[2] / "Makefile").read_text()
PYTHON = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SHELL = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SOUND = "/usr/share/sounds/alsa/Front_Center.wav"


@pytest.fixture
def card() -> Iterator[sim.Card]:
    with sim.Card("readme", clock="auto") as card:
        yield card


def run(code: str, card: sim.Card) -> dict[str, object]:
    names: dict[str, object] = {}
    exec(compile(code.replace("hw:0", card.device), "README.md", "exec"), names)
    return names


def test_there_are_examples() -> None:
    assert len(PYTHON) == 5
    assert len(SHELL) == 2


@pytest.mark.parametrize("code", PYTHON, ids=["play", "record", "duplex", "ring", "sim"])
def test_every_example_runs(code: str, card: sim.Card) -> None:
    run(code, card)


def test_what_is_played_is_the_tone(card: sim.Card) -> None:
    tone = run(PYTHON[0], card)["tone"]
    assert isinstance(tone, np.ndarray)
    np.testing.assert_array_equal(card.played()[: len(tone), 0], tone)


def test_what_is_heard_is_played_at_half_the_level(card: sim.Card, capsys: pytest.CaptureFixture[str]) -> None:
    heard = np.random.default_rng(6).integers(-32_768, 32_768, (48_000, 2), "i2")
    card.feed(heard)
    run(PYTHON[2], card)
    offset = int(capsys.readouterr().out)
    np.testing.assert_array_equal(card.played()[offset : offset + len(heard)], heard // 2)


def test_what_is_played_by_periods_is_a_second_of_the_tone(card: sim.Card) -> None:
    run(PYTHON[3], card)
    time = np.arange(750 * 64)
    expected = np.rint(0.2 * np.sin(time * 2 * np.pi * 440 / 48_000) * 32_768)
    played = card.played()[: len(time)].astype("f8")
    assert np.abs(played - expected[:, None]).max() <= 1  # float32, and a phase that was added up otherwise


def test_what_is_recorded_is_heard(card: sim.Card) -> None:
    heard = np.random.default_rng(5).integers(-32_768, 32_768, (48_000, 2), "i2")
    card.feed(heard)
    np.testing.assert_array_equal(run(PYTHON[1], card)["take"], heard)


def test_the_make_targets_exist() -> None:
    targets = re.findall(r"^make (\S+)", SHELL[0], re.MULTILINE)
    assert targets == ["demo", "test"]
    assert all(re.search(rf"^{target}:", MAKEFILE, re.MULTILINE) for target in targets)


def test_the_commands_run(card: sim.Card, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for line in SHELL[1].splitlines():
        words = shlex.split(line, comments=True)
        assert words[:3] == ["python", "-m", "alsamm"]
        names = {"song.wav": SOUND, "take.wav": str(tmp_path / "take.wav"), "hw:0": card.device}
        arguments = [names.get(word, word) for word in words[3:]]
        if "--seconds" in arguments:
            arguments[-1] = "0.1"
        if arguments and arguments[0] in ("play", "record", "demo"):
            arguments += ["--device", card.device]
        assert main(arguments) == 0, capsys.readouterr().err


def test_what_the_demo_prints(capsys: pytest.CaptureFixture[str]) -> None:
    main(["demo", SOUND, "--device", "sim:"])
    shown = README.partition("no sound card here for playback")[2].partition("```")[0].splitlines()[1:]
    printed = capsys.readouterr().out.splitlines()[1:]
    keep = re.compile(r" in [\d.]+ s$")  # the time it took
    assert [keep.sub("", line) for line in printed] == [keep.sub("", line) for line in shown]
