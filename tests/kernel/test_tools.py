"""The command line's tools on real drivers: latency, top, monitor, loop."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import State
from alsamm.cli import bench
from alsamm.cli.ring_picture import place_of
from tests.kernel.test_end_to_end import alsamm as tool
from tests.kernel.test_end_to_end import value

PERIOD, BUFFER = 1024, 8192  # snd-aloop moves by ticks of 4 ms (rule P11)
SIZES = ("--period", str(PERIOD), "--buffer", str(BUFFER))
LONG = 22 * 4 * PERIOD  # two seconds: an emulated machine takes its time for a table; HDA has at most 32 periods
PATIENCE = 60


def half(device: dict[str, Any], way: str, number: int) -> str:
    """A direction's name; of snd-aloop's substreams one that is the case's own."""
    name = str(device[way])
    return f"{name},SUBDEV={number}" if device["driver"] == "snd-aloop" else name


@pytest.mark.needs("loop")
def test_latency_over_a_loopback_is_exact_every_time(device: dict[str, Any]) -> None:
    """It is the buffer, full of silence when both start on one trigger: the noise comes back so many frames later.

    ``exact`` says that from that frame on every sample that was recorded is the one that was played.
    """
    told = json.loads(
        tool("latency", half(device, "playback", 4), "--times", "20", "--within", "0.05", "--json", *SIZES)
    )
    print(told)
    assert told["device"].endswith("DEV=1,SUBDEV=4")
    assert [(run["frames"], run["exact"], run["channels"]) for run in told["runs"]] == 20 * [(BUFFER, True, [1, 2])]
    assert {run["offset"] for run in told["runs"]} == {BUFFER}
    assert told["jitter"] == told["beyond_min"] == told["beyond_max"] == 0


# ---- top ----


def seen_by_top(stream: Any, card: str) -> dict[str, Any]:
    """The row of our stream, and no other's of this process on that card in that direction."""
    way = str(stream.pcm.direction)
    rows = json.loads(tool("top", "--json"))["pcms"]
    (row,) = (
        row
        for row in rows
        if row["name"].startswith(f"hw:{card},")
        and row["direction"] == way
        and row["owner"]
        and row["owner"]["pid"] == os.getpid()
    )
    return dict(row)


def agree(stream: Any, card: str) -> None:
    """What top tells is what the stream is, between how it was before and how it is after."""
    before = stream.ring.snapshot(hwsync=True)
    row = seen_by_top(stream, card)
    after = stream.ring.snapshot(hwsync=True)
    print(row)
    told = [row[key] for key in ("format", "channels", "rate", "period_size", "buffer_size", "state")]
    assert told == [str(stream.format), stream.channels, stream.rate, stream.period_size, stream.buffer_size, "RUNNING"]
    assert before.hw_ptr <= row["hw_ptr"] <= after.hw_ptr
    assert row["appl_ptr"] == after.appl_ptr
    assert row["owner"]["user"] == "root"
    assert row["fill"] == max(0, abs(row["appl_ptr"] - row["hw_ptr"]))


@pytest.mark.needs("playback")
def test_top_tells_what_plays(device: dict[str, Any]) -> None:
    name, card = half(device, "playback", 5), str(device["card"])
    with alsamm.playback(name, period_size=4 * PERIOD, buffer_size=LONG, on_xrun="raise") as out:
        out.write(np.zeros((LONG, 2), "i2"))
        agree(out, card)
        end = time.monotonic() + PATIENCE
        while out.state is not State.XRUN:
            assert time.monotonic() < end
            time.sleep(0.05)
        row, now = seen_by_top(out, card), place_of(out.ring)
        # Not always empty: snd-usb-audio stops by itself, a period before the last frames are told as played.
        assert now is not None
        assert (row["state"], row["fill"], row["xruns_seen"]) == ("XRUN", now.fill, 1)
        out.prepare()
        assert seen_by_top(out, card)["state"] == "PREPARED"
        lines = [line for line in tool("top").splitlines() if f" {os.getpid()} " in line]
        assert any(line.startswith(f"hw:{card},") and "PREPARED" in line for line in lines)
        out.drop()


@pytest.mark.needs("capture")
def test_top_tells_what_records(device: dict[str, Any]) -> None:
    name = half(device, "capture", 5)
    with alsamm.capture(name, period_size=16 * PERIOD, buffer_size=4 * LONG) as mic:  # which USB could not
        mic.read(4 * PERIOD)
        agree(mic, str(device["card"]))


# ---- monitor and loop ----


@pytest.mark.needs("loop")
def test_monitor_tells_the_level_of_what_is_played(device: dict[str, Any]) -> None:
    stop = threading.Event()
    block = np.tile((16_384 * np.sin(np.arange(48) * 2 * np.pi / 48)).astype("i2"), 100)
    out = alsamm.playback(half(device, "playback", 6), period_size=PERIOD, buffer_size=4 * BUFFER)

    def play() -> None:
        with out:
            while not stop.is_set():
                out.write(np.stack([block, 0 * block], axis=1))

    player = threading.Thread(target=play)
    player.start()
    try:  # snd-aloop's other side takes the format of the first, here 16 bits
        said = tool("monitor", half(device, "capture", 6), "--seconds", "2.2", *SIZES)
    finally:
        stop.set()
        player.join()
    print(said)
    assert re.search(r" 2\.\d s  peak   -6\.0 RMS   -9\.0 dBFS, 0 overs; fill +\d+%; xruns 0; clock [+-]", said)


@pytest.mark.needs("playback")
def test_monitor_of_a_tone(device: dict[str, Any]) -> None:
    said = tool("monitor", half(device, "playback", 7), "--tone", "440", "--seconds", "1.3", *SIZES)
    print(said)
    assert re.search(r" 1\.\d s  peak  -20\.0 RMS  -23\.0 dBFS", said)


@pytest.mark.needs("playback")
@pytest.mark.needs("capture")
def test_loop(device: dict[str, Any]) -> None:
    names = half(device, "playback", 7), "--capture", half(device, "capture", 7)
    said = tool("loop", *names, "--seconds", "1.3", *SIZES)
    print(said)
    assert value(said, "latency") == f"{BUFFER} frames (170.7 ms)"
    assert re.search(r" 1\.\d s  8192 frames \(170\.7 ms\) from in to out; xruns 0 playing, 0 capturing; load", said)


@pytest.mark.needs("playback")
def test_bench_on_a_real_ring(device: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Which stays silent: the card is not started."""
    monkeypatch.setattr(bench, "_QUICK", 8)
    name = half(device, "playback", 7)
    told = json.loads(tool("bench", "--quick", "--json", "--device", name))["ns"]
    mine = {row.removesuffix(f" | {name}"): timing for row, timing in told.items() if row.endswith(f" | {name}")}
    print({row: round(timing["ns"]) for row, timing in mine.items()})
    assert {"avail()", "commit()", "write 256 frames", "a period: avail, write, avail"} <= set(mine)
