"""What a thread is granted is what the kernel says that it has, and nothing of it is left afterwards.

Each case is a process of its own, for privileges and limits cannot be given back. Cases that need what the tests' user
may not do, such as raising a hard limit, are skipped and say so; root in a guest of the lab may:
``python -m tests.kernel --shell-command '"$LAB_PYTHON" -m pytest tests/unit/test_realtime.py'``.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from alsamm import errors
from alsamm.stream import realtime as room
from alsamm.stream.realtime import Realtime, realtime

ROOT = Path(__file__).parents[2]
FIFO, OTHER, RESET = os.SCHED_FIFO, os.SCHED_OTHER, os.SCHED_RESET_ON_FORK
MIB = 1 << 20
IMPOSSIBLE = 77

# The kernel's word by roads that are not ours.
PRELUDE = """
import ctypes, gc, json, os, platform, resource, subprocess, sys, threading, weakref
from dataclasses import asdict
from alsamm.errors import AlsaOSError
from alsamm.stream.realtime import realtime

MIB = 1 << 20
libc = ctypes.CDLL(None, use_errno=True)
report = {}

def memory(field):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024

def tell(name, granted=None):
    report[name] = {
        "scheduler": [os.sched_getscheduler(0), os.sched_getparam(0).sched_priority],
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "locked": memory("VmLck"), "size": memory("VmSize"), "frozen": gc.get_freeze_count(),
        "granted": granted and asdict(granted), "text": str(granted),
    }

def need(call, *arguments):
    try:
        call(*arguments)
    except (OSError, ValueError) as error:
        print(f"{call.__name__}{arguments}: {error}")
        sys.exit(77)

def limit(name, value):
    need(resource.setrlimit, getattr(resource, "RLIMIT_" + name), (value, value))

def scheduler(policy, priority):
    need(os.sched_setscheduler, 0, policy, os.sched_param(priority))

def drop():
    if os.geteuid() == 0:
        os.setgroups([]); os.setgid(65534); os.setuid(65534)

def in_thread(call):
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()

"""


def run(code: str) -> dict[str, Any]:
    """What the code told of itself; a loud skip where this machine does not let it come so far."""
    done = subprocess.run(
        [sys.executable, "-c", f"{PRELUDE}\n{code}\nprint(json.dumps(report))"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode == IMPOSSIBLE:
        pytest.skip(f"not allowed here, see this file's head: {done.stdout.strip()}")
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    for told in report.values():
        granted = told["granted"]
        if granted:  # holds always
            policy, priority = told["scheduler"]
            assert granted["priority"] == priority
            assert granted["nice"] == told["nice"]
            assert granted["memory_locked"] == (told["locked"] > MIB)
            assert granted["gc_frozen"] == (told["frozen"] > 0)
            assert (granted["scheduler"] == "FIFO") == (policy & ~RESET == FIFO)
    return report


def same(report: dict[str, Any], *names: str) -> None:
    """What the kernel says is all the same under these names."""
    first, *others = [
        {what: report[name][what] for what in ("scheduler", "nice", "locked", "frozen")} for name in names
    ]
    for other in others:
        assert other == first


def capable(bit: int) -> bool:
    status = Path("/proc/self/status").read_text()
    return bool(int(status.split("CapEff:")[1].split()[0], 16) >> bit & 1)


def highest(wanted: int) -> int:
    """The best FIFO priority that this machine gives the tests' user."""
    soft = resource.getrlimit(resource.RLIMIT_RTPRIO)[0]
    return wanted if capable(23) or soft == resource.RLIM_INFINITY else min(wanted, soft)


AROUND = """
tell("before")
with realtime() as granted:
    tell("inside", granted)
tell("after")
"""


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


def test_as_high_as_the_limit_goes() -> None:
    report = run('limit("RTPRIO", 20)\ndrop()' + AROUND)
    assert report["inside"]["scheduler"] == [FIFO, 20]
    assert report["inside"]["granted"]["advice"][0].startswith(
        "Real-time priority 20 instead of 70: RLIMIT_RTPRIO is 20."
    )
    same(report, "before", "after")


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


# ---- memory ----

ALLOCATE = """
base = memory("VmSize")
limit("MEMLOCK", {limit})
drop()
tell("before")
with realtime() as granted:
    tell("inside", granted)
    more = bytearray(128 * MIB)
    tell("more")
tell("after")
"""


def test_future_memory_is_not_locked_where_it_would_soon_fail() -> None:
    """The limit leaves 64 MiB; 128 more can be had all the same."""
    report = run(ALLOCATE.format(limit="base + 64 * MIB"))
    granted = report["inside"]["granted"]
    assert (granted["memory_locked"], granted["future_locked"]) == (True, False)
    assert report["inside"]["locked"] > report["inside"]["size"] * 0.9
    assert report["more"]["locked"] - report["inside"]["locked"] < 64 * MIB
    assert any(advice.startswith("Only the present memory is locked") for advice in granted["advice"])
    same(report, "before", "after")


def test_future_memory_is_locked_far_below_the_limit() -> None:
    report = run(ALLOCATE.format(limit="base + 2048 * MIB"))
    granted = report["inside"]["granted"]
    assert (granted["memory_locked"], granted["future_locked"]) == (True, True)
    assert report["more"]["locked"] - report["inside"]["locked"] >= 128 * MIB
    assert not any("memlock" in advice for advice in granted["advice"])
    same(report, "before", "after")


def test_an_inner_one_that_is_nearer_to_the_limit_takes_no_future_away() -> None:
    report = run("""
import mmap
limit("MEMLOCK", memory("VmSize") + 2048 * MIB)
drop()
with realtime() as granted:
    nearer = mmap.mmap(-1, 1200 * MIB, prot=0)
    with realtime() as inner:
        tell("inner", inner)
    more = bytearray(128 * MIB)
    tell("more")
""")
    assert report["inner"]["granted"]["future_locked"]
    assert report["more"]["locked"] - report["inner"]["locked"] >= 128 * MIB


def test_what_the_outer_one_has_the_inner_one_does_not_take() -> None:
    report = run("""
tell("before")
with realtime(30) as outer:
    tell("outer", outer)
    with realtime(60) as inner:
        tell("inner", inner)
    tell("outer again", outer)
    more = bytearray(64 * MIB)
    tell("more")
tell("after")
""")
    same(report, "before", "after")
    for what in ("scheduler", "nice"):
        assert report["outer again"][what] == report["outer"][what]
    assert report["outer"]["scheduler"][1] == highest(30)
    assert report["inner"]["scheduler"][1] == highest(60)
    assert report["outer again"]["frozen"] > 1000
    if report["outer"]["granted"]["memory_locked"]:
        assert report["outer again"]["locked"] >= report["outer"]["locked"]
    if report["outer"]["granted"]["future_locked"]:
        assert report["more"]["locked"] - report["outer again"]["locked"] >= 64 * MIB


def test_the_last_thread_to_leave_unlocks() -> None:
    report = run("""
entered, leave = threading.Event(), threading.Event()
def other():
    with realtime():
        entered.set()
        leave.wait()
thread = threading.Thread(target=other)
with realtime() as granted:
    thread.start()
    entered.wait()
    tell("both", granted)
tell("one")
leave.set()
thread.join()
tell("none")
""")
    assert (report["one"]["locked"] > 0) == report["both"]["granted"]["memory_locked"]
    assert report["one"]["frozen"] > 1000
    assert (report["none"]["locked"], report["none"]["frozen"]) == (0, 0)


def test_what_somebody_else_locked_stays_locked() -> None:
    report = run("""
import mmap
page = mmap.mmap(-1, mmap.PAGESIZE)
libc.mlock(ctypes.byref(ctypes.c_char.from_buffer(page)), ctypes.c_size_t(mmap.PAGESIZE))
tell("before")
with realtime():
    pass
tell("after")
""")
    assert 0 < report["before"]["locked"] <= 65536
    assert report["after"]["locked"] >= report["before"]["locked"]


def test_a_forked_child_leaves_without_harm_to_its_parent() -> None:
    report = run("""
read, write = os.pipe()
with realtime() as granted:
    tell("parent", granted)
    if pid := os.fork():
        assert os.waitpid(pid, 0)[1] == 0
        tell("parent later")
        report.update(json.loads(os.read(read, 65536)))
    else:
        report.clear()
        tell("child")
        with realtime() as again:
            tell("child again", again)
if not pid:
    tell("child after")
    os.write(write, json.dumps(report).encode())
    os._exit(0)
""")
    assert report["child"]["locked"] == 0
    assert report["child again"]["granted"]["memory_locked"] == report["parent"]["granted"]["memory_locked"]
    assert report["child after"]["locked"] == 0
    assert report["child after"]["scheduler"] == [OTHER, 0]
    assert report["parent later"]["scheduler"] == report["parent"]["scheduler"]
    assert report["parent later"]["locked"] >= report["parent"]["locked"]


# ---- collector, errors, text ----


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
    monkeypatch.setattr(room, "_PROCESSORS", tmp_path)
    with realtime(lock_memory=False) as granted:
        assert any("governor is powersave" in advice for advice in granted.advice) == (governor == "powersave")


def test_it_reads_well() -> None:
    got = Realtime("FIFO", 20, 0, True, False, True, None, ("Do this.", "Do that."))
    assert str(got) == (
        "real-time: FIFO at priority 20; memory locked: present; collector frozen: yes\n- Do this.\n- Do that."
    )
