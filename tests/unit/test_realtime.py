"""What a thread is granted is what the kernel says that it has, and nothing of it is left afterwards.

Each case is a process of its own, for privileges and limits cannot be given back. Cases that need what the tests' user
may not do (raising a hard limit) are not made there; root in a guest of the lab may, and `make lab-6.1` runs them.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Any

import pytest

from alsamm import errors
from alsamm.stream.realtime import Realtime, realtime
from tests.unit.realtimekit import AROUND, FIFO, OTHER, RESET, capable, highest, run, same


def test_all_of_it_as_far_as_the_tests_user_may() -> None:
    report = run(AROUND)
    same(report, "before", "after")
    inside = report["inside"]
    assert inside["frozen"] > 1000
    got = highest(70)
    assert inside["scheduler"] == ([FIFO, got] if got else report["before"]["scheduler"])
    assert any("rtprio" in advice for advice in inside["granted"]["advice"]) == (got < 70)
    if capable(14) or resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY:
        assert inside["granted"]["future_locked"]
        assert inside["locked"] > inside["size"] * 0.9


def test_a_priority() -> None:
    report = run(AROUND.replace("realtime()", "realtime(11)"))
    got = highest(11)
    assert report["inside"]["scheduler"] == ([FIFO, got] if got else [OTHER, 0])
    same(report, "before", "after")


def test_nothing_asked_nothing_done() -> None:
    report = run(AROUND.replace("realtime()", "realtime(lock_memory=False, freeze_gc=False)"))
    assert (report["inside"]["locked"], report["inside"]["frozen"]) == (0, 0)
    assert not any("memlock" in advice for advice in report["inside"]["granted"]["advice"])


def test_refused_altogether() -> None:
    """No privilege, no limit: nothing raises, all stays, and the advice is there."""
    report = run(
        """
limit("RTPRIO", 0)
limit("NICE", 0)
limit("MEMLOCK", 8 * MIB)
drop()
"""
        + AROUND
    )
    inside = report["inside"]
    assert inside["scheduler"] == [OTHER, 0]
    assert (inside["nice"], inside["locked"]) == (0, 0)
    assert inside["granted"]["scheduler"] == "other"
    rt, memory = inside["granted"]["advice"][:2]
    assert rt.startswith("No real-time scheduling: RLIMIT_RTPRIO is 0.")
    assert "@audio - rtprio 95" in rt
    assert memory.startswith("Memory is not locked: RLIMIT_MEMLOCK is 8192 KiB")
    assert "LimitMEMLOCK=infinity" in memory
    assert inside["text"].startswith("real-time: no, nice 0; memory locked: no; collector frozen: yes\n- No real-time")
    same(report, "before", "after")


@pytest.mark.needs("limits")
def test_as_high_as_the_limit_goes() -> None:
    report = run('limit("RTPRIO", 20)\ndrop()' + AROUND)
    assert report["inside"]["scheduler"] == [FIFO, 20]
    assert report["inside"]["granted"]["advice"][0].startswith(
        "Real-time priority 20 instead of 70: RLIMIT_RTPRIO is 20."
    )
    same(report, "before", "after")


@pytest.mark.needs("limits")
def test_nice_where_real_time_is_refused() -> None:
    report = run('limit("RTPRIO", 0)\nlimit("NICE", 31)\ndrop()' + AROUND)
    assert report["inside"]["scheduler"] == [OTHER, 0]
    assert report["inside"]["nice"] == -11
    assert report["inside"]["granted"]["scheduler"] == "nice"
    assert report["inside"]["granted"]["advice"][0].startswith("No real-time scheduling: RLIMIT_RTPRIO is 0.")
    same(report, "before", "after")


@pytest.mark.parametrize("nested", ["", "70", "40"])
def test_a_real_time_thread_is_never_lowered(nested: str) -> None:
    """It could not go back up: its privilege is gone."""
    report = run(
        'limit("RTPRIO", 0)\nscheduler(os.SCHED_FIFO, 50)\ndrop()' + AROUND.replace("realtime()", f"realtime({nested})")
    )
    assert report["inside"]["scheduler"] == [FIFO, 50]
    advice = report["inside"]["granted"]["advice"][0]
    assert advice.startswith("Real-time priority 50 instead of 70") == (nested != "40")
    same(report, "before", "after")


def test_a_policy_that_could_not_be_put_back_is_left_alone() -> None:
    """SCHED_DEADLINE, whose budget is no parameter of sched_setscheduler."""
    report = run(
        """
number = {"x86_64": 314, "aarch64": 274}[platform.machine()]
def deadline():
    import struct
    attributes = struct.pack("IIQiIQQQ", 48, 6, 0, 0, 0, 50_000_000, 100_000_000, 100_000_000)
    if libc.syscall(number, 0, attributes, 0) < 0:
        raise OSError(ctypes.get_errno(), "sched_setattr")
need(deadline)
"""
        + AROUND
    )
    assert report["inside"]["scheduler"] == [6, 0]
    assert "number 6" in report["inside"]["granted"]["advice"][0]
    same(report, "before", "after")


def test_what_threads_and_processes_inherit() -> None:
    report = run("""
with realtime():
    in_thread(lambda: tell("thread"))
    code = "import json, os; print(json.dumps([os.sched_getscheduler(0), os.sched_getparam(0).sched_priority]))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    report["process"] = {"granted": None, "scheduler": json.loads(out)}
    tell("inside")
in_thread(lambda: tell("thread after"))
""")
    assert report["thread"]["scheduler"] == report["process"]["scheduler"] == report["inside"]["scheduler"]
    assert report["thread after"]["scheduler"] == [OTHER, 0]


def test_it_is_this_thread_only() -> None:
    report = run("""
with realtime():
    begun, done = threading.Event(), threading.Event()
before = threading.Thread(target=lambda: (begun.set(), done.wait(), tell("other")))
before.start()
begun.wait()
with realtime() as granted:
    tell("inside", granted)
    done.set()
    before.join()
""")
    assert report["other"]["scheduler"] == [OTHER, 0]
    assert report["inside"]["scheduler"][1] == highest(70)


@pytest.mark.parametrize("dropped", ["", "drop()"])
def test_reset_on_fork_stays_as_it_was(dropped: str) -> None:
    report = run(
        f"""
scheduler(os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, 10)
{dropped}
"""
        + AROUND.replace("    tell", '    in_thread(lambda: tell("thread"))\n    tell')
    )
    policy, priority = report["inside"]["scheduler"]
    assert policy == FIFO | RESET
    assert priority == (max(10, min(70, resource.getrlimit(resource.RLIMIT_RTPRIO)[0])) if dropped else highest(70))
    assert report["thread"]["scheduler"] == [OTHER, 0]
    assert any("SCHED_RESET_ON_FORK" in advice for advice in report["inside"]["granted"]["advice"])
    same(report, "before", "after")


def test_rttime_is_told_to_a_real_time_thread() -> None:
    report = run('limit("RTTIME", 200_000)' + AROUND)
    granted = report["inside"]["granted"]
    assert granted["rttime_us"] == 200_000
    assert any("SIGXCPU" in advice for advice in granted["advice"]) == (granted["priority"] > 0)


def test_garbage_is_collected_first_and_later_on_too() -> None:
    run("""
class Node: pass
def cycle():
    node = Node()
    node.itself = node
    return weakref.ref(node)
gc.disable()
early = cycle()
with realtime():
    assert early() is None
    assert not gc.isenabled()
gc.enable()
with realtime():
    assert gc.isenabled()
    late = cycle()
    gc.collect()
    assert late() is None
""")


def test_an_exception_puts_all_back() -> None:
    report = run("""
tell("before")
try:
    with realtime():
        raise KeyError("mine")
except KeyError as error:
    assert error.args == ("mine",)
tell("after")
""")
    same(report, "before", "after")


def test_what_cannot_be_put_back_is_told_and_the_rest_is_put_back() -> None:
    """Back to round robin needs a privilege that was dropped meanwhile."""
    report = run("""
limit("RTPRIO", 0)
scheduler(os.SCHED_RR, 30)
try:
    with realtime() as granted:
        tell("inside", granted)
        drop()
    sys.exit("nothing was raised")
except AlsaOSError as error:
    assert error.func == "sched_setscheduler", error
tell("after")
""")
    assert report["inside"]["scheduler"] == [FIFO, 70]
    assert (report["after"]["locked"], report["after"]["frozen"]) == (0, 0)


@pytest.mark.parametrize("priority", [0, -1, 100])
def test_a_priority_that_there_is_not(priority: int) -> None:
    with pytest.raises(errors.ArgumentError, match=f"priority {priority}: 1 to 99"), realtime(priority):
        pass


@pytest.mark.parametrize("priority", ["70", 7.5])
def test_a_priority_that_is_no_integer(priority: Any) -> None:
    with pytest.raises(errors.ArgumentTypeError, match="an integer or None"), realtime(priority):
        pass


@pytest.mark.parametrize("governor", ["powersave", "performance"])
def test_a_slow_processor_is_told(governor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, text in enumerate(("performance", governor)):
        folder = tmp_path / f"cpu{number}" / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(text + "\n")
    monkeypatch.setattr(sys.modules[realtime.__module__], "_PROCESSORS", tmp_path)
    with realtime(lock_memory=False) as granted:
        assert any("governor is powersave" in advice for advice in granted.advice) == (governor == "powersave")


def test_it_reads_well() -> None:
    got = Realtime("FIFO", 20, 0, True, False, True, None, ("Do this.", "Do that."))
    assert str(got) == (
        "real-time: FIFO at priority 20; memory locked: present; collector frozen: yes\n- Do this.\n- Do that."
    )
