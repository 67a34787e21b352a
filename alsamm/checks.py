"""Numbers that callers hand over, checked once, at the edge."""

from __future__ import annotations

import operator
import sys
from numbers import Real

from alsamm import errors

__all__ = ["count_of", "real_number", "seconds_of", "time_of", "whole_number"]

_LONGEST = 0x7FFFFFFF // 1000
_TIMES = 1 << 63


def whole_number(name: str, value: object) -> int:
    """The value as an int. Raises ArgumentTypeError for what is no whole number; True is none, but a slip."""
    try:
        if not isinstance(value, bool):
            return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        pass
    raise errors.ArgumentTypeError(f"{name} = {value!r}: a whole number")


def count_of(name: str, value: object, *, least: int = 0, most: int = sys.maxsize) -> int:
    """A number of something. Raises ArgumentTypeError as ``whole_number``, ArgumentError for too few or too many."""
    count = whole_number(name, value)
    if count < least:
        raise errors.ArgumentError(f"{name} = {count}: {least} or more")
    if count > most:
        raise errors.ArgumentError(f"{name} = {count}: {most} at the most")
    return count


def real_number(name: str, value: object) -> float:
    """The value, if it can be compared with a float. Raises ArgumentTypeError for what is no number."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise errors.ArgumentTypeError(f"{name} = {value!r}: a number")
    return value  # type: ignore[return-value] # pyright: ignore[reportReturnType] -- int and float are Real


def seconds_of(timeout: float) -> float:
    """A time limit, of 24 days at the most, for C counts milliseconds.

    Raises ArgumentTypeError for what is no number, ArgumentError for less than 0 and NaN.
    """
    if not real_number("timeout", timeout) >= 0:
        raise errors.ArgumentError(f"timeout {timeout}: seconds, 0 or more")
    return min(timeout, _LONGEST)


def time_of(name: str, value: object) -> int:
    """Nanoseconds of CLOCK_MONOTONIC, which C keeps in 64 bits. Raises ArgumentTypeError, ArgumentError."""
    time_ns = whole_number(name, value)
    if not -_TIMES <= time_ns < _TIMES:
        raise errors.ArgumentError(f"{name} = {time_ns}: nanoseconds of CLOCK_MONOTONIC, as time.monotonic_ns() gives")
    return time_ns
