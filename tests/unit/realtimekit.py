"""A process of its own that tells what the kernel grants it: privileges and limits cannot be given back."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

__all__ = ["AROUND", "FIFO", "MIB", "OTHER", "RESET", "capable", "highest", "run", "same"]

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
    """What the code told of itself."""
    done = subprocess.run(
        [sys.executable, "-c", f"{PRELUDE}\n{code}\nprint(json.dumps(report))"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode == IMPOSSIBLE:
        pytest.fail(f"not allowed on this machine: {done.stdout.strip()}")
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
