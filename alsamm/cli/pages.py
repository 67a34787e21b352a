"""Which of a PCM's pages the kernel maps, what it answers where it does not, and the rule behind that."""

from __future__ import annotations

import errno
import platform
from typing import NamedTuple

import alsamm
from alsamm._c import check, ffi, lib

__all__ = ["PageAnswer", "Pages", "pages_of"]

_MACHINES = ("x86_64", "i386", "i486", "i586", "i686", "ppc", "ppc64", "ppc64le", "alpha")  # rule C2
_HEARS_OLD = (2, 0, 14)  # rule C3


class PageAnswer(NamedTuple):
    """What came of mapping a page."""

    mapped: bool
    answer: str
    """The error's name, or ""."""
    why: str
    """In words, with the rule's number; "" where it is mapped."""


class Pages(NamedTuple):
    """Of one PCM."""

    status: PageAnswer
    control: PageAnswer
    samples: str
    """Whether the ring itself can be mapped."""
    info: int
    """SNDRV_PCM_INFO_* of the driver."""
    protocol: tuple[int, int, int]

    @property
    def transport(self) -> str:
        """In short."""
        names = ["mapped" if page.mapped else "SYNC_PTR" for page in (self.status, self.control)]
        return names[0] if names[0] == names[1] else f"status {names[0]}, control {names[1]}"


def pages_of(pcm: alsamm.PCM) -> Pages:
    """Ask the kernel for both pages, and let go of them.

    Raises UnsupportedError for a PCM that alsa-lib makes; DeviceLostError.
    """
    fd = pcm.kernel_fd()
    about, can = ffi.new("struct alsamm_info *"), ffi.new("struct alsamm_abilities *")
    check(lib.alsamm_hello(fd, about), "SNDRV_PCM_IOCTL_INFO", pcm.name)
    check(lib.alsamm_get_abilities(fd, can), "SNDRV_PCM_IOCTL_HW_REFINE", pcm.name)
    protocol = (about.protocol >> 16 & 0xFFFF, about.protocol >> 8 & 0xFF, about.protocol & 0xFF)
    machine = platform.machine()
    software = pcm.name.startswith("sim:")

    def ask(page: int, name: str) -> PageAnswer:
        out = ffi.new("void **")
        code = lib.alsamm_map_page(fd, page, out)
        if code >= 0:
            lib.alsamm_unmap_page(out[0])
            return PageAnswer(mapped=True, answer="", why="")
        return PageAnswer(mapped=False, answer=errno.errorcode.get(-code, str(-code)), why=why(name))

    def why(name: str) -> str:
        if machine not in _MACHINES and not software:
            return f"the kernel has these pages on x86, PowerPC and Alpha only; this is {machine} (rule C2)"
        if can.explicit_sync:
            return "EXPLICIT_SYNC: this card's memory must be synchronized by a call, so no page is given (rule C3)"
        if can.sync_applptr and name == "control":
            return ("SYNC_APPLPTR: the driver must hear of every commit, which a store into a mapped page would hide "
                    "(rules C3, C4)")  # fmt: skip
        if can.sync_applptr and protocol < _HEARS_OLD:
            return "SYNC_APPLPTR, and the kernel speaks a protocol older than 2.0.14: neither page is given (rule C3)"
        if software:
            return "the software card was told to refuse it, as machines do that have no such pages (rule C2)"
        return "no rule that is known here: a sandbox, or another kernel"

    status, control = ask(lib.ALSAMM_STATUS_PAGE, "status"), ask(lib.ALSAMM_CONTROL_PAGE, "control")
    samples = "can be mapped" if can.mmap else "cannot be mapped: the driver offers no mmap of its samples (rule F4)"
    return Pages(status, control, samples, int(can.info), protocol)
