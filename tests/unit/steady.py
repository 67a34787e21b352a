"""A software card's clock that stands still when the machine does.

A virtual machine is taken off its CPU for milliseconds, many times a minute, and a card that keeps the world's time
then has an xrun, whoever serves it. So where a case is about what our own threads do to each other, the card's time is
that of a thread on the same CPU as the one that serves it: where that comes late, by more than a quarter of a period,
a whole one begins from there, and none is made up for. It is machine code, by numba, and never takes the GIL.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Callable, Generator
from typing import Any

import numba
import numpy as np

from alsamm import sim
from alsamm._c import ffi, lib

__all__ = ["SteadyClock", "on_one_cpu"]

_libc = ctypes.CDLL(None)
_NS = 1_000_000_000
_MONOTONIC, _ABSTIME = 1, 1


def _function(address: int, *arguments: Any) -> Any:
    return ctypes.CFUNCTYPE(ctypes.c_int, *arguments)(address)


_advance = _function(int(ffi.cast("uintptr_t", ffi.addressof(lib, "sim_advance"))), ctypes.c_size_t, ctypes.c_ulong)
_sleep = _function(
    ctypes.cast(_libc.clock_nanosleep, ctypes.c_void_p).value or 0,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_void_p,
)
_time = _function(ctypes.cast(_libc.clock_gettime, ctypes.c_void_p).value or 0, ctypes.c_int, ctypes.c_void_p)


def _njit(function: Callable[..., Any]) -> Any:
    return numba.njit(nogil=True)(function)


@_njit
def _drive(  # noqa: PLR0917 -- numba knows no others
    advance: Any, sleep: Any, time: Any, card: Any, frames: Any, period_ns: Any, told: Any
) -> Any:
    """told: [0] stop when not 0, [1] interrupts made, [2] how often the machine stood still."""
    until = np.zeros(2, np.int64)
    now = np.zeros(2, np.int64)
    time(_MONOTONIC, now.ctypes)
    due = now[0] * _NS + now[1]
    while told[0] == 0:
        due += period_ns
        until[0] = due // _NS
        until[1] = due % _NS
        sleep(_MONOTONIC, _ABSTIME, until.ctypes, now.ctypes)
        time(_MONOTONIC, now.ctypes)
        if now[0] * _NS + now[1] > due + period_ns // 4:
            due = now[0] * _NS + now[1]  # and a whole period from here on
            told[2] += 1
            continue
        advance(card, frames)
        told[1] += 1


class SteadyClock:
    """Drives a card that has a manual clock; to be made and started where ``on_one_cpu`` is in force."""

    def __init__(self, card: sim.Card, frames: int, rate: int) -> None:
        self._told = told = np.zeros(3, np.int64)
        handle = int(ffi.cast("uintptr_t", card._handle))
        self._arguments = _advance, _sleep, _time, handle, frames, frames * _NS // rate, told
        told[0] = 1
        _drive(*self._arguments)  # compiled now
        told[0] = 0
        self._thread = threading.Thread(target=_drive, args=self._arguments)

    @property
    def interrupts(self) -> int:
        """How many it made."""
        return int(self._told[1])

    @property
    def stalls(self) -> int:
        """How often the machine stood still for more than a quarter of a period."""
        return int(self._told[2])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._told[0] = 1
        self._thread.join()


@contextlib.contextmanager
def on_one_cpu() -> Generator[bool]:
    """For threads that are made meanwhile: one CPU, and real-time priority where that is allowed; whether it is."""
    cpus, policy, parameters = os.sched_getaffinity(0), os.sched_getscheduler(0), os.sched_getparam(0)
    os.sched_setaffinity(0, {max(cpus)})
    allowed = False
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
        allowed = True
    try:
        yield allowed
    finally:
        os.sched_setscheduler(0, policy, parameters)
        os.sched_setaffinity(0, cpus)
