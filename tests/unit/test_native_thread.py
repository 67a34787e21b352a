"""The thread of a callback in C: how it ends, goes on, and stays out of everybody's way."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import alsamm
from alsamm.stream.native import NativeThread
from tests.busy import busy_thread
from tests.unit.native_callbacks import echo, hear, ramp, refuse, slow
from tests.unit.native_kit import ROADS, Rings, native_tasks, notes, run, undisturbed_by_others, until
from tests.unit.native_kit import rings as rings  # noqa: PLC0414 -- pytest finds it here
from tests.unit.steady import SteadyClock, on_one_cpu

# ---- how it ends ----


@pytest.mark.parametrize("what", ["frozen", "long periods"])
def test_stop_is_answered_at_once(rings: Rings, what: str) -> None:
    """Also where no interrupt comes for seconds."""
    sizes = {"period_size": 100_000, "buffer_size": 200_000} if what == "long periods" else {}
    (out,) = rings("playback", clock="realtime", **sizes)
    thread = NativeThread(ramp, playback=out, user=np.array([1 << 40, 0]))
    thread.start()
    until(lambda: out.state is alsamm.State.RUNNING)
    if what == "frozen":
        out.card.freeze()
        time.sleep(0.05)
    asked: list[float] = []

    def ask() -> None:
        time.sleep(0.1)
        asked.append(time.monotonic())
        thread.ask_to_stop()

    asker = threading.Thread(target=ask)
    asker.start()
    thread.join(5)
    assert time.monotonic() - asked[0] < 0.2
    asker.join()
    thread.check()
    assert thread.answer == 0
    assert native_tasks() == []


def test_any_other_answer_ends_it_at_once_and_is_told(rings: Rings) -> None:
    (out,) = rings("playback", clock="realtime")
    out.silence()
    thread = run(NativeThread(refuse, playback=out))
    assert thread.answer == -5
    assert thread.frames == 1_024 + 64  # the last of them is not played
    assert out.state is alsamm.State.SETUP
    assert len(out.card.played()) == 0
    assert out.appl_ptr == 1_024


@pytest.mark.parametrize("direction", ["playback", "capture"])
def test_an_xrun_ends_it(rings: Rings, direction: str) -> None:
    (ring,) = rings(direction, clock="realtime")
    callback, user = (ramp, np.array([1 << 40, 0])) if direction == "playback" else (hear, notes(1 << 20))
    thread = NativeThread(callback, **{direction: ring}, user=user)
    thread.start()
    until(lambda: thread.frames > 1_000)
    ring.card.xrun(direction)
    thread.join(1)
    with pytest.raises(alsamm.Underrun if direction == "playback" else alsamm.Overrun):
        thread.check()


@pytest.mark.parametrize("road", ["mapped", "both refused"])
@pytest.mark.parametrize("direction", ["playback", "capture"])
def test_or_it_goes_on_after_an_xrun(rings: Rings, direction: str, road: str) -> None:
    (ring,) = rings(direction, clock="realtime", **ROADS[road])
    callback, user = (ramp, np.array([1 << 40, 0])) if direction == "playback" else (hear, notes(1 << 20))
    thread = NativeThread(callback, **{direction: ring}, user=user, recover=True)
    thread.start()
    for count in (1, 2):
        before = thread.frames
        until(lambda before=before: thread.frames > before + 2_000)  # type: ignore[misc]
        ring.card.xrun(direction)
        until(lambda count=count: ring.xruns >= count)  # type: ignore[misc]
    before = thread.frames
    until(lambda: thread.frames > before + 2_000)
    thread.ask_to_stop()
    thread.join(1)
    thread.check()
    assert ring.state is alsamm.State.RUNNING


@pytest.mark.parametrize("linked", [True, False], ids=["linked", "not linked"])
@pytest.mark.parametrize("whose", ["playback", "capture"])
def test_a_duplex_begins_anew_with_both(rings: Rings, whose: str, linked: bool) -> None:
    """Afterwards what is played comes back as late as before."""
    told, silence = notes(24_000), 4096
    with undisturbed_by_others():
        out, heard = rings("playback", "capture", clock="realtime", linked=linked, loop=True, silence=silence)
        thread = NativeThread(echo, playback=out, capture=heard, user=told, recover=True)
        thread.start()
        until(lambda: thread.frames > 4_000)
        out.card.xrun(whose)
        thread.join(20)
    thread.check()
    assert out.xruns + heard.xruns > 0
    tail = told[-4_000:]
    late = np.arange(24_000 - 4_000, 24_000) + 1 - tail
    assert np.ptp(late) == 0
    assert abs(late[0] - silence) < (1 if linked else 64)  # two triggers are that far apart at the most


def test_a_callback_that_is_late_has_an_xrun_whatever_it_writes(rings: Rings) -> None:
    """The card has stopped meanwhile, though nobody has told hw_ptr yet: a commit would hide it (rule P15)."""
    (out,) = rings("playback", clock="manual", held=True, period_size=64, buffer_size=256)
    out.commit(100)
    out.start()
    told = np.array([1 << 40, 0])
    thread = NativeThread(slow, playback=out, user=told)
    thread.start()
    until(lambda: told[1] == 1)
    out.card.advance(64)
    out.card.advance(50)  # and no interrupt before 128
    assert out.state is alsamm.State.RUNNING
    told[1] = 2
    thread.join(5)
    with pytest.raises(alsamm.Underrun):
        thread.check()


def test_a_capture_that_nothing_stops_is_found_out(rings: Rings) -> None:
    """stop_threshold at the boundary: the card writes over what was not read, and says nothing (rule G5)."""
    (heard,) = rings("capture", clock="manual", free_run=True)
    thread = NativeThread(hear, capture=heard, user=notes(1 << 20))
    heard.start()
    heard.card.advance(1_000)
    thread.start()
    thread.join(5)
    with pytest.raises(alsamm.Overrun):
        thread.check()


def test_an_unplugged_card(rings: Rings) -> None:
    (out,) = rings("playback", clock="realtime")
    thread = NativeThread(ramp, playback=out, user=np.array([1 << 40, 0]), recover=True)
    thread.start()
    until(lambda: thread.frames > 1_000)
    out.card.unplug()
    thread.join(1)
    with pytest.raises(alsamm.DeviceLostError):
        thread.check()


def test_a_card_that_stands_still(rings: Rings) -> None:
    (out,) = rings("playback", clock="realtime")
    thread = NativeThread(ramp, playback=out, user=np.array([1 << 40, 0]))
    thread.start()
    until(lambda: thread.frames > 1_000)
    out.card.freeze()
    thread.join(3)
    with pytest.raises(TimeoutError, match="stands still"):
        thread.check()


def test_a_pause_is_no_standing_still(rings: Rings) -> None:
    (out,) = rings("playback", clock="realtime")
    thread = NativeThread(ramp, playback=out, user=np.array([1 << 40, 0]))
    thread.start()
    until(lambda: thread.frames > 1_000)
    out.pause()
    with pytest.raises(TimeoutError, match=r"did not end in 1\.5 s"):
        thread.join(1.5)
    before = thread.frames
    out.pause(False)
    until(lambda: thread.frames > before + 1_000)
    thread.ask_to_stop()
    thread.join(1)
    thread.check()


def test_ctrl_c_comes_through_a_join(rings: Rings) -> None:
    (out,) = rings("playback", clock="realtime")
    thread = NativeThread(ramp, playback=out, user=np.array([1 << 40, 0]), recover=True)
    thread.start()

    def interrupt(number: int, frame: object) -> None:  # noqa: ARG001 -- signal's signature
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
    began = time.monotonic()
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            thread.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
        timer.join()
    assert time.monotonic() - began < 0.3
    assert thread.running
    thread.ask_to_stop()
    thread.join(1)


def test_a_thread_that_is_forgotten_ends(rings: Rings) -> None:
    """And until then all that it uses lives."""
    (out,) = rings("playback", clock="realtime")
    kept = [NativeThread(ramp, playback=out, user=np.array([1 << 40, 0]), recover=True)]
    kept[0].start()
    until(lambda: kept[0].frames > 1_000)
    assert len(native_tasks()) == 1
    kept.clear()
    gc.collect()
    assert native_tasks() == []


def test_the_interpreter_ends_it_too() -> None:
    """Without a crash."""
    code = """if True:
        import time
        import numpy as np
        import alsamm
        from alsamm import sim
        from alsamm.stream.native import NativeThread
        from tests.unit.native_callbacks import ramp
        card = sim.Card("exit", clock="realtime")
        pcm = alsamm.PCM(card.device, "playback")
        pcm.setup(period_size=64, buffer_size=128)
        thread = NativeThread(ramp, playback=alsamm.MmapPlayback(pcm), user=np.array([1 << 40, 0]), recover=True)
        thread.start()
        time.sleep(0.1)
        print(thread.running)
    """
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "True", "")


def test_a_child_of_fork_has_no_such_thread(rings: Rings) -> None:
    (out,) = rings("playback", clock="realtime")
    thread = NativeThread(ramp, playback=out, user=np.array([1 << 40, 0]), recover=True)
    thread.start()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            thread.join(1)
        except alsamm.ClosedError:
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert thread.running
    thread.ask_to_stop()
    thread.join(1)


# ---- what kind of thread it is ----


def test_signals_are_for_others_and_the_policy_is_the_starters(rings: Rings) -> None:
    (out,) = rings("playback", clock="realtime")
    thread = NativeThread(ramp, playback=out, user=np.array([1 << 40, 0]), recover=True)
    with undisturbed_by_others() as allowed:
        thread.start()
    until(lambda: bool(native_tasks()))
    (task,) = native_tasks()
    assert os.sched_getscheduler(task) == (os.SCHED_FIFO if allowed else os.SCHED_OTHER)
    status = dict(
        line.split(":\t", 1)
        for line in Path(f"/proc/self/task/{task}/status").read_text().splitlines()
        if ":\t" in line
    )
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM):
        assert int(status["SigBlk"], 16) >> (number - 1) & 1
    thread.ask_to_stop()
    thread.join(1)


def test_it_never_takes_the_gil(rings: Rings) -> None:
    """This thread keeps it for half a second: the switch interval is endless, so who wanted it would wait."""
    (out,) = rings("playback", clock="realtime")
    thread = NativeThread(ramp, playback=out, user=np.array([1 << 40, 0]), recover=True)
    native = thread._native
    interval = sys.getswitchinterval()
    thread.start()
    until(lambda: thread.frames > 1_000)
    sys.setswitchinterval(1_000)
    try:
        before, end = native.callbacks, time.monotonic() + 0.5
        while time.monotonic() < end:
            pass
        after = native.callbacks
    finally:
        sys.setswitchinterval(interval)
    assert after - before > 0.5 * 48_000 / 64 * 0.8
    thread.ask_to_stop()
    thread.join(1)


@pytest.mark.alone
def test_sixty_seconds_of_two_periods_of_64_frames_beside_two_busy_threads(rings: Rings) -> None:
    """No xrun: no Python thread can make it late, whatever it does. See tests/unit/steady.py for the card's clock."""
    seconds = 60
    (out,) = rings("playback", clock="manual", record=False)
    thread = NativeThread(ramp, playback=out, user=np.array([seconds * 48_000, 0]))
    with busy_thread(), busy_thread():
        with on_one_cpu():  # after the busy ones, which are to have the other CPUs too, and no such priority
            clock = SteadyClock(out.card, 64, 48_000)
            thread.start()
            until(lambda: out.state is alsamm.State.RUNNING)
            began = time.monotonic()
            clock.start()
        try:
            thread.join(seconds * 2)
        finally:
            clock.stop()
        took = time.monotonic() - began
    thread.check()
    assert thread.frames == seconds * 48_000
    assert out.xruns == 0
    print(f"{thread.callbacks} callbacks, the longest {thread.longest_callback_ns / 1000:.0f} us, {took:.1f} s", end="")
    print(f", {clock.stalls} times the machine stood still")
    assert took < seconds * 1.2, "the card's clock was much too slow to show anything"


@pytest.mark.alone
def test_a_loop_in_python_has_no_chance_there(rings: Rings) -> None:
    """What that case is worth: the same card and busy threads, and a thread that needs the GIL for each period."""
    (out,) = rings("playback", clock="manual", record=False, held=True)
    out.write(np.zeros((128, 2), "i2"))
    out.start()
    ended: list[BaseException] = []

    def serve() -> None:
        block = np.zeros((64, 2), "i2")
        try:
            while out.appl_ptr < 10 * 48_000:
                out.wait()
                out.write(block)
        except alsamm.AlsaError as error:
            ended.append(error)

    with busy_thread(), busy_thread():
        with on_one_cpu():
            clock = SteadyClock(out.card, 64, 48_000)
            server = threading.Thread(target=serve)
            server.start()
            clock.start()
        server.join(20)
        clock.stop()
    assert isinstance(ended[0], alsamm.Underrun)
