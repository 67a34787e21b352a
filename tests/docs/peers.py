"""Where alsamm stands beside its peers: ``make peers`` prints README.md's table, by trying what is installed here.

All is tried on ALSA's ``null``, which any machine has, or asked of the package itself; alsamm's own column also on a
software card.
"""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.resources import files
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

import alsamm
from alsamm import sim
from tests.bench import null
from tests.bench.report import table

__all__ = ["compared"]

NAMES = ("alsamm", "sounddevice", "pyalsaaudio")
YES, NO = "yes", "-"
Question = Callable[["Peers"], str]


class Peers(NamedTuple):
    """The three packages, imported."""

    alsamm: ModuleType
    sounddevice: Any
    alsaaudio: Any


class Row(NamedTuple):
    """A feature, and how each package is asked for it."""

    feature: str
    alsamm: Question
    sounddevice: Question
    alsaaudio: Question


def naming(package: str, pattern: str, answer: str = YES) -> Question:
    """Whether any public name of the package, or of its classes, speaks of it."""

    def look(peers: Peers) -> str:
        names = set[str]()
        for name, thing in inspect.getmembers(getattr(peers, package)):
            if not name.startswith("_"):
                names |= {name, *(member for member in (dir(thing) if inspect.isclass(thing) else ()))}
        return answer if any(re.search(pattern, name) for name in names if not name.startswith("_")) else NO

    return look


def having(path: str, answer: str = YES) -> Question:
    """Whether there is such a name: ``sounddevice.Stream.read``."""

    def look(peers: Peers) -> str:
        found: Any = peers
        for name in path.split("."):
            if not hasattr(found, name):
                return NO
            found = getattr(found, name)
        return answer

    return look


def taking(path: str, name: str, answer: str = YES) -> Question:
    """Whether what is called has such a parameter."""

    def look(peers: Peers) -> str:
        called: Any = peers
        for part in path.split("."):
            called = getattr(called, part)
        return answer if name in inspect.signature(called).parameters else NO

    return look


def typed(package: str) -> Question:
    """Whether type checkers are told that they may read it (PEP 561)."""

    def look(_: Peers) -> str:
        module = importlib.import_module(package)
        return YES if hasattr(module, "__path__") and files(package).joinpath("py.typed").is_file() else NO

    return look


def running(package: str) -> Question:
    """Whether ``python -m`` shows the devices."""

    def look(_: Peers) -> str:
        done = subprocess.run([sys.executable, "-m", package], capture_output=True, check=False)
        return YES if done.returncode == 0 and done.stdout else NO

    return look


def awaiting(package: str) -> Question:
    """Whether anything in it can be awaited."""

    def look(peers: Peers) -> str:
        names = [thing for _, thing in inspect.getmembers(getattr(peers, package)) if inspect.isclass(thing)]
        return YES if any(hasattr(each, "__aenter__") for each in names) else NO

    return look


@contextmanager
def _alsaaudio(peers: Peers, kind: str, **wishes: Any) -> Generator[Any]:
    pcm = peers.alsaaudio.PCM(type=getattr(peers.alsaaudio, f"PCM_{kind}"), device="null", **wishes)
    try:
        yield pcm
    finally:
        pcm.close()


def _arrays_of_alsamm(_: Peers) -> str:
    with sim.Card("arrays", clock="auto") as card, alsamm.capture(card.device) as mic:
        return YES if isinstance(mic.read(64), np.ndarray) else NO


def _arrays_of_sounddevice(peers: Peers) -> str:
    with peers.sounddevice.InputStream(channels=2, samplerate=48_000, device=null.NAME) as stream:
        return YES if isinstance(stream.read(64)[0], np.ndarray) else NO


def _arrays_of_alsaaudio(peers: Peers) -> str:
    with _alsaaudio(peers, "CAPTURE") as pcm:
        return "bytes" if isinstance(pcm.read()[1], bytes) else YES


def _sizes_of_alsamm(_: Peers) -> str:
    with sim.Card("sizes", clock="auto") as card, alsamm.playback(card.device, period_size=100, buffer_size=300) as out:
        return YES if (out.period_size, out.buffer_size) == (100, 300) else NO


def _sizes_of_alsaaudio(peers: Peers) -> str:
    with _alsaaudio(peers, "PLAYBACK", periodsize=100, periods=3) as pcm:
        told = pcm.info()
        return YES if (told["period_size"], told["buffer_size"]) == (100, 300) else NO


def _views_of_alsamm(_: Peers) -> str:
    with sim.Card("views", clock="auto") as card, alsamm.playback(card.device) as out:
        ring = out.ring.next_view(out.period_size)
        return YES if np.shares_memory(ring, next(out.periods())) else NO


def _access_of_alsaaudio(peers: Peers) -> str:
    with _alsaaudio(peers, "PLAYBACK") as pcm:
        return NO if pcm.info()["access_type"].startswith("RW_") else YES


def everywhere(pattern: str) -> tuple[Question, ...]:
    """The same question to all three."""
    return tuple(naming(package, pattern) for package in Peers._fields)


ROWS = (
    Row("numpy views of the kernel's ring", _views_of_alsamm, naming("sounddevice", "mmap|ring"), _access_of_alsaaudio),
    Row("numpy arrays", _arrays_of_alsamm, _arrays_of_sounddevice, _arrays_of_alsaaudio),
    Row("period and buffer, both exact", _sizes_of_alsamm, taking("sounddevice.Stream", "blocksize", "period"),
        _sizes_of_alsaaudio),
    Row("read into your own array", taking("alsamm.CaptureStream.read", "out"),
        taking("sounddevice.rec", "out", "`rec`"), naming("alsaaudio", "into")),
    Row("what an xrun gives", taking("alsamm.Interruption", "gap_ns", "time, frames, gap"),
        having("sounddevice.CallbackFlags.output_underflow", "a flag"), having("alsaaudio.PCM_STATE_XRUN", "a state")),
    Row("a position with its time", having("alsamm.Position.time_ns"), naming("sounddevice", "htimestamp|^position"),
        having("alsaaudio.PCM.htimestamp")),
    Row("a model of the card's clock", *everywhere("(?i)clock.?model|ppm|drift")),
    Row("both directions in one stream", having("alsamm.DuplexStream.exchange"), having("sounddevice.Stream.read"),
        naming("alsaaudio", "(?i)duplex|^link")),
    Row("callbacks", having("alsamm.Stream", "Python, C"), taking("sounddevice.Stream", "callback", "Python"),
        naming("alsaaudio", "(?i)callback")),
    Row("asyncio", awaiting("alsamm"), awaiting("sounddevice"), awaiting("alsaaudio")),
    Row("a descriptor to poll", *everywhere("fileno|poll")),
    Row("types for checkers", typed("alsamm"), typed("sounddevice"), typed("alsaaudio")),
    Row("`python -m` shows the devices", running("alsamm"), running("sounddevice"), running("alsaaudio")),
    Row("a card in software, for tests", *everywhere("^sim$|^[Ff]ake|^[Mm]ock")),
    Row("a mixer", *everywhere("(?i)mixer")),
    Row("other systems than Linux", *everywhere("CoreAudio|Wasapi")),
)  # fmt: skip


def compared() -> str:
    """The table, as Markdown."""
    null.configure()
    peers = Peers(alsamm, importlib.import_module("sounddevice"), importlib.import_module("alsaaudio"))
    heading = ["", *(f"{name} {version(name)}" for name in NAMES)]
    rows = [[row.feature, *(ask(peers) for ask in row[1:])] for row in ROWS]
    return table(heading, rows)


if __name__ == "__main__":
    sys.stdout.write(f"{compared()}\n")
