"""Stream(callback): faults that were found, each with the case that showed it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from typing import Any

import pytest

from alsamm import sim

SIZES: dict[str, Any] = {"period_size": 480, "buffer_size": 9_600}
C: dict[str, Any] = {"format": "S16_LE", "period_size": 480, "buffer_size": 9_600}
PROGRAM = """
    import os, queue, sys, threading, time
    import numpy as np
    from alsamm import sim
    from alsamm.stream.callback import Stream
    card = sim.Card("found", clock="realtime")
    SIZES = {"format": "S16_LE", "period_size": 480, "buffer_size": 9_600}
"""


@pytest.fixture
def card() -> Iterator[sim.Card]:
    with sim.Card("found", clock="realtime", loop=True) as made:
        yield made


def nothing(outdata: Any, frames: int, time: Any, status: Any) -> None:
    """Plays what is in the ring: silence."""


def ran(code: str, *, warn: str = "ignore") -> tuple[float, subprocess.CompletedProcess[str]]:
    """A program of its own, which may hang without hanging us; how long it took, and what came of it."""
    program = textwrap.dedent(PROGRAM) + textwrap.dedent(code)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-W", warn, "-c", program], capture_output=True, text=True, check=False, timeout=20
    )
    return time.monotonic() - began, done


# ---- a child of fork has no such thread ----

CALLBACKS = {
    "Python": "stream = Stream(lambda outdata, frames, time, status: None, card.device, **SIZES)",
    "C": """from tests.unit.native_callbacks import ramp
stream = Stream(ramp, card.device, kind="playback", user=np.array([1 << 40, 0]), **SIZES)""",
}


@pytest.mark.parametrize("how", ["", "stream.stop()", "stream.wait()", "stream.abort()", "stream.close()"])
@pytest.mark.parametrize("whose", CALLBACKS)
def test_a_child_of_fork_ends(whose: str, how: str) -> None:
    _, done = ran(f"""
{CALLBACKS[whose]}
stream.start()
time.sleep(0.1)
held, done = threading.Event(), threading.Event()
def hold():
    with stream._loop._lock:
        held.set()
        done.wait()
threading.Thread(target=hold).start()
held.wait()
child = os.fork()  # while another thread holds the lock
if child == 0:
    assert not stream.active
    {how}
    sys.exit(0)
done.set()
end = time.monotonic() + 5
while os.waitpid(child, os.WNOHANG) == (0, 0):
    if time.monotonic() > end:
        os.kill(child, 9)
        print("hangs")
    time.sleep(0.01)
print(stream.active)
stream.close()
""")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "True", "")


# ---- a callback that does not return ----


def test_a_program_whose_callback_blocks_ends() -> None:
    took, done = ran(
        """
        stream = Stream(lambda outdata, frames, time, status: queue.Queue().get(), card.device, **SIZES)
        stream.start()
        time.sleep(0.1)
        print("ends", flush=True)
    """,
        warn="always",
    )
    assert (done.returncode, done.stdout.strip()) == (0, "ends")
    assert "ResourceWarning: Stream of sim:found:" in done.stderr
    assert "its callback does not return" in done.stderr
    assert took < 10


@pytest.mark.parametrize("end", ["", "thread.ask_to_stop()\nkept.append(thread)", "del thread"])
def test_so_does_one_whose_c_callback_does_not_return(end: str) -> None:
    """Where it is forgotten, too: what it uses lives on, for it may return one day."""
    took, done = ran(
        f"""
import gc
import alsamm
from alsamm.stream.native import NativeThread
from tests.unit.native_callbacks import slow
kept = []
pcm = alsamm.PCM(card.device, "playback")
pcm.setup(period_size=64, buffer_size=128)
told = np.array([0, 0])
thread = NativeThread(slow, playback=alsamm.MmapPlayback(pcm), user=told)
thread.start()
while told[1] == 0:
    time.sleep(0.01)
{end}
gc.collect()
print("ends", flush=True)
""",
        warn="always",
    )
    assert (done.returncode, done.stdout.strip()) == (0, "ends")
    assert "the C callback does not return" in done.stderr
    assert took < 10


def test_what_a_forgotten_c_callback_uses_lives_until_it_returns() -> None:
    _, done = ran("""
import gc
import alsamm
from alsamm.stream.native import NativeThread
from tests.unit.native_callbacks import slow
pcm = alsamm.PCM(card.device, "playback")
pcm.setup(period_size=64, buffer_size=128)
told = np.array([0, 0])
thread = NativeThread(slow, playback=alsamm.MmapPlayback(pcm), user=told)
native = thread._native
thread.start()
while told[1] == 0:
    time.sleep(0.01)
del thread, pcm
gc.collect()
told[1] = 2
while native.running:
    time.sleep(0.01)
print(native.result, native.callbacks)
""")
    assert (done.returncode, done.stdout.strip()) == (0, "0 1"), done.stderr
