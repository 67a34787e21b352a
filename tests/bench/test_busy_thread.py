"""Period services beside one busy Python thread: who gives up the GIL waits for it up to the switch interval, 5 ms."""

from __future__ import annotations

import itertools
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from tests.bench import names
from tests.bench.contest import Benchmark
from tests.bench.others import StockRing
from tests.bench.stage import Stage
from tests.busy import busy_thread

SERVICES = 2_000
STOCK_EVERY = 4
LOST_NS = 1_000_000
FRAMES = 256
ROOM = 4 * FRAMES


@pytest.fixture
def beside_busy_thread() -> Iterator[None]:
    with busy_thread():
        yield


def wake_up() -> None:
    """As after the wait for a period: without the GIL, then with it again."""
    time.sleep(0.000_5)


@dataclass
class Services:
    """What became of the services of one kind."""

    times_ns: list[int] = field(default_factory=list)
    waited: list[bool] = field(default_factory=list)
    """Whether this thread slept within the service, which makes no system call: then it waited for the GIL. Not if the
    system took the processor away too: who is away for 5 ms is asked to give up the GIL."""

    def told(self) -> dict[str, float]:
        lost = [waited for ns, waited in zip(self.times_ns, self.waited, strict=True) if ns > LOST_NS]
        return {
            "count": len(self.times_ns),
            "lost": sum(lost),
            "lost_to_the_machine": len(lost) - sum(lost),
            "p99_ns": statistics.quantiles(self.times_ns, n=100)[-1],
            "worst_ns": max(self.times_ns),
        }


class Switches:
    """How often this thread had given up the processor of its own will, and how often it was taken away."""

    def __init__(self) -> None:
        usage = resource.getrusage(resource.RUSAGE_THREAD)
        self._slept, self._taken = usage.ru_nvcsw, usage.ru_nivcsw

    def waited_since(self) -> bool:
        now = Switches()
        return now._slept != self._slept and now._taken == self._taken


@pytest.mark.usefixtures("beside_busy_thread")
def test_period_services(benchmark: Benchmark, stage: Stage) -> None:
    ring, peer, stock = stage.ring, stage.peer, StockRing(stage)
    block = np.zeros((FRAMES, 2), "i2")
    peer.set_avail(ROOM)
    ring.write(block)
    ours, theirs, stocks = Services(), Services(), Services()
    rounds = itertools.count()
    before: Switches | None = None

    def service() -> None:
        ring.avail()
        ring.write(block)
        ring.avail()

    def stock_service() -> None:
        stock.avail()
        stock.write_again()
        stock.avail()

    def peer_service() -> None:
        peer.avail()
        peer.write(block)
        peer.avail()

    def timed(what: Callable[[], None], services: Services) -> None:
        peer.set_avail(ROOM)
        switches = Switches()
        begin = time.perf_counter_ns()
        what()
        services.times_ns.append(time.perf_counter_ns() - begin)
        services.waited.append(switches.waited_since())

    def in_between() -> None:
        nonlocal before
        if before is not None:
            ours.waited.append(before.waited_since())
        timed(peer_service, theirs)
        if next(rounds) % STOCK_EVERY == 0:
            wake_up()
            timed(stock_service, stocks)
        wake_up()
        peer.set_avail(ROOM)
        before = Switches()

    benchmark.pedantic(service, setup=in_between, rounds=SERVICES)
    assert before is not None
    ours.waited.append(before.waited_since())
    ours.times_ns += [round(seconds * 1e9) for seconds in benchmark.stats.stats.data]
    who = zip(names.SERVICES, (ours, theirs, stocks), strict=True)
    benchmark.extra_info["services"] = {name: services.told() for name, services in who}
