"""Streams in asyncio where something happens meanwhile: the system sleeps, another task closes or reads too."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim


async def longest_hold(work: Callable[[], Awaitable[Any]]) -> float:
    """The longest time for which the work kept other tasks from running."""
    times: list[float] = []

    async def tick() -> None:
        while True:
            times.append(time.monotonic())
            await asyncio.sleep(0.01)

    ticking = asyncio.ensure_future(tick())
    await asyncio.sleep(0.02)
    await work()
    times.append(time.monotonic())
    ticking.cancel()
    return float(np.diff(times).max())


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 20))


# ---- a system that is asleep ----


def test_a_capture_that_stays_asleep() -> None:
    async def work() -> None:
        with sim.Card("aio_asleep", clock="realtime") as card:
            async with alsamm.capture(card.device, channels=1) as mic:
                await mic.read(100)
                card.suspend()

                async def read() -> None:
                    with pytest.raises(alsamm.SuspendedError):
                        await mic.read(10_000)

                began = time.monotonic()
                assert await longest_hold(read) < 0.3
                assert 1 < time.monotonic() - began < 3
                card.resume_power()
                assert len(await mic.read(1000)) == 1000
                assert mic.stream.stats.suspends == 1

    run(work())


def test_a_playback_that_wakes_up() -> None:
    async def work() -> None:
        with sim.Card("aio_wakes", clock="realtime") as card:
            async with alsamm.playback(card.device, channels=1) as out:
                await out.write(np.zeros(9600, "i2"))
                card.suspend()
                asyncio.get_running_loop().call_later(0.5, card.resume_power)
                assert await longest_hold(lambda: out.write(np.zeros(9600, "i2"))) < 0.3
                assert out.stream.stats.suspends == 1

    run(work())


def test_a_suspend_is_raised_where_it_is_to_be() -> None:
    async def work() -> None:
        with sim.Card("aio_raises", clock="realtime") as card:
            async with alsamm.capture(card.device, channels=1, on_xrun="raise") as mic:
                await mic.read(100)
                card.suspend()
                began = time.monotonic()
                with pytest.raises(alsamm.SuspendedError):
                    await mic.read(10_000)
                assert time.monotonic() - began < 0.5
                assert mic.stream.stats.suspends == 0

    run(work())


# ---- another task ----


def test_closing_ends_a_wait_and_leaves_the_descriptor_alone() -> None:
    async def work() -> None:
        with sim.Card("aio_closes", clock="realtime") as card:
            stream = alsamm.capture(card.device, channels=1, period_size=48_000, buffer_size=192_000)
            mic = await stream.__aenter__()
            (number,) = (fd for fd, _ in stream.pcm.poll_descriptors())
            reading = asyncio.ensure_future(mic.read(100_000))
            await asyncio.sleep(0.1)
            began = time.monotonic()
            mic.close()
            # Somebody else gets the number before the reader has run again.
            pairs = [socket.socketpair()]
            while all(end.fileno() != number for pair in pairs for end in pair):
                pairs.append(socket.socketpair())
            here, there = next(p if p[0].fileno() == number else p[::-1] for p in pairs if number in map(_fd, p))
            heard: list[bytes] = []
            asyncio.get_running_loop().add_reader(number, lambda: heard.append(here.recv(10)))
            with pytest.raises(alsamm.ClosedError):
                await reading
            assert time.monotonic() - began < 0.5
            there.send(b"x")
            await asyncio.sleep(0.05)
            assert heard == [b"x"]
            asyncio.get_running_loop().remove_reader(number)
            for end in (end for pair in pairs for end in pair):
                end.close()

    run(work())


def _fd(end: socket.socket) -> int:
    return end.fileno()


def test_leaving_by_an_exception_ends_another_tasks_wait() -> None:
    async def work() -> None:
        with sim.Card("aio_leaves", clock="realtime") as card:
            reading: list[asyncio.Future[Any]] = []

            async def leave() -> None:
                async with alsamm.capture(card.device, channels=1) as mic:
                    reading.append(asyncio.ensure_future(mic.read(100_000)))
                    await asyncio.sleep(0.1)
                    raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await leave()
            with pytest.raises(alsamm.ClosedError):
                await asyncio.wait_for(reading[0], 0.5)

    run(work())


def test_a_second_task_is_refused_and_the_first_goes_on() -> None:
    async def work() -> None:
        with sim.Card("aio_two", clock="realtime") as card:
            async with alsamm.capture(card.device, channels=1) as mic:
                first = asyncio.ensure_future(mic.read(20_000))
                await asyncio.sleep(0.1)
                for second in (mic.read(20_000), mic.read(1), mic.ready()):
                    with pytest.raises(alsamm.StateError, match="one task at a time"):
                        await second
                assert len(await first) == 20_000
            async with alsamm.playback(card.device, channels=1) as out:
                writing = asyncio.ensure_future(out.write(np.zeros(20_000, "i2")))
                await asyncio.sleep(0.1)
                with pytest.raises(alsamm.StateError, match="one task at a time"):
                    await out.write(np.zeros(10, "i2"))
                assert await writing == 20_000

    run(work())


def test_time_limits() -> None:
    async def work() -> None:
        with sim.Card("aio_limits", clock="realtime") as card:
            async with alsamm.capture(card.device) as mic:
                wrong: Any = "a"
                with pytest.raises(alsamm.ArgumentTypeError, match="timeout"):
                    await mic.ready(wrong)
                with pytest.raises(TimeoutError):
                    await mic.ready(0.05)
                assert len(await mic.read(100)) == 100

    run(work())
