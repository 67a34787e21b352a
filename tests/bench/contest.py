"""Contests of alsamm.cli.turns, in pytest-benchmark.

pytest-benchmark runs the rounds and times the first contestant. The others have their turn in each round's set-up, out
of that time, and are timed by the same clock. A turn is so many calls that the clock's own time is nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any, Protocol

from alsamm.cli.turns import EMPTY, Contestant, nothing, statement, timings

__all__ = ["Benchmark", "Contestant", "compete", "in_c", "statement"]

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


def in_c(
    name: str, loop: Callable[..., object], *arguments: Any, before: Callable[[int], object] = nothing
) -> Contestant:
    """A loop in C: ``loop(*arguments, n)``."""
    return Contestant(name, lambda calls: loop(*arguments, calls), int, before, less="")


def compete(benchmark: Benchmark, contest: str, contestants: Iterable[Contestant], *, rounds: int = _ROUNDS) -> None:
    """Time them all; medians and quartiles in ns a call go into pytest-benchmark's extra_info."""
    subject, *peers = [*contestants, statement(EMPTY, "pass")]
    calls = {each.name: each.calibrated() for each in (subject, *peers)}
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
    found = timings([subject, *peers], turns, calls)
    benchmark.extra_info.update(contest=contest, contestants={name: asdict(timing) for name, timing in found.items()})
