"""monitor: levels, the ring's picture, and how it ends."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import alsamm
from alsamm import sim
from alsamm.cli.levels import Level
from alsamm.cli.live import Held
from alsamm.cli.ring_picture import Place, ring_lines
from alsamm.enums import Direction
from tests.cli.conftest import Cli, Done

PLAYBACK, CAPTURE = Direction.PLAYBACK, Direction.CAPTURE


# ---- the ring's picture ----


EMPTY_NOW = (Place(320, 320, 160, 40, 1600, PLAYBACK), "................", "*               ")
FULL_NOW = (Place(320, 480, 160, 40, 1600, PLAYBACK), "################", "*               ")
PLAYING = (Place(340, 400, 160, 40, 1600, PLAYBACK), "..######........", "  H     A       ")
OVER_THE_END = (Place(450, 510, 160, 40, 1600, PLAYBACK), "###..........###", "   A         H  ")
HEARING = (Place(400, 340, 160, 40, 1600, CAPTURE), "..######........", "  A     H       ")
AT_THE_BOUNDARY = (Place(1560, 40, 160, 40, 1600, PLAYBACK), "####........####", "    A       H   ")
LATE_PLAYING = (Place(400, 340, 160, 40, 1600, PLAYBACK), "................", "  A     H       ")
LATE_HEARING = (Place(700, 340, 160, 40, 1600, CAPTURE), "################", "  A   H         ")


@pytest.mark.parametrize(
    ("place", "ring", "pointers"),
    [EMPTY_NOW, FULL_NOW, PLAYING, OVER_THE_END, HEARING, AT_THE_BOUNDARY, LATE_PLAYING, LATE_HEARING],
)
def test_pictures(place: Place, ring: str, pointers: str) -> None:
    periods, drawn, points = ring_lines(place, 16)
    assert (periods[:16], drawn[:16], points[:16]) == ("|   |   |   |   ", ring, pointers)
    assert f"{place.fill} of 160 frames" in drawn
    assert points.endswith(f"H hw_ptr {place.hw_ptr}   A appl_ptr {place.appl_ptr}")


def test_periods_that_are_too_many_are_left_out() -> None:
    assert ring_lines(Place(0, 0, 160, 10, 1600, PLAYBACK), 16)[0] == " " * 16 + "  periods of 10"


@given(
    period=st.integers(1, 5000),
    periods=st.integers(2, 40),
    hw=st.integers(0, 1 << 62),
    fill=st.integers(0, 200_000),
    width=st.integers(8, 120),
    direction=st.sampled_from(Direction),
)
def test_every_ring_can_be_drawn(*, period: int, periods: int, hw: int, fill: int, width: int, direction: Any) -> None:
    size = period * periods
    boundary = size << 20
    ahead = (hw + fill % (size + 1)) % boundary
    pointers = (hw % boundary, ahead) if direction is PLAYBACK else (ahead, hw % boundary)
    place = Place(*pointers, size, period, boundary, direction)
    assert place.fill == fill % (size + 1)
    lines = ring_lines(place, width)
    assert abs(lines[1][:width].count("#") - place.fill * width / size) <= 1
    assert sorted(lines[2][:width].strip(" ").replace(" ", "")) in (["*"], ["A", "H"])


# ---- levels ----


def test_peaks_and_overs_are_held() -> None:
    held, quiet = Held(1), Level(-40.0, -50.0, over=False)
    assert held.take([Level(0.0, -10.0, over=True)], 0.0) == [(0.0, -10.0, True)]
    assert held.take([quiet], 1.0) == [(0.0, -50.0, True)]
    assert held.take([quiet], 2.0) == [(-40.0, -50.0, True)]
    assert held.take([Level(-30.0, -50.0, over=False)], 4.5) == [(-30.0, -50.0, False)]
    assert held.overs == 1
    assert Held(2).take([Level(-math.inf, -math.inf, over=False)] * 2, 9.0)[1].peak == -math.inf


# ---- the command ----


@pytest.fixture
def card() -> Iterator[sim.Card]:
    with sim.Card("heard", clock="auto", formats=["S16_LE"]) as made:
        yield made


def test_levels_of_what_is_heard(cli: Cli) -> None:
    sine = 16_384 * np.sin(np.arange(5 * 48_000) * 2 * np.pi / 48)
    with sim.Card("sings", clock="realtime", formats=["S16_LE"]) as card:
        card.feed(np.stack([sine, 0 * sine], axis=1).astype("i2"))
        done = cli("monitor", card.device, "--seconds", "1.3", "--period", "480", "--buffer", "4800")
    assert (done.code, done.err) == (0, "")
    (line,) = (line for line in done.out.splitlines() if " s  peak" in line)
    assert re.match(r" +1\.\d s  peak   -6\.0 RMS   -9\.0 dBFS, 0 overs; fill +\d+%; xruns 0; clock [+-]\d", line)
    assert done.told("xruns") == "0; 0 frames lost"
    assert "period 480, buffer 4800 frames" in done.told("geometry")


def test_a_tone_is_played(cli: Cli, card: sim.Card) -> None:
    done = cli("monitor", card.device, "--tone", "1000", "--seconds", "0.5")
    assert done.code == 0
    played = card.played()[:48_000].astype("f8") / 32_768
    assert np.abs(played).max() == pytest.approx(0.1, abs=0.001)
    assert np.abs(np.fft.rfft(played[:, 0])).argmax() == 1000
    assert (played[:, 0] == played[:, 1]).all()


def test_what_alsa_lib_makes_has_no_ring(cli: Cli) -> None:
    done = cli("monitor", "null", "--seconds", "0.2")
    assert (done.code, done.err) == (0, "")


def test_xruns_are_counted(cli: Cli, card: sim.Card, monkeypatch: pytest.MonkeyPatch) -> None:
    read = alsamm.CaptureStream.read_available
    turns = iter(range(1 << 30))

    def stumble(self: alsamm.CaptureStream) -> Any:
        if next(turns) in (3, 7):
            card.xrun("capture")
        return read(self)

    monkeypatch.setattr(alsamm.CaptureStream, "read_available", stumble)
    assert cli("monitor", card.device, "--seconds", "0.3").told("xruns").startswith("2; ")


@pytest.mark.parametrize("options", [[], ["--tone", "440"]])
def test_an_unplugged_card(cli: Cli, options: list[str]) -> None:
    with sim.Card("pulled", clock="realtime") as card:
        timer = threading.Timer(0.3, card.unplug)
        timer.start()
        done = cli("monitor", card.device, "--seconds", "20", *options)
        timer.join()
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert done.err.startswith("alsamm: sim:pulled: ")
    assert "frames:" in done.out


def start(command: str, output: int, *options: str) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-m", "alsamm", command, "sim:", *options]
    return subprocess.Popen(arguments, stdout=output, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("command", ["monitor", "loop"])
def test_ctrl_c(command: str) -> None:
    with start(command, subprocess.PIPE) as process:
        assert process.stdout
        while not re.match(r" +1\.\d s  ", process.stdout.readline()):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert Done(130, out, err).told("xruns")


@pytest.mark.parametrize("command", ["monitor", "loop"])
def test_a_closed_pipe(command: str) -> None:
    readable, writable = os.pipe()
    os.close(readable)
    with start(command, writable) as process:
        os.close(writable)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (1, "alsamm: nobody reads the output any more (closed pipe)\n")


def test_on_a_terminal() -> None:
    leader, terminal = os.openpty()
    with start("monitor", terminal, "--seconds", "1") as process:
        os.close(terminal)
        shown = ""
        end = time.monotonic() + 30
        while "clock:" not in shown:
            assert time.monotonic() < end
            shown += os.read(leader, 10_000).decode()
    os.close(leader)
    assert process.returncode == 0
    assert "periods of 1200" in shown
    assert "A appl_ptr" in shown
    assert re.search(r"\n  2 \S*····", shown)


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("monitor", "nosuch"), 1, "nosuch: "),
        (("monitor", "hw:99"), 1, "hw:99: "),
        (("monitor", "--tone", "0"), 2, "'0' is no frequency above 0"),
        (("monitor", "sim:", "--tone", "24000"), 1, "24000 Hz: less than half of the rate, 48000 Hz"),
        (("monitor", "--seconds", "nan"), 2, "'nan' is no number of seconds above 0"),
        (("monitor", "--channels", "0"), 2, "'0' is no whole number above 0"),
    ],
)
def test_nonsense(cli: Cli, arguments: tuple[str, ...], code: int, complaint: str) -> None:
    done = cli(*arguments)
    assert (done.code, done.err.count("\n")) == (code, 1)
    assert complaint in done.err
