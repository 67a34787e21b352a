"""bench: it times what it says, on rings that never start."""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

import pytest

import alsamm
from alsamm import sim
from alsamm.cli import bench
from alsamm.cli.bench_subjects import CALLS, COPY, NUMPY
from alsamm.cli.turns import EMPTY, statement
from tests.cli.conftest import Cli


@pytest.fixture(autouse=True)
def quicker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_QUICK", 8)


def can_import(name: str) -> bool:
    try:
        importlib.import_module(name)
    except (ImportError, OSError):  # OSError: there is no PortAudio
        return False
    return True


def test_the_table(cli: Cli) -> None:
    with sim.Card("real", clock="auto", refuse_control=True) as card:
        done = cli("bench", "--quick", "--device", card.device)
        assert (done.code, done.err) == (0, "")
        assert len(card.played()) == 0
        with alsamm.PCM(card.device, "playback"), alsamm.PCM(card.device, "capture"):
            pass  # which are free again
    assert sys.version.split()[0] in done.told("versions")
    lines = done.out.splitlines()
    (heading,) = (line for line in lines if "sim:real (status mapped, control SYNC_PTR)" in line)
    assert heading.split()[:2] == ["mapped", "SYNC_PTR"]
    for call in CALLS:
        (row,) = (line for line in lines if line.startswith(f"{call}  "))
        assert row.count(" ns ") == (2 if call.endswith("float32") else 3)
    assert ("pyalsaaudio writes 256 frames to null" in done.out) == can_import("alsaaudio")
    assert ("sounddevice writes 256 frames to null" in done.out) == can_import("sounddevice")
    (yardstick,) = (line for line in lines if line.startswith(COPY))
    assert yardstick.endswith(" 1.00x")


def test_for_programs(cli: Cli) -> None:
    before = os.environ.get("ALSA_CONFIG_PATH")
    done = cli("bench", "--quick", "--json")
    told: dict[str, Any] = json.loads(done.out)
    assert os.environ.get("ALSA_CONFIG_PATH") == before
    for call in CALLS:
        mapped, ioctl = (told["ns"][f"{call} | {column}"] for column in ("mapped", "SYNC_PTR"))
        assert mapped["low"] <= mapped["ns"] <= mapped["high"]
        assert ioctl["ns"] > mapped["ns"]
    assert told["ns"][NUMPY]["ns"] > told["ns"][COPY]["ns"] > 0


def test_more_work_takes_longer() -> None:
    found = bench._timed([statement("one", "f(100)", f=range), statement("ten", "f(100)\n" * 10, f=range)], 20)
    assert 4 < found["ten"].ns / found["one"].ns < 25
    assert found[EMPTY].ns > 0


@pytest.mark.parametrize(
    ("device", "complaint"), [("hw:99", "hw:99: "), ("nosuch", "nosuch: "), ("null", "null is a NULL PCM")]
)
def test_devices_that_are_none(cli: Cli, device: str, complaint: str) -> None:
    done = cli("bench", "--device", device)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert complaint in done.err


def test_an_unplugged_card(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    once = bench._timed
    with sim.Card("pulled", clock="auto") as card:

        def timed(*arguments: Any) -> Any:
            card.unplug()
            return once(*arguments)

        monkeypatch.setattr(bench, "_timed", timed)
        done = cli("bench", "--quick", "--device", card.device)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert done.err.startswith("alsamm: sim:pulled: ")
