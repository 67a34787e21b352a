"""One call on a ring's pointers: by alsamm, by a hand-written extension, by cffi as it comes."""

from __future__ import annotations

from alsamm._c import lib
from tests.bench import names
from tests.bench.contest import Benchmark, compete, statement
from tests.bench.others import StockRing
from tests.bench.stage import FRAMES, Stage, room_for


class _Constant:
    """What a call of any method in Python costs."""

    def method(self) -> int:
        return 0


def test_pointers(benchmark: Benchmark, stage: Stage) -> None:
    ring, peer, stock = stage.ring, stage.peer, StockRing(stage)

    def half_full(calls: int) -> None:
        del calls
        peer.set_avail(FRAMES // 2)  # an avail as it is in a stream that runs

    room = room_for(stage, 1)
    compete(
        benchmark,
        names.POINTERS,
        [
            statement(names.AVAIL, "ring.avail()", before=half_full, ring=ring),
            statement(names.AVAIL_HAND_WRITTEN, "ring.avail()", before=half_full, ring=peer),
            statement(names.AVAIL_STOCK, "ring.avail()", before=half_full, ring=stock),
            statement(names.AVAIL_CALL, "avail(ring)", before=half_full, avail=lib.fast_avail, ring=ring._ring),
            statement(names.METHOD, "ring.method()", ring=_Constant()),
            statement("ring.hw_ptr", "ring.hw_ptr", before=half_full, ring=ring),
            statement("ring.appl_ptr", "ring.appl_ptr", before=half_full, ring=ring),
            statement("ring.state", "ring.state", before=half_full, ring=ring),
            statement("hw_ptr of a hand-written extension", "ring.hw_ptr", before=half_full, ring=peer),
            statement("ring.commit(1)", "ring.commit(1)", before=room, ring=ring),
            statement("commit(1) of a hand-written extension", "ring.commit(1)", before=room, ring=peer),
            statement("commit(1) over a stock cffi call", "ring.commit(1)", before=room, ring=stock),
            statement("an empty stock cffi call", "empty()", empty=stock.lib.bench_empty),
        ],
    )
