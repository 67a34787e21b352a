"""How long the structs of software cards and of their PCMs live: as long as somebody looks at them, and no longer.

AddressSanitizer sees a struct that goes too early, ThreadSanitizer who looks at it without holding it (tests/sanitize).
"""

from __future__ import annotations

import contextlib
import errno
import gc
import itertools
import os
import random
import resource
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

import alsamm
from alsamm import errors, sim
from alsamm._c import ffi, lib
from alsamm.enums import State
from tests.reliability.lifetimes import heap_bytes
from tests.unit.simkit import Raw

ROUNDS = 200
SLACK = 16 << 10
"""Of bytes, for what else happens in the process; a struct that stays in each round is 80 KiB and more."""
_names = itertools.count()


def card_of(**options: Any) -> sim.Card:
    return sim.Card(f"registry{next(_names)}", record=False, **options)


def opened_and_closed() -> None:
    with card_of() as card:
        Raw(card).close()
        alsamm.PCM(card.device, "capture").close()


def closed_under_its_client() -> None:
    with card_of() as card:
        pcm = Raw(card)
    pcm.close()


def mapped_beyond_its_end() -> None:
    with card_of() as card:
        pcm = Raw(card)
        assert pcm.map_page(lib.ALSAMM_CONTROL_PAGE)[0] == 0
        lib.sim_close(pcm.fd)
    pcm.unmap()


def duplicated_beyond_its_end() -> None:
    """Nobody tells us when such a descriptor is closed: the next round sees it."""
    with card_of() as card:
        pcm = Raw(card)
        kept = os.dup(pcm.fd)
        lib.sim_close(pcm.fd)
    pcm.fd = kept
    assert pcm.sync()[0] == -errno.ENODEV
    os.close(kept)


def closed_behind_our_back() -> None:
    with card_of() as card:
        os.close(Raw(card).fd)


def unplugged_and_plugged_in() -> None:
    with card_of() as card:
        old = Raw(card)
        card.unplug()
        card.replug()
        Raw(card).close()
        assert old.op("prepare") == -errno.ENODEV
        old.close()


def refused() -> None:
    with card_of() as card:
        pcm = Raw(card)
        assert lib.sim_open(card._handle, 0, ffi.new("int *")) == -errno.EBUSY
        assert pcm.op("link", pcm.fd) == -errno.EINVAL
        other = Raw(card, capture=True)
        assert pcm.op("link", other.fd) == -errno.EBADFD, "not configured"
        other.close()
        pcm.close()


def forgotten() -> None:
    """A card that is never closed, in a cycle."""
    card = card_of()
    card.me = card  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue] -- the cycle
    Raw(card).close()


WAYS = (
    opened_and_closed, closed_under_its_client, mapped_beyond_its_end, duplicated_beyond_its_end,
    closed_behind_our_back, unplugged_and_plugged_in, refused, forgotten,
)  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_nothing_of_them_stays(way: Callable[[], None]) -> None:
    for _ in range(20):
        way()
    gc.collect()
    before = heap_bytes()
    for _ in range(ROUNDS):
        way()
    gc.collect()
    assert heap_bytes() - before < SLACK


# ---- who holds one that is closed ----


@pytest.mark.parametrize("call", ["drain", "read"])
def test_a_call_that_sleeps_in_a_pcm_that_goes_gets_enodev(call: str) -> None:
    """It alone may hold the struct then, and the card's."""
    for _ in range(30):  # whether it is awake before the others let go is chance
        sleep_in_what_goes(call)


def sleep_in_what_goes(call: str) -> None:
    card = card_of(no_period_wakeup=True)
    pcm = Raw(card, capture=call == "read")
    assert pcm.configure(access=alsamm.Access.RW_INTERLEAVED, no_period_wakeup=True) == 0
    assert pcm.op("prepare") == 0
    sleeps, told = State.RUNNING, list[int]()
    if call == "drain":
        assert pcm.commit(64) == 0
        assert pcm.op("start") == 0
        sleeps = State.DRAINING
    truth, fd, memory = pcm.truth, pcm.fd, bytearray(2 * 64)

    def sleep() -> None:
        out = ffi.new("long *")
        if call == "drain":
            told.append(lib.alsamm_pcm_op(fd, lib.ALSAMM_DRAIN, 0, out))
        else:
            told.append(lib.alsamm_transfer(fd, 1, ffi.from_buffer(memory), 64, out))

    thread = threading.Thread(target=sleep, daemon=True)  # it sleeps on where it is not told
    thread.start()
    while truth.state is not sleeps and thread.is_alive():
        pass
    lib.sim_close(fd)
    del truth, pcm, card  # the Card too is gone
    gc.collect()
    thread.join(20)
    assert told == [-errno.ENODEV]


def test_a_finalizer_that_asks_a_card_of_the_same_garbage() -> None:
    """The collector ends a cycle's objects in any order; a card answers as long as there is a Card to be asked."""
    answers = list[str]()

    class Owner:
        def __init__(self) -> None:
            self.card = card_of()
            self.me = self

        def __del__(self) -> None:
            try:
                answers.append(repr(self.card.playback))
                self.card.advance(1)
            except errors.ClosedError as error:
                answers.append(type(error).__name__)

    for _ in range(10):
        Owner()
    gc.collect()
    assert len(answers) in (10, 20), answers
    assert set(answers) <= {"ClosedError", "<playback closed hw_ptr=0 appl_ptr=0 position=0>"}


def test_without_a_descriptor_to_look_with_nothing_is_taken_away() -> None:
    """A dup()ed descriptor was lost while none was free: its PCM was closed, and it a stranger's (ENOTTY)."""
    with card_of() as card:
        pcm = Raw(card)
        assert pcm.configure() == 0
        kept = os.dup(pcm.fd)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (pcm.fd, hard))  # all below it are taken, for it was the first free
        try:
            lib.sim_close(pcm.fd)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        pcm.fd = kept
        assert card.playback.is_open
        assert pcm.op("prepare") == 0
        os.close(kept)


# ---- many at a time ----

CALLERS, MAKERS, CARDS = 3, 2, 200
# What a call by a number gets whose PCM is being closed, closed, or somebody else's by now.
GONE = {"ENODEV", "EBADF", "ENOTTY"}
# And as its state is.
REFUSED = {"EBADFD", "EBUSY", "EPIPE", "EINVAL"}
# And, of link only, whom another caller has just linked (snd_pcm_link).
LINKED = "link: EALREADY"


@pytest.fixture
def often() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def bare(fd: int, capture: bool = False) -> Raw:
    """Of no card that it would hold."""
    pcm = Raw.__new__(Raw)
    pcm.fd, pcm.capture, pcm._maps = fd, capture, []
    return pcm


class Numbers:
    """The descriptors of the makers' PCMs. Callers use their numbers, or with ``own`` a descriptor dup()ed from one."""

    def __init__(self, own: bool) -> None:
        self.own = own
        self.fds = [-1] * MAKERS
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.answers = Counter[str]()
        self.problems = list[BaseException]()

    @contextlib.contextmanager
    def one(self, dice: random.Random) -> Generator[int]:
        """A descriptor that is open, or was a moment ago."""
        if not self.own:
            yield dice.choice(self.fds)
            return
        with self.lock:
            fd = dice.choice(self.fds)
            fd = os.dup(fd) if fd >= 0 else fd
        try:
            yield fd
        finally:
            if fd >= 0:
                os.close(fd)

    def tell(self, number: int, fd: int) -> None:
        """Before it is closed, -1."""
        with self.lock:
            if self.own or fd >= 0:
                self.fds[number] = fd

    def call(self, seed: int) -> None:
        """What threads do to a PCM that is not theirs."""
        dice = random.Random(seed)
        while not self.ended.is_set():
            with self.one(dice) as fd, self.one(dice) as other:
                pcm, what = bare(fd), dice.choice(["status", "poll", "op", "link", "map"])
                if what == "status":
                    code = int(lib.alsamm_get_status(fd, ffi.new("struct alsamm_status *")))
                elif what == "poll":
                    code = pcm.poll(1)[0]
                elif what == "op":
                    code = pcm.op(dice.choice(["prepare", "start", "drop", "hwsync"]))
                elif what == "link":
                    code = pcm.op("link", other)
                else:
                    code = pcm.map_page(lib.ALSAMM_STATUS_PAGE)[0]
                    pcm.unmap()
            answer = "ok" if code >= 0 else errno.errorcode[-code]
            self.answers[LINKED if (what, answer) == ("link", "EALREADY") else answer] += 1

    def make(self, number: int) -> None:
        """What the others' PCMs are opened on, and go with, in any order."""
        dice, out = random.Random(number), ffi.new("int *")
        for _ in range(CARDS):
            card = card_of(clock=dice.choice(["manual", "realtime"]))
            while not card.closed and dice.random() < 0.8:
                capture = dice.random() < 0.3
                if (code := lib.sim_open(card._handle, capture, out)) == -errno.EBUSY:
                    continue  # by a caller's page or descriptor (rule C10)
                assert code == 0
                pcm = bare(out[0], capture)
                pcm.configure()
                self.tell(number, pcm.fd)
                time.sleep(dice.choice([0, 0, 1e-4, 1e-3]))
                if dice.random() < 0.3:
                    card.unplug()
                    card.replug()
                if dice.random() < 0.3:
                    card.close()
                self.tell(number, -1)
                lib.sim_close(pcm.fd)
            del card

    def guard(self, work: Callable[[int], None], number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 -- told below
            self.problems.append(error)
            self.ended.set()


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("own", [False, True], ids=["number", "own"])
def test_calls_beside_opening_and_closing(own: bool) -> None:
    """Each gets an answer, of its PCM or that there is none."""
    shared = Numbers(own)
    callers = [threading.Thread(target=shared.guard, args=(shared.call, n)) for n in range(CALLERS)]
    makers = [threading.Thread(target=shared.guard, args=(shared.make, n)) for n in range(MAKERS)]
    for thread in (*makers, *callers):
        thread.start()
    for thread in makers:
        thread.join(120)
    shared.ended.set()
    for thread in callers:
        thread.join(20)
    assert not shared.problems, shared.problems
    assert not any(thread.is_alive() for thread in (*makers, *callers))
    assert shared.answers["ok"] > 100, shared.answers
    assert set(shared.answers) <= {"ok", LINKED} | GONE | REFUSED, shared.answers
