"""Opens and closes, with errors at random points, in every order, and beyond the interpreter's end: nothing is left."""

from __future__ import annotations

import gc
import itertools
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim
from tests.reliability.lifetimes import SIZES, count_left, lives

PIECES = ("pcm", "ring", "status", "control", "view")


def test_lives_leave_nothing() -> None:
    """The same as ``make lifetimes``, which has 10,000. A hundred bytes a life are too many."""
    _, _, ends = lives(400, seed=7)
    assert len(ends) > 20, "there are many ways to end"


def nothing(outdata: Any, frames: int, time: Any, status: Any) -> None:
    """Plays what is in the ring."""


@pytest.fixture
def card() -> Iterator[sim.Card]:
    with sim.Card("orders", clock="auto", record=False) as made:
        yield made


@pytest.mark.parametrize("force_sync_ptr", [False, True], ids=["mapped", "SYNC_PTR"])
@pytest.mark.parametrize("forget", [False, True], ids=["closed", "forgotten"])
def test_every_order_of_closing(card: sim.Card, force_sync_ptr: bool, forget: bool) -> None:
    """All 120 of a PCM, its ring, Status, Control and a view; each leaves the card free for the next."""
    before = None
    for number, order in enumerate(itertools.permutations(PIECES)):
        if forget and number % 3:  # collecting garbage takes long
            continue
        pcm = alsamm.PCM(card.device, "playback")
        pcm.setup(**SIZES)
        ring = alsamm.MmapPlayback(pcm, force_sync_ptr=force_sync_ptr)
        ring.write(np.ones((100, 2), "i2"))
        pieces: dict[str, Any] = {
            "pcm": pcm,
            "ring": ring,
            "status": alsamm.Status(pcm, force_sync_ptr=force_sync_ptr),
            "control": alsamm.Control(pcm, force_sync_ptr=force_sync_ptr),
            "view": ring.channel(0),
        }
        del pcm, ring
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # of the PCM that is forgotten, as documented
            for name in order:
                piece = pieces.pop(name)
                if name == "view":
                    assert piece.shape == (256,)
                    assert piece.sum() in (0, 100)
                elif not forget:
                    piece.close()
                del piece
            if forget:
                gc.collect()
        if before is None:
            before = count_left()
    after = count_left()
    assert before is not None
    assert after.fds <= before.fds
    assert after.maps <= before.maps
    assert after.threads <= before.threads


def test_a_stream_is_closed_under_whatever_is_left_of_it(card: sim.Card) -> None:
    """In every order with the PCM, the ring and a view of it."""
    for order in itertools.permutations(("stream", "pcm", "ring", "view")):
        out = alsamm.playback(card.device, **SIZES)
        ring: Any = out._io
        view = ring.channel(1)
        closing = {"stream": out.close, "pcm": out.pcm.close, "ring": ring.close, "view": lambda kept=view: kept.sum()}
        for name in order:
            closing[name]()
        with pytest.raises(alsamm.ClosedError):
            out.write(np.zeros((1, 2), "i2"))


@pytest.mark.parametrize("kind", ["playback", "capture", "duplex", "callback", "pieces"])
def test_a_cycle_is_collected(card: sim.Card, kind: str) -> None:
    """With no more than the warning of a PCM that was never closed; the card is free then."""
    card.loop = True
    kept: list[Any] = []
    if kind == "callback":
        kept.append(alsamm.Stream(nothing, card.device, **SIZES))
    elif kind == "pieces":
        pcm = alsamm.PCM(card.device, "playback")
        pcm.setup(**SIZES)
        kept += [pcm, alsamm.Status(pcm), alsamm.MmapPlayback(pcm)]
        del pcm
    else:
        kept.append(getattr(alsamm, kind)(card.device, **SIZES))
    kept.append(kept)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        del kept
        gc.collect()
    assert {warning.category for warning in told} <= {ResourceWarning}, [str(warning.message) for warning in told]
    for way in ("playback", "capture"):
        alsamm.PCM(card.device, way).close()


# ---- the interpreter's end ----

BEGIN = """
import atexit, gc, sys, threading, time
import numpy as np
import alsamm
from alsamm import sim
card = sim.Card("end", clock="realtime", loop=True, record=False)
SIZES = dict(channels=2, period_size=64, buffer_size=256)
block = np.zeros((4800, 2), "i2")
"""
ENDS = {
    "all alive": """
out = alsamm.duplex(card.device, **SIZES)
out.exchange(block)
view = out.playback._io.channel(0)
""",
    "pieces alive": """
pcm = alsamm.PCM(card.device, "playback"); pcm.setup(**SIZES)
ring, status, control = alsamm.MmapPlayback(pcm), alsamm.Status(pcm), alsamm.Control(pcm)
view = ring.channel(0); ring.write(block)
""",
    "in a cycle": """
class Owner: pass
owner = Owner(); owner.me = owner; owner.out = alsamm.playback(card.device, **SIZES); owner.card = card
owner.out.write(block)
del owner, card
""",
    "a daemon thread that writes": """
def work():
    with alsamm.playback(card.device, **SIZES) as out:
        while True: out.write(block)
threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
""",
    "a daemon thread that reads the clock": """
out = alsamm.playback(card.device, **SIZES); out.write(block[:256])
def work():
    while True: out.time(), out.stats
threading.Thread(target=work, daemon=True).start()
time.sleep(0.1)
""",
    "a callback that runs": """
stream = alsamm.Stream(lambda outdata, *_: outdata.fill(0), card.device, **SIZES)
stream.start()
time.sleep(0.1)
""",
    "closed by atexit": """
out = alsamm.playback(card.device, **SIZES)
atexit.register(lambda: (out.write(block), out.close(), print("closed", out.closed)))
""",
    "opened by atexit": """
def last():
    with alsamm.playback(card.device, **SIZES) as out: out.write(block)
    print("closed", out.closed)
atexit.register(last)
""",
    "by an exception": """
out = alsamm.playback(card.device, **SIZES); out.write(block)
sys.exit(0)
""",
}


@pytest.mark.parametrize("name", ENDS)
def test_the_interpreter_ends(name: str) -> None:
    """At once, with its own exit code, and with nothing on stderr but the warnings of what was never closed."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-X", "faulthandler", "-c", BEGIN + ENDS[name]],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    if "atexit" in name:
        assert "closed True" in done.stdout
    lines = [line for line in done.stderr.splitlines() if not line.startswith(" ")]
    assert all("ResourceWarning" in line or "tracemalloc" in line for line in lines), done.stderr
