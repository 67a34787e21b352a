"""Processes: killed, stopped, forked; others that hold the card, users who may not open it, limits that are reached."""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import alsamm
from tests.kernel.faultkit import BUFFER_SECONDS, PATIENCE, Course, Place, course, keep_row, no_descriptors, until
from tests.kernel.faultroads import CALLBACKS, ROADS, machine_code

NOBODY = 65_534


def fork(work: Callable[[int], None]) -> tuple[int, int]:
    """A child that works, with a descriptor to tell by; its pid, and the descriptor to hear it by."""
    hear, tell = os.pipe()
    sys.stdout.flush()
    if child := os.fork():
        os.close(tell)
        return child, hear
    try:
        os.close(hear)
        work(tell)
    except BaseException as error:  # noqa: BLE001 -- told to the parent
        os.write(tell, f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(0)


def told_by(work: Callable[[], object]) -> str:
    """What comes of work in a child of its own; ``Error: text`` for what it raises."""

    def tell_it(tell: int) -> None:
        os.write(tell, str(work()).encode())

    child, hear = fork(tell_it)
    with os.fdopen(hear, "rb") as told:
        text = told.read().decode()
    os.waitpid(child, 0)
    return text


def playing_child(place: Place, road: str) -> int:
    """A child that plays for ever; returns once it does."""

    def play(tell: int) -> None:
        made = Course(place, road)
        made.begin()
        os.write(tell, b"plays")
        made.ended.wait()
        os.write(tell, repr(made.error).encode())

    child, hear = fork(play)
    with os.fdopen(hear, "rb", buffering=0) as told:
        assert told.read(100) == b"plays"
    return child


# ---- killed and stopped ----


@pytest.mark.shown("aloop", "usb")
def test_killed(place: Place, road: str) -> None:
    child = playing_child(place, road)
    assert "closed" not in place.states()[-1:]
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    moment = time.monotonic()
    place.is_free()
    keep_row("kill -9", road, place.name, "free at once", (time.monotonic() - moment) / BUFFER_SECONDS)
    place.plays()


@pytest.mark.shown("aloop", "usb")
def test_stopped_for_two_seconds(place: Place, road: str) -> None:
    """kill -STOP, -CONT: one xrun, recovered from, every frame numbered."""

    def play(tell: int) -> None:
        made = Course(place, road)
        made.begin()
        os.write(tell, b"plays")
        until(lambda: made.road.io.xruns > 0 or made.ended.is_set(), "an xrun")
        if made.error is None:
            made.goes_on()
            made.check_numbers()
        os.write(tell, f"{made.road.io.xruns} {type(made.error).__name__}".encode())

    child, hear = fork(play)
    with os.fdopen(hear, "rb", buffering=0) as told:
        assert told.read(100) == b"plays"
        os.kill(child, signal.SIGSTOP)
        time.sleep(2)
        moment = time.monotonic()
        os.kill(child, signal.SIGCONT)
        said = told.read(1000).decode()
    os.waitpid(child, 0)
    after = (time.monotonic() - moment) / BUFFER_SECONDS
    if road == "reserve":  # a ring of one's own tells, and leaves it to its owner
        assert said == "0 Underrun", said
        keep_row("stopped for 2 s", road, place.name, "Underrun", after)
    else:
        assert said == "1 NoneType", said
        keep_row("stopped for 2 s", road, place.name, "goes on, 1 xrun", after)
    place.is_free()


# ---- forked ----


def _use(made: Course) -> str:
    """Each call of the child's is refused, and closing is harmless."""
    calls: list[Callable[[], Any]] = [made.road.io.avail, made.road.io.drop, made.road.io.prepare]
    if made.name not in CALLBACKS:
        calls += [made.road.turn if made.name not in {"periods", "asyncio"} else made.road.io.start]
    for call in calls:
        try:
            call()
        except alsamm.ClosedError:
            continue
        return f"{call} was not refused"
    made.road.close()
    return "ClosedError"


CHILDREN: dict[str, Callable[[Course], str]] = {
    "exits": lambda _made: "",
    "uses it": _use,
    "execs": lambda _made: (
        subprocess.run(["ls", "-l", "/proc/self/fd"], capture_output=True, text=True, check=True).stdout
    ),
}


@pytest.mark.shown("aloop", "usb")
@pytest.mark.parametrize("child", [*CHILDREN, "multiprocessing"])
def test_forked(place: Place, road: str, child: str) -> None:
    """The parent's stream goes on, whatever the child does."""
    with course(place, road) as made:
        made.begin()
        if child == "multiprocessing":
            process = multiprocessing.get_context("fork").Process(target=_use, args=(made,))
            process.start()
            process.join(PATIENCE)
            said = str(process.exitcode)
            process.close()
            assert said == "0"
        else:
            said = told_by(lambda: CHILDREN[child](made))
        assert child != "uses it" or said == "ClosedError", said
        assert "/dev/snd" not in said
        made.goes_on()
        made.check_numbers()
        keep_row(f"fork, the child {child}", road, place.name, f"goes on, {made.road.io.xruns} xruns", 0)


# ---- the descriptor ----


@pytest.mark.shown("aloop", "usb")
@pytest.mark.roads(*(name for name in ROADS if name != "plughw"))
@pytest.mark.parametrize("reused", [False, True], ids=["closed", "reused"])
def test_descriptor_closed_behind_our_back(place: Place, road: str, reused: bool, tmp_path: Path) -> None:
    """It ends with an error or goes on; another file at the number is never written to, changed, nor closed."""
    path = tmp_path / "other"
    path.write_bytes(b"x" * 4096)
    with path.open("r+b", buffering=0) as other, course(place, road) as made:
        made.begin()
        number = made.road.fd
        moment = time.monotonic()
        if reused:
            os.dup2(other.fileno(), number)
        else:
            os.close(number)
        end = time.monotonic() + 2 * BUFFER_SECONDS + 1.5
        while not made.ended.is_set() and time.monotonic() < end:
            time.sleep(0.01)
        made.stop()
        after = (made.ended_at - moment) / BUFFER_SECONDS
        assert made.error is None or isinstance(made.error, (alsamm.AlsaError, OSError, TimeoutError)), made.error
        if not reused and road != "asyncio":  # whose loop polls alsa-lib's number
            assert isinstance(made.error, alsamm.ClosedError), repr(made.error)
        with contextlib.suppress(alsamm.AlsaError):  # what a callback ended with
            made.road.close()
        if reused:
            assert os.fstat(number).st_ino == os.fstat(other.fileno()).st_ino, "closed a file that is not ours"
            assert os.get_blocking(number)
            assert os.lseek(number, 0, os.SEEK_CUR) == 0
            os.close(number)
        assert path.read_bytes() == b"x" * 4096
        outcome = "goes on" if made.error is None else type(made.error).__name__
        keep_row(f"descriptor {'reused' if reused else 'closed'}", road, place.name, outcome, after)


# ---- limits ----


@pytest.mark.shown("aloop", "usb")
def test_out_of_descriptors(place: Place, road: str) -> None:
    """An open fails whole, with what the system says, until there are enough of them."""
    machine_code()
    assert _refusal(place, road) is None, "what is made once in a process is made now"
    refusals = 0
    with no_descriptors() as held:
        while (error := _refusal(place, road)) is not None:
            assert error.errno == errno.EMFILE, error
            assert "ulimit -n" in str(error)
            refusals += 1
            os.close(held.pop())
    assert refusals
    place.is_free()
    keep_row("out of descriptors, at open", road, place.name, "AlsaOSError EMFILE", 0)


def _refusal(place: Place, road: str) -> alsamm.AlsaOSError | None:
    try:
        ROADS[road](place.pcm("playback"), "playback").close()
    except alsamm.AlsaOSError as error:
        return error
    return None


@pytest.mark.shown("aloop")
@pytest.mark.roads("mapped", "SYNC_PTR", "reserve", "periods", "blocking", "callback", "C callback", "plughw")
def test_out_of_descriptors_while_it_runs(place: Place, road: str) -> None:
    """A stream that is open needs no more of them, to move, drain and close."""
    with course(place, road) as made:
        made.begin()
        with no_descriptors():
            made.goes_on()
            if road not in CALLBACKS:
                made.stop()
                if road not in {"periods", "reserve"}:
                    made.road.turn()  # in the main thread, which looks for signals as well
            made.road.drain()
        assert made.error is None
        keep_row("out of descriptors, under way", road, place.name, "goes on, drains, closes", 0)


@pytest.mark.shown("hda")
@pytest.mark.roads("mapped", "SYNC_PTR", "blocking", "callback", "plughw")
def test_out_of_memory(place: Place, road: str) -> None:
    """RLIMIT_AS: an open fails whole, with MemoryError or what the kernel says, and can be made again."""

    def work() -> str:
        pages = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        refused: set[str] = set()
        for spare in range(0, 3 << 20, 16 << 10):
            resource.setrlimit(resource.RLIMIT_AS, (pages + spare, resource.RLIM_INFINITY))
            try:
                opened = ROADS[road](place.pcm("playback"), "playback")
            except (alsamm.AlsaError, OSError, MemoryError, RuntimeError) as error:
                resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                refused.add(type(error).__name__)
                del error
                place.is_free()
                continue
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            opened.close()
            break
        place.is_free()
        return "then opens" + "".join(f", {name}" for name in sorted(refused))

    said = told_by(work)
    assert said.startswith("then opens"), said
    keep_row("out of memory, at open", road, place.name, said, 0)


@pytest.mark.shown("hda")
@pytest.mark.roads("mapped", "blocking", "callback", "C callback")
def test_no_memory_may_be_locked(place: Place, road: str) -> None:
    """RLIMIT_MEMLOCK of 64 KiB, no rights: realtime() says what was not granted, and the stream plays all the same."""

    def work() -> str:
        made = Course(place, road)
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (65_536, 65_536))
        resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
        os.setuid(NOBODY)
        with alsamm.realtime() as granted:
            made.begin()
            made.stop()
        assert made.error is None
        made.road.close()
        assert not granted.memory_locked
        return " ".join(granted.advice)

    said = told_by(work)
    assert "RLIMIT_RTPRIO is 0" in said
    assert "RLIMIT_MEMLOCK is 64 KiB" in said
    keep_row("no memory may be locked", road, place.name, "plays; realtime() tells", 0)


# ---- others ----


@pytest.mark.shown("hda", "usb")
def test_busy(place: Place, road: str) -> None:
    child = playing_child(place, "mapped")
    moment = time.monotonic()
    try:
        with pytest.raises(alsamm.DeviceBusyError, match=rf"{child}\b"):
            ROADS[road](place.pcm("playback"), "playback")
        after = (time.monotonic() - moment) / BUFFER_SECONDS
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    place.is_free()
    keep_row("busy", road, place.name, "DeviceBusyError, naming the process", after)


@pytest.mark.shown("hda")
def test_not_allowed(place: Place, road: str) -> None:
    def work() -> str:
        os.setgroups([])
        os.setuid(NOBODY)
        try:
            ROADS[road](place.pcm("playback"), "playback")
        except alsamm.DeviceAccessError:
            return "DeviceAccessError"
        return "opened"

    machine_code()  # which nobody may not compile
    assert told_by(work) == "DeviceAccessError"
    keep_row("not allowed", road, place.name, "DeviceAccessError", 0)
