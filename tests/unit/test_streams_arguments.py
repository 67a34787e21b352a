"""What is asked of streams that cannot be is refused by an error of alsamm's that says why."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim

TYPE, VALUE = alsamm.ArgumentTypeError, alsamm.ArgumentError
Ask = Callable[[Any], Any]


@pytest.fixture
def card() -> Generator[sim.Card]:
    with sim.Card("arguments", clock="auto") as made:
        yield made


def refused(kind: type[Exception], says: str, ask: Callable[[], Any]) -> None:
    with pytest.raises(kind, match=says) as caught:
        ask()
    assert type(caught.value) is kind


@pytest.mark.parametrize("device", [5, b"hw:0", None])
def test_devices(device: Any) -> None:
    for kind in (alsamm.playback, alsamm.capture, alsamm.duplex):
        refused(TYPE, "a PCM's name", partial(kind, device))


@pytest.mark.parametrize("nearest", [True, False])
@pytest.mark.parametrize("name", ["rate", "channels", "period_size", "buffer_size"])
@pytest.mark.parametrize(
    ("value", "kind"), [(0, VALUE), (-1, VALUE), (1.5, TYPE), ("4", TYPE), (True, TYPE), ([], TYPE)]
)
def test_numbers_of_a_device(card: sim.Card, name: str, value: Any, kind: type[Exception], nearest: bool) -> None:
    wishes: dict[str, Any] = {name: value, "nearest": nearest}
    refused(kind, name, lambda: alsamm.playback(card.device, **wishes))


def test_numpys_numbers(card: sim.Card) -> None:
    wishes: dict[str, Any] = {"rate": np.int64(48_000), "channels": np.uint8(1), "period_size": np.int16(480)}
    with alsamm.playback(card.device, **wishes) as out:
        assert (out.rate, out.channels, out.period_size) == (48_000, 1, 480)
        second: Any = np.float32(1)
        out.write(np.zeros(100, "i2"), timeout=second)


@pytest.mark.parametrize("latency", [[], True, b"low", 1j])
def test_latencies(card: sim.Card, latency: Any) -> None:
    refused(TYPE, "latency", lambda: alsamm.playback(card.device, latency=latency))


_PLAYBACK: list[tuple[Ask, type[Exception], str]] = [
    (lambda s: s.write(np.zeros(100, s.dtype), "a"), TYPE, "timeout"),
    (lambda s: s.write([np.zeros(100, s.dtype)], "a"), TYPE, "timeout"),
    (lambda s: s.write([np.zeros(100, s.dtype)], -1), VALUE, "timeout -1"),
    (lambda s: s.write([np.zeros(100, s.dtype)], float("nan")), VALUE, "timeout nan"),
    (lambda s: s.wait("a"), TYPE, "timeout"),
    (lambda s: s.drain("a"), TYPE, "timeout"),
    (lambda s: s.pcm.wait("a"), TYPE, "timeout"),
    (lambda s: s.reserve("a").__enter__(), TYPE, "frames"),
    (lambda s: s.reserve(1.5).__enter__(), TYPE, "frames"),
    (lambda s: s.reserve(-1).__enter__(), VALUE, "frames = -1: 0 or more"),
    (lambda s: next(s.periods("a")), TYPE, "count"),
    (lambda s: next(s.periods(1.5)), TYPE, "count"),
    (lambda s: next(s.periods(-1)), VALUE, "count"),
    (lambda s: s.start("a"), TYPE, "time_ns"),
    (lambda s: s.start(1.5), TYPE, "time_ns"),
    (lambda s: s.start(2**70), VALUE, "CLOCK_MONOTONIC"),
]


@pytest.mark.parametrize(("ask", "kind", "says"), _PLAYBACK)
def test_playback(card: sim.Card, ask: Ask, kind: type[Exception], says: str) -> None:
    for dtype in ("i2", "f4"):
        with alsamm.playback(card.device, channels=1, format="S16_LE", dtype=dtype) as out:
            refused(kind, says, partial(ask, out))
            out.drop()


_CAPTURE: list[tuple[Ask, type[Exception], str]] = [
    (lambda s: s.read("a"), TYPE, "frames"),
    (lambda s: s.read(1.5), TYPE, "frames"),
    (lambda s: s.read(-1), VALUE, "frames = -1: 0 or more"),
    (lambda s: s.read(2**62), VALUE, "4611686018427387903 at the most"),
    (lambda s: s.read(2**70), VALUE, "4611686018427387903 at the most"),
    (lambda s: s.read(10, "a"), TYPE, "timeout"),
    (lambda s: s.read_available(5), TYPE, "an array or a buffer, not int"),
    (lambda s: s.read_available([1]), TYPE, "an array or a buffer, not list"),
    (lambda s: s.read_available(bytes(8)), VALUE, "read-only"),
    (lambda s: next(s.periods(1.5)), TYPE, "count"),
    (lambda s: s.recover("a"), TYPE, "timeout"),
]


@pytest.mark.parametrize(("ask", "kind", "says"), _CAPTURE)
def test_capture(card: sim.Card, ask: Ask, kind: type[Exception], says: str) -> None:
    with alsamm.capture(card.device, channels=1) as mic:
        refused(kind, says, lambda: ask(mic))


def test_what_is_there_into_a_buffer(card: sim.Card) -> None:
    """A bytearray's slices are copies: the frames must not go there."""
    with sim.Card("arguments_loop", clock="auto", loop=True) as loop:
        out = alsamm.playback(loop.device, channels=1)
        mic = alsamm.capture(loop.device, channels=1)
        mic.start()
        out.write(np.ones(4000, "i2"))
        out.drain()
        room = bytearray(2 * 1000)
        got = mic.read_available(room)
        assert len(got) == 1000
        np.testing.assert_array_equal(np.ravel(got), np.frombuffer(room, "i2"))
        out.close()
        mic.close()
    del card


@pytest.mark.parametrize(
    ("wishes", "kind", "says"),
    [
        ({"link": 5}, TYPE, "link"),
        ({"link": 1}, TYPE, "link"),
        ({"resample": True, "link": True}, VALUE, "resample.*link"),
        ({"capture_device": 5}, TYPE, "a PCM's name"),
        ({"capture_channels": 0}, VALUE, "channels = 0: 1 or more"),
    ],
)
def test_duplex(card: sim.Card, wishes: dict[str, Any], kind: type[Exception], says: str) -> None:
    refused(kind, says, lambda: alsamm.duplex(card.device, **wishes))
    with alsamm.duplex(card.device) as io:  # nothing was left open
        refused(TYPE, "count", lambda: next(io.periods(1.5)))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_pages_are_left_alone_where_that_is_asked(card: sim.Card) -> None:
    for open_stream in (alsamm.playback, alsamm.capture):
        with open_stream(card.device) as stream:
            assert stream.transport == "mapped"
        with open_stream(card.device, force_sync_ptr=True) as stream:
            assert stream.transport == "SYNC_PTR"
        refused(alsamm.UnsupportedError, "null cannot be mapped", partial(open_stream, "null", force_sync_ptr=True))
    with alsamm.duplex(card.device, force_sync_ptr=True) as both:
        assert both.playback.transport == both.capture.transport == "SYNC_PTR"
