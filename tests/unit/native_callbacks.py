"""Callbacks of machine code for the tests, by numba: none of them takes the GIL."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numba
from numba import types

__all__ = ["echo", "hear", "ramp", "refuse", "slow"]

_SIGNATURE = types.int32(types.voidptr, types.voidptr, types.uint64, types.int64, types.voidptr)
_usleep: Any = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint)(("usleep", ctypes.CDLL(None)))
carray: Any = vars(numba)["carray"]  # which has types, but not for machine code


def _cfunc(function: Callable[..., Any]) -> Any:
    return numba.cfunc(_SIGNATURE)(function)


@_cfunc
def ramp(playback: Any, capture: Any, frames: Any, frame: Any, user: Any) -> Any:  # noqa: ARG001
    """Two channels, frame n is (n, -n), modulo 2**15. user, int64: [0] so many frames in all, [1] the most at once."""
    told = carray(user, 2, types.int64)
    out = carray(playback, (frames, 2), types.int16)
    for i in range(frames):
        out[i, 0] = (frame + i) & 0x7FFF
        out[i, 1] = -((frame + i) & 0x7FFF)
    told[1] = max(told[1], frames)
    return 1 if frame + frames >= told[0] else 0


@_cfunc
def hear(playback: Any, capture: Any, frames: Any, frame: Any, user: Any) -> Any:  # noqa: ARG001
    """The first channel of two, as int16 into user from place 8 on. user[0] in int64: so many at the most."""
    most = carray(user, 1, types.int64)[0]
    told = carray(user, 8 + most, types.int16)
    heard = carray(capture, (frames, 2), types.int16)
    for i in range(frames):
        if frame + i < most:
            told[8 + frame + i] = heard[i, 0]
    return 1 if frame + frames >= most else 0


@_cfunc
def echo(playback: Any, capture: Any, frames: Any, frame: Any, user: Any) -> Any:
    """``hear``, and plays what ``ramp`` does, from 1 on."""
    most = carray(user, 1, types.int64)[0]
    told = carray(user, 8 + most, types.int16)
    heard = carray(capture, (frames, 2), types.int16)
    out = carray(playback, (frames, 2), types.int16)
    for i in range(frames):
        if frame + i < most:
            told[8 + frame + i] = heard[i, 0]
        out[i, 0] = out[i, 1] = (frame + i + 1) & 0x7FFF
    return 1 if frame + frames >= most else 0


@_cfunc
def refuse(playback: Any, capture: Any, frames: Any, frame: Any, user: Any) -> Any:  # noqa: ARG001
    """-5 after 1000 frames."""
    return -5 if frame >= 1000 else 0


@_cfunc
def slow(playback: Any, capture: Any, frames: Any, frame: Any, user: Any) -> Any:  # noqa: ARG001
    """user, int64: [1] becomes 1 once it was called; it returns when that is 2."""
    told = carray(user, 2, types.int64)
    if told[1] == 0:
        told[1] = 1
    while told[1] == 1:
        _usleep(1_000)
    return 0
