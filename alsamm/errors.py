"""Every exception that alsamm raises.

::

    AlsaError                              base
    ├─ AlsaOSError(OSError)                .errno .func .device; what alsa-lib or the kernel answered
    │   ├─ DeviceNotFoundError             (+FileNotFoundError) ENOENT, ENODEV, ENXIO at open
    │   ├─ DeviceBusyError                 EBUSY, naming who holds the device where /proc/asound tells
    │   ├─ DeviceAccessError               (+PermissionError) EACCES, EPERM
    │   ├─ DeviceLostError                 ENODEV once open: unplugged
    │   ├─ ParameterError                  (+ValueError) EINVAL in configuring, saying what could be had
    │   ├─ XrunError                       EPIPE
    │   │   ├─ Underrun                    playback: the card ran out of frames
    │   │   └─ Overrun                     capture: the ring was full and frames were lost
    │   ├─ SuspendedError                  ESTRPIPE: resume() or prepare()
    │   └─ WouldBlockError                 (+BlockingIOError) EAGAIN of a non-blocking PCM
    ├─ ClosedError                         (+ValueError) used after close
    ├─ StateError                          the PCM is in the wrong state for this call
    ├─ UnsupportedError                    no hw PCM, no mmap, an access or a format that cannot be mapped
    ├─ ArgumentError                       (+ValueError) a count, shape or stride that cannot be
    └─ ArgumentTypeError                   (+TypeError) the wrong dtype or kind of object

A wait that ran out of time raises the built-in :class:`TimeoutError`.
"""

from __future__ import annotations

import errno as _errno

__all__ = [
    "AlsaError",
    "AlsaOSError",
    "ArgumentError",
    "ArgumentTypeError",
    "ClosedError",
    "DeviceAccessError",
    "DeviceBusyError",
    "DeviceLostError",
    "DeviceNotFoundError",
    "Overrun",
    "ParameterError",
    "StateError",
    "SuspendedError",
    "Underrun",
    "UnsupportedError",
    "WouldBlockError",
    "XrunError",
]


class AlsaError(Exception):
    """Base of all that alsamm raises."""


class AlsaOSError(AlsaError, OSError):
    """alsa-lib or the kernel refused a call.

    ``errno`` is the positive error number, ``func`` the ALSA function or ioctl that gave it, ``device`` the PCM's name
    ("" where none is known).
    """

    def __init__(self, errno: int, message: str, func: str = "", device: str = "") -> None:
        super().__init__(errno, message)
        self.func = func
        self.device = device

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.device, self.func) if part)
        number = self.errno or 0
        text = f"{self.strerror} [{_errno.errorcode.get(number, number)}]"
        return f"{where}: {text}" if where else text

    def __reduce__(self) -> tuple[type[AlsaOSError], tuple[int, str, str, str]]:
        return type(self), (self.errno or 0, self.strerror or "", self.func, self.device)


class DeviceNotFoundError(AlsaOSError, FileNotFoundError):
    """There is no PCM of that name."""


class DeviceBusyError(AlsaOSError):
    """Somebody else has the PCM open."""


class DeviceAccessError(AlsaOSError, PermissionError):
    """The user may not open the PCM; on most systems the group ``audio`` may."""


class DeviceLostError(AlsaOSError):
    """The card was unplugged, or its driver removed, while the PCM was open."""


class ParameterError(AlsaOSError, ValueError):
    """The card cannot be configured so; the message says what could be had."""


class XrunError(AlsaOSError):
    """The stream stopped because we came too late; ``prepare()`` makes it ready again."""


class Underrun(XrunError):  # noqa: N818 -- ALSA's word, and more telling without "Error"
    """Playback: the card had played all that was committed."""


class Overrun(XrunError):  # noqa: N818 -- as Underrun
    """Capture: the card wrote over frames that had not been read."""


class SuspendedError(AlsaOSError):
    """The system was suspended; ``resume()`` if the card can, else ``prepare()``."""


class WouldBlockError(AlsaOSError, BlockingIOError):
    """A non-blocking PCM has nothing to read or no room to write."""


class ClosedError(AlsaError, ValueError):
    """The object was closed, or belongs to the process that this one was forked from."""


class StateError(AlsaError):
    """The PCM is in the wrong state for this call."""


class UnsupportedError(AlsaError):
    """The device, access or format cannot do what was asked."""


class ArgumentError(AlsaError, ValueError):
    """A count, a shape, a stride or a name that cannot be."""


class ArgumentTypeError(AlsaError, TypeError):
    """A dtype or a kind of object that cannot be."""
