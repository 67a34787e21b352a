"""Opens and closes with something going wrong at a random point, and what they leave behind.

A *life* opens something on a software card, uses it a little, and ends in one of many ways: closed in any order, left
by an exception, unplugged, refused, out of descriptors or memory, dropped into a garbage cycle. After many of them
nothing may have grown: descriptors, maps, threads, resident memory, what malloc has given out, Python's blocks.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import itertools
import os
import random
import resource
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import alsamm
from alsamm import sim
from tests.reliability.figures import keep

__all__ = ["LIVES", "Left", "count_left", "heap_bytes", "live", "lives"]

SIZES: dict[str, Any] = {"channels": 2, "period_size": 64, "buffer_size": 256}
BLOCK = np.zeros((100, 2), "i2")
_names = itertools.count()
_PR_SET_THP_DISABLE = 41


class Planned(Exception):  # noqa: N818 -- none of ours
    """What a program may raise in its own ``with`` block."""


@dataclass(frozen=True)
class Left:
    """What a process holds."""

    fds: int
    shared_maps: int
    maps: int
    threads: int
    blocks: int
    heap_bytes: int
    rss_bytes: int


class _Mallinfo2(ctypes.Structure):
    """glibc's, since 2.33."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    )  # fmt: skip


def heap_bytes() -> int:
    """What malloc has given out and not got back, to the byte: a leak shows in it long before it shows in RSS."""
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = _Mallinfo2
    info = mallinfo2()
    return int(info.uordblks + info.hblkhd)


def count_left() -> Left:
    """After the garbage was collected. From the first count on this process gets no huge pages: one of them for a few
    bytes looked like 2 MiB that were left.
    """
    ctypes.CDLL(None).prctl(_PR_SET_THP_DISABLE, 1, 0, 0, 0)
    gc.collect()
    gc.collect()
    maps = Path("/proc/self/maps").read_text().splitlines()
    return Left(
        fds=len(list(Path("/proc/self/fd").iterdir())),
        shared_maps=sum(line.split()[1].endswith("s") for line in maps),
        maps=len(maps),
        threads=len(list(Path("/proc/self/task").iterdir())),
        blocks=sys.getallocatedblocks(),
        heap_bytes=heap_bytes(),
        rss_bytes=int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
    )


# ---- lives: each gets a card and a source of chance, and may raise what alsamm may raise ----


def playback(card: sim.Card, dice: random.Random) -> None:
    with alsamm.playback(card.device, **SIZES) as out:
        out.write(BLOCK)
        trouble(card, dice)
        out.write(BLOCK)


def capture(card: sim.Card, dice: random.Random) -> None:
    with alsamm.capture(card.device, **SIZES) as mic:
        mic.read(100)
        trouble(card, dice)
        mic.read(100)


def duplex(card: sim.Card, dice: random.Random) -> None:
    with alsamm.duplex(card.device, **SIZES) as io:
        for heard, played in io.periods(3):
            played[:] = heard
            trouble(card, dice)


def callback(card: sim.Card, dice: random.Random) -> None:
    """In a thread of its own, so in real time."""

    def fill(outdata: Any, frames: int, time: Any, status: Any) -> None:
        del time, status
        if dice.random() < 0.2:
            raise Planned(frames)
        outdata[:] = 0
        if dice.random() < 0.5:
            raise alsamm.CallbackStop

    with alsamm.Stream(fill, card.device, **SIZES) as stream:
        stream.wait(5)


def pieces(card: sim.Card, dice: random.Random) -> None:
    """PCM, ring, Status, Control and a view, closed or forgotten in any order, or not at all."""
    pcm = alsamm.PCM(card.device, "playback")
    kept: list[Any] = [pcm]
    try:
        pcm.setup(**SIZES)
        ring = alsamm.MmapPlayback(pcm, force_sync_ptr=dice.random() < 0.5)
        kept += [ring, alsamm.Status(pcm), alsamm.Control(pcm)]
        ring.write(BLOCK)
        view = ring.channel(1)
        trouble(card, dice)
        dice.shuffle(kept)
        for piece in kept[: dice.randrange(len(kept) + 1)]:
            piece.close()
        del view, ring
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # documented: a PCM that was never closed
            if dice.random() < 0.5:
                kept.append(kept)  # a cycle
            del kept, pcm
            gc.collect()


def refused(card: sim.Card, dice: random.Random) -> None:
    """What opening or configuring refuses, at each of its steps."""
    wrong: list[dict[str, Any]] = [
        {"rate": 7},
        {"channels": 1_000},
        {"period_size": 1 << 30},
        {"format": "MU_LAW"},
        {"dtype": "u2"},
        {"on_xrun": 3},
    ]
    alsamm.playback(card.device, **{**SIZES, **dice.choice(wrong)})


def busy(card: sim.Card, dice: random.Random) -> None:
    way = dice.choice(["playback", "capture"])
    card.busy(way)
    alsamm.duplex(card.device, **SIZES)


def no_descriptors(card: sim.Card, dice: random.Random) -> None:
    """RLIMIT_NOFILE: each of the descriptors that an open takes is refused in turn."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = {int(entry.name) for entry in Path("/proc/self/fd").iterdir()}
    free = [number for number in range(64) if number not in taken]
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[dice.randrange(8)], hard))
    try:
        kinds: list[Any] = [alsamm.playback, alsamm.capture, alsamm.duplex]
        with dice.choice(kinds)(card.device, **SIZES):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def no_memory(card: sim.Card, dice: random.Random) -> None:
    """RLIMIT_AS: no room for the ring, nor for what comes after it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + dice.randrange(0, 1 << 23, 4096), hard))
    try:
        with alsamm.playback(card.device, channels=2, period_size=1 << 16, buffer_size=1 << 18):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def trouble(card: sim.Card, dice: random.Random) -> None:
    """Once in a while."""
    what = dice.randrange(10)
    if what == 0:
        card.unplug()
    elif what == 1:
        for way in ("playback", "capture"):
            with contextlib.suppress(alsamm.StateError):
                card.xrun(way)
    elif what == 2:
        raise Planned
    elif what == 3:
        card.close()
    elif what == 4:
        raise KeyboardInterrupt


LIVES: tuple[Callable[[sim.Card, random.Random], None], ...] = (
    playback, capture, duplex, callback, pieces, refused, busy, no_descriptors, no_memory,
)  # fmt: skip
_ALLOWED = (alsamm.AlsaError, Planned, KeyboardInterrupt, MemoryError, TimeoutError)


def live(dice: random.Random) -> tuple[str, str]:
    """One life; its kind, and the error that ended it or "". Raises what no program should see."""
    kind = dice.choice(LIVES)
    refuse = dice.random() < 0.5
    clock: Any = "realtime" if kind is callback else "auto"
    name = f"life{next(_names)}"
    with sim.Card(name, clock=clock, refuse_status=refuse, refuse_control=refuse, record=False) as card:
        try:
            kind(card, dice)
        except _ALLOWED as error:
            return kind.__name__, type(error).__name__
    return kind.__name__, ""


# However many lives there were: in 2,000, 10,000 and 20,000 malloc's bytes were 5, 7 and 7 KiB above the first count,
# pages 60, 16 and 124 KiB, blocks 110 more or 100 fewer, and no map came.
SLACK_HEAP = 32 << 10  # caches, and a thread's that has just ended
SLACK_BYTES = 1 << 20  # of memory that malloc has free, and of stacks
SLACK_MAPS = 2  # malloc takes its memory by mmap too
SLACK_BLOCKS = 200


THREADS = 4  # at once: a card's, a callback's, and two that have just ended


def make_room_for_threads() -> None:
    """What libc keeps of a thread for the next, a stack and an arena of malloc's, two maps each: for all there will be.

    How many run at once at the most is chance: a thousand lives may have two, and the next three.
    """
    together = threading.Barrier(THREADS)

    def live_together() -> None:
        together.wait()
        bytearray(4096)
        together.wait()

    threads = [threading.Thread(target=live_together) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def lives(
    count: int, seed: int, told: Callable[[int], None] = lambda _: None
) -> tuple[Left, Left, Counter[tuple[str, str]]]:
    """What is left before and after so many lives, and how they ended. Raises AssertionError where anything grew."""
    dice = random.Random(seed)
    make_room_for_threads()
    for _ in range(100):  # what is made once, and kept
        live(dice)
    before, ends = count_left(), Counter[tuple[str, str]]()
    for number in range(count):
        ends[live(dice)] += 1
        told(number + 1)
    after = count_left()
    held = [(left.fds, left.shared_maps, left.threads) for left in (before, after)]
    assert held[0] == held[1], (before, after)
    assert after.maps - before.maps <= SLACK_MAPS, (before, after)
    assert after.blocks - before.blocks <= SLACK_BLOCKS, (before, after)
    assert after.heap_bytes - before.heap_bytes <= SLACK_HEAP, (before, after)
    assert after.rss_bytes - before.rss_bytes <= SLACK_BYTES, (before, after)
    return before, after, ends


def main() -> None:
    """``python -m tests.reliability.lifetimes [LIVES [SEED]]``."""
    count, seed = (int(text) for text in (sys.argv[1:] + ["10000", "1"][len(sys.argv) - 1 :]))
    started = time.monotonic()

    def told(done: int) -> None:
        if done % 500 == 0:
            print(f"{done} of {count} lives, {time.monotonic() - started:.0f} s", flush=True)

    before, after, ends = lives(count, seed, told)
    figures = {"lives": count, "seed": seed, "seconds": round(time.monotonic() - started)}
    for name, was in asdict(before).items():
        figures[f"{name} before"], figures[f"{name} after"] = was, getattr(after, name)
    rows = [
        {"life": life, "ended by": error or "nothing", "lives": str(number)}
        for (life, error), number in sorted(ends.items())
    ]
    print(keep("lifetimes", "make lifetimes", figures, rows))


if __name__ == "__main__":
    main()
