"""What ``realtime`` locks of the process's memory, when it does not, and who unlocks it (test_realtime.py's head)."""

from __future__ import annotations

import pytest

from tests.unit.realtimekit import MIB, OTHER, highest, run, same

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


@pytest.mark.needs("limits")
def test_future_memory_is_not_locked_where_it_would_soon_fail() -> None:
    """The limit leaves 64 MiB; 128 more can be had all the same."""
    report = run(ALLOCATE.format(limit="base + 64 * MIB"))
    granted = report["inside"]["granted"]
    assert (granted["memory_locked"], granted["future_locked"]) == (True, False)
    assert report["inside"]["locked"] > report["inside"]["size"] * 0.9
    assert report["more"]["locked"] - report["inside"]["locked"] < 64 * MIB
    assert any(advice.startswith("Only the present memory is locked") for advice in granted["advice"])
    same(report, "before", "after")


@pytest.mark.needs("limits")
def test_future_memory_is_locked_far_below_the_limit() -> None:
    report = run(ALLOCATE.format(limit="base + 2048 * MIB"))
    granted = report["inside"]["granted"]
    assert (granted["memory_locked"], granted["future_locked"]) == (True, True)
    assert report["more"]["locked"] - report["inside"]["locked"] >= 128 * MIB
    assert not any("memlock" in advice for advice in granted["advice"])
    same(report, "before", "after")


@pytest.mark.needs("limits")
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
