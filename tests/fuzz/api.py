"""The public Python names with anything for an argument: no crash, no hang, no error but ours.

A round that hangs, in C with the GIL too, ends the run with the traceback of each thread.
``python -m tests.fuzz.api SEED`` plays one round; the tool's interpreter is that of ``make sanitize``.
"""

from __future__ import annotations

import contextlib
import faulthandler
import math
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import alsamm
from alsamm import sim
from tests.fuzz.found import Found

__all__ = ["fuzz", "play"]

FORMATS = ["S16_LE", "S16_BE", "S24_3LE", "S24_LE", "S32_LE", "FLOAT_LE", "FLOAT64_LE", "U8", "MU_LAW"]
BOUNDS = [0, 1, 2, 64, 1024, 1 << 15, 1 << 31, 1 << 32, 1 << 63, 1 << 64]
PATIENCE = 20
"""Seconds for a round, which take milliseconds: longer is a hang."""
ALLOWED = (alsamm.AlsaError, TimeoutError, TypeError)  # the last for what is no number, or no array, at all


ODD = [0.5, -0.0, math.inf, -math.inf, math.nan, 1e308, True, None, "5", b"", object(), np.int16(3), 10**30]
NO_ARRAYS = [
    None,
    3,
    [[1, 2]],
    object(),
    bytearray(64),
    memoryview(b"1234" * 8),
    np.ma.masked_array(np.zeros((4, 2), "i2")),
]
DTYPES = ["i2", ">i2", "i4", "u1", "f4", "f8", "i8", "c8", "?", "O", "U1", "V3"]
ODD_OF_CARDS = ["speed", "ppm", "rates", "channels", "period_bytes", "buffer_bytes", "periods", "granularity",
                "boundary", "dma_bytes", "delay", "formats", "accesses"]  # fmt: skip
PLAIN = "avail start start drop prepare prepare resume reset hwsync delay snapshot data silence frame position"
PLAIN_OF_CARDS = "xrun suspend resume_power unplug replug played bad_position"
FLAGS = ["pause", "resume", "batch", "no_rewinds", "refuse_status", "refuse_control", "separate_channels", "loop"]


def number(rng: random.Random) -> Any:
    """Mostly a small whole number; sometimes one about a bound, a float, or no number at all."""
    kind = rng.random()
    if kind < 0.6:
        return rng.randrange(200)
    if kind < 0.85:
        return rng.choice([-1, 1]) * (rng.choice(BOUNDS) + rng.randrange(-2, 3))
    return rng.choice(ODD)


def past(rng: random.Random) -> Any:
    """A time: for one to come it would wait."""
    value = number(rng)
    return -abs(value) if isinstance(value, int) else value


def array(rng: random.Random, ring: Any) -> Any:
    """Frames: of any type, shape and strides, or no array; or a piece of the ring itself."""
    dtype = np.dtype(ring.dtype if rng.random() < 0.6 else rng.choice(DTYPES))
    shape = [rng.randrange(70), ring.channels]
    if rng.random() < 0.3:
        shape = [rng.randrange(1, 5)] + [rng.randrange(5) for _ in range(rng.randrange(4))]
    made = np.zeros(shape, dtype)
    kinds: list[Any] = [
        made, made, made[::-1], np.asfortranarray(made), np.broadcast_to(made[:1], made.shape), lone(rng, made), made.T,
        rng.choice(NO_ARRAYS), memoryview(b"" if dtype.kind == "O" else made.tobytes()), piece(ring), np.float64(0),
    ]  # fmt: skip
    return rng.choice(kinds)


def lone(rng: random.Random, made: Any) -> Any:
    """One frame, of which any stride is as good."""
    made = made[:1]
    pairs = zip(made.shape, made.strides, strict=True)
    strides = [rng.choice([stride, 0, 1 << 62, -(1 << 62)]) if n == 1 else stride for n, stride in pairs]
    return np.lib.stride_tricks.as_strided(made, made.shape, strides)


def piece(ring: Any) -> Any:
    """The ring's own memory, while there is any."""
    try:
        return ring.channel(0)
    except ALLOWED:
        return None


def card_of(rng: random.Random) -> Any:
    """One that can be or not."""
    odd = {
        name: (number(rng), number(rng)) if rng.random() < 0.4 else number(rng)
        for name in rng.sample(ODD_OF_CARDS, rng.choice([0, 0, 0, 1, 2]))
    }
    flags = {name: rng.random() < 0.2 for name in FLAGS}
    card: Any = sim.Card
    # A card's thread at any speed and rate would have no time for anybody else.
    clocks = ["manual", "auto"] if odd else ["manual", "auto", "realtime"]
    return card(f"fuzz{rng.randrange(1 << 30)}", clock=rng.choice(clocks), **{**flags, **odd})


def call(rng: random.Random, card: Any, pcm: Any, ring: Any) -> None:
    """One call of a public name."""

    def n() -> Any:
        return number(rng)

    def a() -> Any:
        return array(rng, ring)

    moving: list[tuple[Any, str, tuple[Any, ...]]]
    if isinstance(ring, alsamm.MmapPlayback):
        moving = [
            (ring, "write", (a(),)),
            (ring, "write_all", (a(), 0)),
            (ring, "reserve", (n(),)),
            (ring, "drain", (0,)),
        ]
    else:
        moving = [(ring, "read", (n(),)), (ring, "read_into", (a(),)), (ring, "fill", (a(), 0)), (ring, "peek", ())]
    target, name, arguments = rng.choice([
        *moving, *moving, *moving, (ring, "commit", (n(),)), (ring, "channel", (n(),)),
        (ring, "start_at", (past(rng),)),
        (ring, "start_at", (-(1 << 63),)), (ring, "recover", (0,)), (ring, "wait", (0,)),
        (ring, "pause", (n(),)), (ring, "rewind", (n(),)),
        (ring, "forward", (n(),)), (ring, "set_frame", (n(),)), (card, "advance", (n(),)), (card, "late", (n(),)),
        (card, "advance", (rng.randrange(3000),)), (card, "set_speed", (n(),)), (card, "feed", (a(),)),
        (card, "freeze", (rng.random() < 0.3,)), (card, "busy", ("playback", n())), (pcm, "setup", (n(),)),
        *((ring, plain, ()) for plain in PLAIN.split()), *((card, plain, ()) for plain in PLAIN_OF_CARDS.split()),
        *((where, "avail_min", None) for where in (ring, ring.control)), (ring.control, "appl_ptr", None),
    ])  # fmt: skip
    if arguments is None:
        setattr(target, name, n())
        return
    method = getattr(target, name)
    if callable(method):
        method(*arguments)


def play(seed: int) -> None:
    """One round. Raises whatever is no error of ours."""
    rng = random.Random(seed)
    try:
        card = card_of(rng)
    except ALLOWED:
        return
    with card:
        try:
            direction = rng.choice(["playback", "capture"])
            pcm = alsamm.PCM(card.device, direction)
            pcm.setup(
                format=rng.choice(FORMATS), channels=rng.choice([1, 2, 2, 5, number(rng)]),
                period_size=rng.choice([64, 64, number(rng)]), buffer_size=rng.choice([256, 1024, number(rng)]),
            )  # fmt: skip
            kind = alsamm.MmapPlayback if direction == "playback" else alsamm.MmapCapture
            dtype = rng.choice([None, None, "f4", "f8", "i2", "i4", "c8"])
            ring = kind(pcm, force_sync_ptr=rng.random() < 0.3, dtype=dtype, dither=rng.random() < 0.1)
        except ALLOWED:
            return
        for _ in range(40):
            with contextlib.suppress(*ALLOWED):
                call(rng, card, pcm, ring)
        ring.close()
        pcm.close()


def fuzz(seconds: int) -> Found:
    """Rounds in an interpreter of its own, with ASan in the extension."""
    from tests.sanitize.tools import TOOLS  # noqa: PLC0415 -- not in the interpreter that is watched
    from tests.sanitize.tree import ROOT, build  # noqa: PLC0415

    tool, log = TOOLS["asan"], ROOT / "build" / "fuzz" / "api.log"
    tree = build(tool)
    log.mkdir(parents=True, exist_ok=True)
    (log / "seed").unlink(missing_ok=True)
    seed = random.SystemRandom().randrange(1 << 40)
    done = subprocess.run(
        [*tool.command(log), "-m", "tests.fuzz.api", str(seed), str(seconds)],
        cwd=tree, env={**tool.environment(tree, log), "ALSAMM_SEED": str(log / "seed")}, check=False,
    )  # fmt: skip
    last = int((log / "seed").read_text() or seed)
    return Found(last - seed + 1, broke=f"seed {last}" if done.returncode else "")


def main(first: int, seconds: int = 0) -> None:
    end, seed = time.monotonic() + seconds, first
    told = Path(os.environ.get("ALSAMM_SEED", os.devnull))
    while True:
        told.write_text(str(seed))
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        play(seed)
        faulthandler.cancel_dump_traceback_later()
        if time.monotonic() >= end:
            return
        seed += 1


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
