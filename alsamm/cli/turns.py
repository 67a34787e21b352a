"""Several ways to do one thing, timed in turns: A B C A B C ..., so that a disturbed moment hits all of them.

A turn is so many calls that the clock's own time is nothing.
"""

from __future__ import annotations

import itertools
import statistics
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["EMPTY", "Contestant", "Timing", "nothing", "statement", "timings"]

EMPTY = "an empty Python loop"
"""A contestant's name, and what is taken off the time of all whose loop is in Python."""

_TURN_NS = 250_000


def nothing(calls: int) -> None:
    """No preparation is needed."""
    del calls


@dataclass(frozen=True)
class Timing:
    """Of one contestant, in ns a call: the median and the quartiles beside it."""

    low: float
    ns: float
    high: float


@dataclass(frozen=True)
class Contestant:
    """``run(argument(n))`` does it n times, after ``before(n)``, which is not timed."""

    name: str
    run: Callable[[Any], object]
    argument: Callable[[int], Any]
    before: Callable[[int], object] = nothing
    less: str = EMPTY
    """Another contestant, whose time is to be taken off; "" for none."""

    def turn(self, calls: int) -> int:
        """Nanoseconds for that many."""
        self.before(calls)
        argument = self.argument(calls)
        begin = time.perf_counter_ns()
        self.run(argument)
        return time.perf_counter_ns() - begin

    def calibrated(self) -> int:
        """How many calls make a turn long enough; the first ones warm up the interpreter and the caches."""
        calls = 16
        # The best of some: with one that was interrupted turns would get too short, and the clock's own time would
        # count.
        while (took := min(self.turn(calls) for _ in range(5))) < _TURN_NS // 4:
            calls *= 2
        return max(1, round(calls * _TURN_NS / took))


def statement(
    name: str,
    code: str,
    *,
    before: Callable[[int], object] = nothing,
    items: Sequence[Any] = (None,),
    less: str = EMPTY,
    **names: Any,
) -> Contestant:
    """Python statements in a loop of their own, as timeit does it; ``names`` are local, ``item`` one of ``items``."""
    parameters = "".join(f", {local}={local}" for local in names)
    scope = dict(names)
    body = textwrap.indent(code, " " * 8)
    exec(f"def run(items{parameters}):\n    for item in items:\n{body}\n", scope)  # noqa: S102 -- code of our own

    def argument(calls: int) -> Iterator[Any]:
        return itertools.islice(itertools.cycle(items), calls)

    return Contestant(name, scope["run"], argument, before, less)


def timings(
    contestants: Sequence[Contestant], turns: Mapping[str, Sequence[float]], calls: Mapping[str, int]
) -> dict[str, Timing]:
    """By name, from the nanoseconds of each one's turns and the calls in a turn; EMPTY is one of them."""
    medians = {each.name: statistics.median(turns[each.name]) / calls[each.name] for each in contestants}
    found: dict[str, Timing] = {}
    for each in contestants:
        off = medians.get(each.less, 0.0) if each.name != EMPTY else 0.0
        low, _, high = (time / calls[each.name] for time in statistics.quantiles(turns[each.name], n=4))
        found[each.name] = Timing(low - off, medians[each.name] - off, high - off)
    return found
