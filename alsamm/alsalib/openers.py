"""Opening a PCM by name: alsa-lib, or whoever registered the part of the name before the colon."""

from __future__ import annotations

import difflib
import errno
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from alsamm import errors
from alsamm._c import FAILURES, failure, ffi, lib
from alsamm.alsalib.cards import cards, pcms
from alsamm.enums import Direction

if TYPE_CHECKING:
    from alsamm._c._native import CData

__all__ = ["OPENERS", "STAND_INS", "Opened", "Opener", "holders", "open_pcm"]

_OPENING: Mapping[int, type[errors.AlsaError]] = MappingProxyType(
    {
        **FAILURES,
        errno.EBUSY: errors.DeviceBusyError,
        errno.ENOENT: errors.DeviceNotFoundError,
        errno.ENODEV: errors.DeviceNotFoundError,
        errno.ENXIO: errors.DeviceNotFoundError,
        errno.EINVAL: errors.DeviceNotFoundError,
    }
)


class Opened(NamedTuple):
    """What an opener gives."""

    handle: CData
    """A snd_pcm_t *, which the PCM closes with snd_pcm_close."""
    kernel_fd: int
    """The descriptor to map and to ioctl, or -1 where there is none. It is the opener's own."""
    keep: object
    """What the descriptor lives by: held until the PCM is closed."""


# Rule P25: alsa-lib gives a shell what stands behind "|", which "\\174" is too. In braces a name has a
# configuration of its own, which may read others ("<"), call functions ("@") and name libraries: docs/security.md.
_RUNS = re.compile(r"[|\\]|\{.*?([<@]|\b(hooks|ladspa|lib|meter)\b)", re.DOTALL)

Opener = Callable[[str, Direction], Opened]

# By what stands before the colon in a PCM's name. The software card enters itself here when it is imported.
OPENERS: dict[str, Opener] = {}
# By the whole name, before anything else is asked: what a software card stands in for.
STAND_INS: dict[str, Opener] = {}


def open_pcm(name: str, direction: Direction) -> Opened:
    """Open, never waiting for a PCM that somebody else has (rule A1), and leave it non-blocking.

    Raises DeviceNotFoundError, DeviceBusyError, DeviceAccessError, or AlsaOSError for what else alsa-lib may answer.
    """
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may be untyped
        raise errors.ArgumentTypeError(f"{name!r}: a PCM's name is a str, such as 'hw:0' or 'default'")
    if not name or "\0" in name:
        raise errors.ArgumentError(f"{name!r} is no PCM name")
    if _RUNS.search(name):
        raise errors.ArgumentError(
            f"{name!r}: by such a name alsa-lib could run a command or load a library; "
            "define that PCM in ~/.asoundrc and open it by the name that it has there"
        )
    prefix = name.partition(":")[0]
    opener = STAND_INS.get(name) or OPENERS.get(prefix)
    if opener is not None:
        return opener(name, direction)
    if prefix == "sim":
        message = "no software card yet: `import alsamm.sim` and make an alsamm.sim.Card"
        raise errors.DeviceNotFoundError(errno.ENOENT, message, "", name)
    handle = _snd_pcm_open(name, direction)
    return Opened(handle, _kernel_fd(handle), None)


def _snd_pcm_open(name: str, direction: Direction) -> CData:
    out = ffi.new("snd_pcm_t **")
    # No SND_PCM_NO_AUTO_*: what a plugin converts is its own and the user's business.
    code = lib.snd_pcm_open(out, name.encode(), direction, lib.SND_PCM_NONBLOCK)
    if code in (-errno.ENOENT, -errno.ENODEV, -errno.EINVAL):
        # alsa-lib keeps the configuration that it has read, and with it the cards of that time: forget it and look
        # again. Safe beside other threads: those that open hold a reference of their own (snd_config_update_ref), PCMs
        # that are open hold copies, and the name hints never use the shared tree.
        lib.snd_config_update_free_global()
        code = lib.snd_pcm_open(out, name.encode(), direction, lib.SND_PCM_NONBLOCK)
    if code in (-errno.ENOENT, -errno.ENODEV):
        code = -_why_not_found(Path("/dev/snd")) or code
    if code < 0:
        raise failure(code, "snd_pcm_open", name, _OPENING, _explain(code, name, direction))
    return out[0]


def _why_not_found(nodes: Path) -> int:
    """The errno, or 0, of what alsa-lib calls not there for it could not look: no rights (rule P26), no descriptor."""
    try:
        controls = [node for node in nodes.iterdir() if node.name.startswith("controlC")]
    except OSError as error:
        return error.errno if error.errno in {errno.EMFILE, errno.ENFILE} else 0
    return errno.EACCES if controls and not any(os.access(control, os.R_OK) for control in controls) else 0


def _kernel_fd(handle: CData) -> int:
    if lib.snd_pcm_type(handle) != lib.SND_PCM_TYPE_HW:
        return -1
    pollfd = ffi.new("struct pollfd *")
    if lib.snd_pcm_poll_descriptors(handle, pollfd, 1) != 1:
        lib.snd_pcm_close(handle)
        raise errors.UnsupportedError("alsa-lib tells no file descriptor for this hw PCM")
    return int(pollfd.fd)


def _explain(code: int, name: str, direction: Direction) -> str:
    if code in (-errno.ENOENT, -errno.ENODEV, -errno.ENXIO):
        return f"no such {direction} PCM; {_nearby(name, direction)}"
    if code == -errno.EINVAL:
        return f"alsa-lib cannot make sense of this name, or there is no such card; {_nearby(name, direction)}"
    if code == -errno.EBUSY:
        return "in use" + "".join(f", by process {pid} ({command})" for pid, command in holders(name, direction))
    if code in (-errno.EACCES, -errno.EPERM):
        return "this user may not open it; on most systems members of the group audio may"
    return ""


def _nearby(name: str, direction: Direction) -> str:
    """What else could be opened."""
    known = pcms(direction)
    near = difflib.get_close_matches(name, known, 4)
    if near:
        return f"near it: {', '.join(near)}"
    found = cards()
    if not found:
        return "there are no sound cards on this machine"
    listed = [card.pcm_name(pcm) for card in found for pcm in card.pcms if pcm.direction == direction]
    return f"there are {', '.join(listed)}" if listed else f"no card here does {direction}"


def holders(name: str, direction: Direction, proc: Path = Path("/proc")) -> list[tuple[int, str]]:
    """Process and command of those who have the PCM's substreams open, as far as /proc tells.

    For a name that tells no card, such as ``default``, those of all cards.
    """
    card, device = _hardware(name)
    suffix = "p" if direction == Direction.PLAYBACK else "c"
    found: dict[int, str] = {}
    for status in sorted((proc / "asound").glob(f"{card}/pcm{device}{suffix}/sub*/status")):
        owner = re.search(r"^owner_pid\s*:\s*(\d+)", _text(status), re.MULTILINE)
        if owner:
            pid = int(owner[1])
            found[pid] = _text(proc / str(pid) / "comm").strip() or "?"
    return list(found.items())


def _hardware(name: str) -> tuple[str, str]:
    """Card and device of a name such as ``plughw:CARD=Dummy,DEV=1`` or ``hw:0,1``, as patterns of /proc/asound."""
    kind, _, arguments = name.partition(":")
    if not arguments:
        return "card*", "*"
    given = [part.strip().rpartition("=") for part in arguments.split(",")]
    named = {key.upper(): value for key, _, value in given if key}
    plain = [value for key, _, value in given if not key]
    card = named.get("CARD") or (plain[0] if plain else "*")
    # Of the plugins' names (front:, dmix:) only these two count devices as the kernel does.
    device = (named.get("DEV") or (plain[1] if len(plain) > 1 else "0")) if kind in ("hw", "plughw") else "*"
    device = device if device.isdigit() else "*"
    if card.isdigit() or card == "*":
        return f"card{card}", device
    return (card if re.fullmatch(r"\w+", card) else "card*"), device


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # gone meanwhile, or hidden from us
        return ""
