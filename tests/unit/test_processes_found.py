"""Faults of processes, users and children, each with the case that showed it; of streams: test_faults_found.py."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim
from alsamm.alsalib.openers import _why_not_found


def test_cards_that_the_user_may_not_open_are_there() -> None:
    """Who is not in the group audio was told that there are no sound cards (hw:CARD=…, in the lab)."""
    with tempfile.TemporaryDirectory() as name:  # tmp_path lies in folders that nobody else may enter
        folder = Path(name)
        assert _why_not_found(folder) == 0
        folder.chmod(0o755)
        control = folder / "controlC0"
        control.touch(mode=0o600)
        assert _why_not_found(folder) == 0
        child = os.fork()
        if child == 0:
            try:
                control.chmod(0o000)
                if os.geteuid() == 0:
                    os.setuid(65_534)
                os._exit(_why_not_found(folder))
            finally:
                os._exit(255)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == errno.EACCES


def test_a_child_that_was_forked_from_within_a_call_hears_that_it_is_closed() -> None:
    """It has a copy of "in use", and nobody who ever takes it back."""
    with sim.Card("within", clock="auto") as card, alsamm.PCM(card.device, "playback") as pcm:
        pcm.setup(channels=1, period_size=64, buffer_size=256)
        with alsamm.MmapPlayback(pcm) as ring:
            ring._ring.in_use = 1
            child = os.fork()
            if child == 0:
                try:
                    ring.write(np.zeros(64, "i2"))
                except alsamm.ClosedError:
                    os._exit(0)
                finally:
                    os._exit(1)
            ring._ring.in_use = 0
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


_Calls = dict[str, Callable[[Any], object]]
PLAYBACK: _Calls = {
    "prepare": lambda ring: ring.prepare(),
    "wait": lambda ring: ring.wait(),
    "wait for": lambda ring: ring.wait(0.05),
    "drain": lambda ring: ring.drain(0.05),
    "silence": lambda ring: ring.silence(),
    "recover": lambda ring: ring.recover(),
    "start_at": lambda ring: ring.start_at(time.monotonic_ns()),
    "write_all": lambda ring: ring.write_all(np.zeros(64, "i2"), 0.05),
    "write": lambda ring: ring.write(np.zeros(64, "i2")),
    "a long write": lambda ring: ring.write(np.zeros(1 << 20, "i2")),
}
CAPTURE: _Calls = {
    "wait": lambda ring: ring.wait(),
    "drain": lambda ring: ring.drain(),
    "fill": lambda ring: ring.fill(np.zeros(64, "i2"), 0.05),
    "peek": lambda ring: ring.peek(),
    "read_into": lambda ring: ring.read_into(np.zeros(64, "i2")),
}


@pytest.mark.parametrize(("direction", "calls"), [("playback", PLAYBACK), ("capture", CAPTURE)])
def test_each_call_of_a_child_hears_that_it_is_closed(
    direction: str, calls: dict[str, Callable[[Any], object]]
) -> None:
    """C that works without the GIL too, which is told by nobody but the descriptor that the child has lost."""
    with sim.Card("child", clock="auto") as card, alsamm.PCM(card.device, direction) as pcm:
        pcm.setup(channels=1, period_size=64, buffer_size=256)
        opener: type[Any] = alsamm.MmapPlayback if direction == "playback" else alsamm.MmapCapture
        with opener(pcm) as ring:
            told, tell = os.pipe()
            child = os.fork()
            if child == 0:
                try:
                    for name, call in calls.items():
                        said = "nothing"
                        try:
                            call(ring)
                        except BaseException as error:  # noqa: BLE001 -- whatever it is, it is told
                            said = type(error).__name__
                        os.write(tell, f"{name}: {said}\n".encode())
                finally:
                    os._exit(0)
            os.close(tell)
            with os.fdopen(told) as answers:
                assert answers.read().splitlines() == [f"{name}: ClosedError" for name in calls]
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            ring.drop()


_STOOD_STILL = {
    "Stream": """
    def fill(outdata, frames, at, status):
        print("in", flush=True)
        time.sleep(0.5)
        busy = time.monotonic() + 0.1
        while time.monotonic() < busy: pass
    stream = alsamm.Stream(fill, card.device, channels=2, period_size=480, buffer_size=960)
    stream.start()
    time.sleep(0.1)
    stream.abort()
    stream.close()
""",
    "a forgotten NativeThread": """
    pcm = alsamm.PCM(card.device, "playback")
    pcm.setup(channels=2, period_size=480, buffer_size=960)
    with alsamm.MmapPlayback(pcm) as ring:
        gate = np.ones(2, np.int64)
        thread = NativeThread(machine_code().through_gate, playback=ring, user=gate)
        thread.start()
        print("in", flush=True)
        opener = threading.Timer(0.6, lambda: (time.sleep(0.1), gate.__setitem__(0, 0)))
        opener.start()
        del thread
    pcm.close()
""",
}


@pytest.mark.parametrize("code", _STOOD_STILL.values(), ids=_STOOD_STILL)
def test_a_process_that_stood_still_does_not_take_its_callback_for_one_that_hangs(code: str) -> None:
    """Stopped, or asleep with the system, for longer than a callback is waited for (while draining, aloop)."""
    code = (
        "import threading, time, alsamm, numpy as np\n"
        "from alsamm import sim\n"
        "from alsamm.stream.native import NativeThread\n"
        "from tests.kernel.faultroads import machine_code\n"
        "machine_code()\n"
        "with sim.Card('still', clock='realtime') as card:\n" + code
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in\n"
        time.sleep(0.3)  # it waits for the callback by now
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.5)
        process.send_signal(signal.SIGCONT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, b"")
