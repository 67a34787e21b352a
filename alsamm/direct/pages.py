"""The status and control pages of a PCM: mapped where the kernel allows it, by SYNC_PTR where not (rules C2-C4)."""

from __future__ import annotations

import errno
import os
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from alsamm import errors
from alsamm._c import check, failure, ffi, lib
from alsamm.device import Device
from alsamm.enums import Direction, Transport

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["PageView", "Pages", "Transports", "require_pcm"]


_NOT_A_PCM = {errno.ENOTTY, errno.EINVAL, errno.ENOSYS, errno.EBADF, errno.EOPNOTSUPP}
# ENXIO is the kernel's word for "not this page on this card or machine"; the rest are what sandboxes and old kernels
# say.
_REFUSED = {errno.ENXIO, errno.EACCES, errno.EINVAL, errno.ENODEV}


class Transports(NamedTuple):
    """By which road each page is reached; the kernel decides for each by itself (rule C3)."""

    status: Transport
    control: Transport

    def __str__(self) -> str:
        if self.status == self.control:
            return str(self.status)
        return f"status {self.status}, control {self.control}"


def require_pcm(fd: int, direction: Direction | None = None) -> None:
    """Tell the kernel which protocol we speak, which must come before any mapping (rules A3, C5).

    Raises UnsupportedError when ``fd`` is no PCM, or by the kernel's word one of another ``direction``;
    ArgumentTypeError for what is no number; DeviceLostError when its card is gone.
    """
    if not isinstance(fd, int):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may be untyped
        raise errors.ArgumentTypeError(f"{fd!r}: a file descriptor is an int")
    if not 0 <= fd < 1 << 31:
        raise errors.UnsupportedError(f"{fd} is no PCM: it is no file descriptor")
    info = ffi.new("struct alsamm_info *")
    code = lib.alsamm_hello(fd, info)
    if -code in _NOT_A_PCM:
        raise errors.UnsupportedError(f"file descriptor {fd} is no PCM ({os.strerror(-code)})")
    check(code, "SNDRV_PCM_IOCTL_INFO")
    if direction is not None and bool(info.capture) != (direction is Direction.CAPTURE):
        raise errors.UnsupportedError(f"file descriptor {fd} is a PCM, but not for {direction}")


class Pages:
    """One file descriptor of our own and the pages reached by it, as the C struct that every pointer call takes.

    The descriptor is a dup: it keeps the device open until closed here, and no close or reuse of the caller's number
    can lead our SYNC_PTR astray. MADV_DONTFORK keeps the pages out of a child, where this object is closed.

    Synchronization: calls on one object may come from any thread; ``close`` only when none is under way.
    """

    def __init__(
        self,
        fd: int,
        *,
        status: bool,
        control: bool,
        force_sync_ptr: bool,
        struct: Any = None,
        direction: Direction | None = None,
    ) -> None:
        """Map what is asked for; ``struct`` is where the C struct lives if it is part of a larger one.

        Raises UnsupportedError when ``fd`` is no PCM, DeviceLostError when its card is gone.
        """
        self.struct = ffi.new("struct alsamm_pages *") if struct is None else struct
        self.struct.fd = -1
        require_pcm(fd, direction)
        self._number = _Number()
        self._finalizer = weakref.finalize(self, _release, self.struct, self._number)
        self._finalizer.atexit = False  # a daemon thread may be in C still; the kernel takes it all back
        _alive.add(self)
        self.struct.fd = self._number.take(fd)
        try:
            if status and not force_sync_ptr:
                self.struct.status = self._map(lib.ALSAMM_STATUS_PAGE)
            if control and not force_sync_ptr:
                self.struct.control = self._map(lib.ALSAMM_CONTROL_PAGE)
        except BaseException:
            self.close()
            raise

    def _map(self, page: int) -> Any:
        out = ffi.new("void **")
        code = lib.alsamm_map_page(self.struct.fd, page, out)
        if code < 0 and -code not in _REFUSED:
            raise failure(code, "mmap")
        return out[0]

    @property
    def status_transport(self) -> Transport:
        """How hw_ptr, state and timestamps are read."""
        return Transport.MAPPED if self.struct.status else Transport.SYNC_PTR

    @property
    def control_transport(self) -> Transport:
        """How appl_ptr and avail_min are read and written."""
        return Transport.MAPPED if self.struct.control else Transport.SYNC_PTR

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called, or this process was forked from the owner's."""
        return bool(self.struct.fd < 0)

    def close(self) -> None:
        """Unmap and let go of the device; twice is harmless."""
        self._finalizer()

    def leave(self) -> None:
        """As ``close``, while another thread is in C: the pages are blank until ``close``, and the number is nobody's.

        That thread may have read the number already.
        """
        for page in (self.struct.status, self.struct.control):
            if page:
                lib.alsamm_blank(page, lib.alsamm_page_size())
        self.struct.fd = -1
        self._number.blank()

    def forked(self) -> None:
        """In the child: the pages are not mapped here, and our descriptor would keep the card open."""
        if not self.closed:
            self._finalizer.detach()
            self.struct.status = self.struct.control = ffi.NULL
            self.struct.fd = -1
            self._number.give_back()


class _Number:
    """A descriptor of our own, and which file it is: somebody may close the number, and another file get it.

    Synchronization: as Pages.
    """

    def __init__(self) -> None:
        self._fd = -1
        self._file = (0, 0)

    def take(self, fd: int) -> int:
        """A dup of ``fd``. Raises AlsaOSError (EMFILE) without a free one."""
        try:
            self._fd = os.dup(fd)
        except OSError as error:
            raise failure(-(error.errno or errno.EBADF), "dup") from error
        self._file = _file_of(self._fd)
        return self._fd

    def blank(self) -> None:
        """Let go of the file, but not yet of its number."""
        if self._fd >= 0 and _file_of(self._fd) == self._file:
            with suppress(OSError):  # no descriptor is left: the number goes with the file
                null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
                os.dup2(null, self._fd, inheritable=False)
                os.close(null)
                self._file = _file_of(self._fd)
                return
            self.give_back()

    def give_back(self) -> None:
        """Close it, if it is still what it was; twice is harmless."""
        fd, self._fd = self._fd, -1
        if fd >= 0 and _file_of(fd) == self._file:
            os.close(fd)


def _file_of(fd: int) -> tuple[int, int]:
    try:
        file = os.fstat(fd)
    except OSError:  # somebody closed it
        return (-1, -1)
    return (file.st_dev, file.st_ino)


def _release(struct: Any, number: _Number) -> None:
    """Unmap and close what a struct alsamm_pages holds.

    Nobody is to find a page that is not there any more: to unmap it lets go of the GIL, and another thread may look.
    """
    pages = struct.status, struct.control
    struct.status = struct.control = ffi.NULL
    struct.fd = -1
    for page in pages:
        if page:
            lib.alsamm_unmap_page(page)
    number.give_back()


class PageView:
    """What Status and Control have in common: where they come from and how long they live."""

    _WANTS: ClassVar[dict[str, Any]]
    _borrowed = False

    def __init__(self, pcm: Device, *, force_sync_ptr: bool = False) -> None:
        """Raises UnsupportedError where ``pcm`` is not one kernel device."""
        self._pages = Pages(pcm.kernel_fd(), **self._WANTS, force_sync_ptr=force_sync_ptr)

    @classmethod
    def from_fd(cls, fd: int, *, force_sync_ptr: bool = False) -> Self:
        """For a PCM's bare file descriptor, which stays the caller's. Raises UnsupportedError when it is no PCM's."""
        self = cls.__new__(cls)
        self._pages = Pages(fd, **cls._WANTS, force_sync_ptr=force_sync_ptr)
        return self

    @classmethod
    def over(cls, pages: Pages) -> Self:
        """For pages that live and end with somebody else."""
        self = cls.__new__(cls)
        self._pages = pages
        self._borrowed = True
        return self

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._pages.closed

    def close(self) -> None:
        """Let go of the page and of the device; twice is harmless. A ring's own Status and Control end with it."""
        if not self._borrowed:
            self._pages.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


_alive: weakref.WeakSet[Pages] = weakref.WeakSet()


def _after_fork() -> None:
    for pages in list(_alive):
        pages.forked()


os.register_at_fork(after_in_child=_after_fork)
