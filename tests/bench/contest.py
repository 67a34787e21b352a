"""Several ways to do one thing, timed in turns: A B C A B C ..., so that a disturbed moment hits all of them.

pytest-benchmark runs the rounds and times the first contestant. The others have their turn in each round's set-up, out
of that time, and are timed by the same clock. A turn is so many calls that the clock's own time is nothing.
"""

from __future__ import annotations

import gc
import itertools
import statistics
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tests.bench.names import EMPTY

__all__ = ["Benchmark", "Contestant", "compete", "in_c", "statement"]

_TURN_NS = 250_000
_ROUNDS = 600
_WARM_ROUNDS = 20


class Benchmark(Protocol):
    """As much of pytest-benchmark's fixture as is used here; it has no types of its own."""

    stats: Any
    extra_info: dict[str, Any]

    def pedantic(
        self,
        target: Callable[..., object],
        *,
        setup: Callable[[], tuple[tuple[Any, ...], dict[str, Any]] | None],
        rounds: int,
        warmup_rounds: int = 0,
    ) -> object: ...


def _nothing(calls: int) -> None:
    """No preparation is needed."""
    del calls


@dataclass(frozen=True)
class Contestant:
    """``run(argument(n))`` does it n times, after ``before(n)``, which is not timed."""

    name: str
    run: Callable[[Any], object]
    argument: Callable[[int], Any]
    before: Callable[[int], object] = _nothing
    less: str = EMPTY
    """Another contestant, whose time is to be taken off; "" for none."""

    def turn(self, calls: int) -> int:
        """Nanoseconds for that many."""
        self.before(calls)
        argument = self.argument(calls)
        begin = time.perf_counter_ns()
        self.run(argument)
        return time.perf_counter_ns() - begin


def statement(
    name: str,
    code: str,
    *,
    before: Callable[[int], object] = _nothing,
    items: Sequence[Any] = (None,),
    less: str = EMPTY,
    **names: Any,
) -> Contestant:
    """Python statements in a loop of their own, as timeit does it; ``names`` are local, ``item`` one of ``items``."""
    parameters = "".join(f", {local}={local}" for local in names)
    scope = dict(names)
    body = textwrap.indent(code, " " * 8)
    exec(f"def run(items{parameters}):\n    for item in items:\n{body}\n", scope)

    def argument(calls: int) -> Iterator[Any]:
        return itertools.islice(itertools.cycle(items), calls)

    return Contestant(name, scope["run"], argument, before, less)


def in_c(
    name: str, loop: Callable[..., object], *arguments: Any, before: Callable[[int], object] = _nothing
) -> Contestant:
    """A loop in C: ``loop(*arguments, n)``."""
    return Contestant(name, lambda calls: loop(*arguments, calls), int, before, less="")


def compete(benchmark: Benchmark, contest: str, contestants: Iterable[Contestant], *, rounds: int = _ROUNDS) -> None:
    """Time them all; medians and quartiles in ns a call go into pytest-benchmark's extra_info."""
    subject, *peers = [*contestants, statement(EMPTY, "pass")]
    calls = {each.name: _calibrated(each) for each in (subject, *peers)}
    assert len(calls) == 1 + len(peers), "a name twice"
    turns: dict[str, list[float]] = {peer.name: [] for peer in peers}

    def others_turns() -> tuple[tuple[Any, ...], dict[str, Any]]:
        for peer in peers:
            turns[peer.name].append(peer.turn(calls[peer.name]))
        subject.before(calls[subject.name])
        return (subject.argument(calls[subject.name]),), {}

    gc.collect()
    gc.disable()
    try:
        benchmark.pedantic(subject.run, setup=others_turns, rounds=rounds, warmup_rounds=_WARM_ROUNDS)
    finally:
        gc.enable()
    for times in turns.values():
        del times[:_WARM_ROUNDS]
    turns[subject.name] = [seconds * 1e9 for seconds in benchmark.stats.stats.data]
    medians = {each.name: statistics.median(turns[each.name]) / calls[each.name] for each in (subject, *peers)}
    found: dict[str, dict[str, float]] = {}
    for each in (subject, *peers):
        off = medians.get(each.less, 0.0) if each.name != EMPTY else 0.0
        low, _, high = (time / calls[each.name] for time in statistics.quantiles(turns[each.name], n=4))
        found[each.name] = {"low": low - off, "ns": medians[each.name] - off, "high": high - off}
    benchmark.extra_info.update(contest=contest, contestants=found)


def _calibrated(contestant: Contestant) -> int:
    """How many calls make a turn long enough; the first ones warm up the interpreter and the caches."""
    calls = 16
    # The best of some: with one that was interrupted turns would get too short, and the clock's own time would count.
    while (took := min(contestant.turn(calls) for _ in range(5))) < _TURN_NS // 4:
        calls *= 2
    return max(1, round(calls * _TURN_NS / took))
