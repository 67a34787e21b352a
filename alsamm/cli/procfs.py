"""What the kernel tells of every PCM that is open on this machine: /proc/asound/card*/pcm*/sub*/.

The texts are snd_pcm_substream_proc_*_read of the kernel's sound/core/pcm.c, which CONFIG_SND_VERBOSE_PROCFS gives it.
"""

from __future__ import annotations

import pwd
import re
from dataclasses import dataclass
from pathlib import Path

from alsamm.enums import Direction

__all__ = ["Owner", "Substream", "substreams", "why_none"]


@dataclass(frozen=True)
class Owner:
    """Who has it open. None: hidden from us, or gone meanwhile."""

    pid: int
    program: str | None
    user: str | None


@dataclass(frozen=True)
class Substream:
    """One substream, as it was when read; frames. What the kernel does not tell, or not so that we know it, is None.

    The files are read one after the other, so a PCM that is closed or opened between them is told of in part.
    """

    name: str
    """As ALSA opens it: hw:ID,DEVICE,SUBDEVICE."""
    card: int
    device: int
    subdevice: int
    direction: Direction
    state: str
    """``CLOSED``, or the kernel's word."""
    owner: Owner | None = None
    access: str | None = None
    format: str | None = None
    channels: int | None = None
    rate: int | None = None
    period_size: int | None = None
    buffer_size: int | None = None
    hw_ptr: int | None = None
    appl_ptr: int | None = None
    avail: int | None = None
    delay: int | None = None
    trigger_time: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether anybody has it."""
        return self.state != _CLOSED

    @property
    def fill(self) -> int | None:
        """Frames in the buffer: to be played, or to be read."""
        if self.avail is None or self.buffer_size is None:
            return None
        there = self.avail if self.direction is Direction.CAPTURE else self.buffer_size - self.avail
        return min(max(there, 0), self.buffer_size)


_CLOSED = "CLOSED"
_PLACE = re.compile(r"card(\d+)/pcm(\d+)([pc])/sub(\d+)")


def substreams(proc: Path = Path("/proc")) -> list[Substream]:
    """All there are, in order. A folder that vanishes while it is read is left out. Empty: see ``why_none``."""
    asound = proc / "asound"
    found = [each for folder in asound.glob("card*/pcm*/sub*") if (each := _substream(proc, folder)) is not None]
    return sorted(found, key=lambda each: (each.card, each.device, each.direction, each.subdevice))


def why_none(proc: Path = Path("/proc")) -> str:
    """Why there is none."""
    if not (proc / "asound").is_dir():
        return f"{proc}/asound is not there: this kernel has no sound, or its modules are not loaded"
    if (_text(proc / "asound" / "pcm") or "").strip():
        return f"{proc}/asound tells of no PCM's state: this kernel was made without CONFIG_SND_VERBOSE_PROCFS"
    return "no sound card here has a PCM"


def _substream(proc: Path, folder: Path) -> Substream | None:
    place = _PLACE.fullmatch(folder.relative_to(proc / "asound").as_posix())
    text = _text(folder / "status")
    if place is None or text is None:
        return None
    card, device, subdevice = (int(place[n]) for n in (1, 2, 4))
    card_id = (_text(folder.parents[1] / "id") or str(card)).strip()
    status = _fields(text)
    hw = _fields(_text(folder / "hw_params") or "") if status else {}  # which most PCMs of most machines spares
    pid = _number(status.get("owner_pid"))
    return Substream(
        name=f"hw:{card_id},{device},{subdevice}",
        card=card,
        device=device,
        subdevice=subdevice,
        direction=Direction.PLAYBACK if place[3] == "p" else Direction.CAPTURE,
        # Without the field it is "closed", or what a kernel to come writes.
        state=status.get("state", _CLOSED),
        owner=None if pid is None else _owner(proc, pid),
        access=hw.get("access"),
        format=hw.get("format"),
        channels=_number(hw.get("channels")),
        rate=_number(hw.get("rate")),
        period_size=_number(hw.get("period_size")),
        buffer_size=_number(hw.get("buffer_size")),
        hw_ptr=_number(status.get("hw_ptr")),
        appl_ptr=_number(status.get("appl_ptr")),
        avail=_number(status.get("avail")),
        delay=_number(status.get("delay")),
        trigger_time=status.get("trigger_time"),
    )


def _owner(proc: Path, pid: int) -> Owner:
    """The kernel tells the thread that opened it, which may have ended; its process is what people know."""
    fields = _fields(_text(proc / str(pid) / "status") or "")
    process = _number(fields.get("Tgid")) or pid
    program = (_text(proc / str(process) / "comm") or "").strip()
    uid = _number(fields.get("Uid"))
    return Owner(process, program or None, None if uid is None else _user(uid))


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _fields(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}


def _number(text: str | None) -> int | None:
    """The number that a field begins with."""
    found = re.match(r"-?\d+", text or "")
    return None if found is None else int(found[0])


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:  # gone meanwhile, or hidden from us
        return None
