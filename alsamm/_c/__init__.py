"""The C boundary: the only importer of the compiled module, and the one checker from result code to exception."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Mapping
from types import MappingProxyType

from alsamm import errors
from alsamm._c import missing

try:
    from alsamm._c._native import ffi, lib
except ImportError as error:
    raise missing.explained(error) from error

__all__ = ["CAPTURE_FAILURES", "FAILURES", "PLAYBACK_FAILURES", "check", "failure", "ffi", "lib", "string"]

_log = logging.getLogger("alsamm.alsalib")

# What a negative result means for a PCM that is open. Opening and configuring pass their own (alsalib/pcm.py).
FAILURES: Mapping[int, type[errors.AlsaError]] = MappingProxyType(
    {
        errno.ENODEV: errors.DeviceLostError,
        errno.EPIPE: errors.XrunError,
        errno.ESTRPIPE: errors.SuspendedError,
        errno.EBADFD: errors.StateError,
        errno.EBADF: errors.ClosedError,
        errno.ENOSYS: errors.UnsupportedError,
        errno.EAGAIN: errors.WouldBlockError,
        errno.EBUSY: errors.StateError,  # of an open PCM: it is running, not somebody else's
        errno.EACCES: errors.DeviceAccessError,
        errno.EPERM: errors.DeviceAccessError,
    }
)

PLAYBACK_FAILURES = MappingProxyType({**FAILURES, errno.EPIPE: errors.Underrun})
CAPTURE_FAILURES = MappingProxyType({**FAILURES, errno.EPIPE: errors.Overrun})

_HINTS: Mapping[type[errors.AlsaError], str] = {
    errors.XrunError: "the stream stopped because data came too late; prepare() makes it ready again",
    errors.Underrun: "the card ran out of frames and stopped; prepare() makes it ready again",
    errors.Overrun: "the card overwrote frames that were not read; prepare() makes it ready again",
    errors.SuspendedError: "the system was suspended; resume() or prepare()",
    errors.DeviceLostError: "the card is gone",
    errors.WouldBlockError: "the PCM is non-blocking and not ready",
    errors.ClosedError: "closed; or somebody else closed its file descriptor",
    errors.StateError: "the PCM's state does not allow this",
    errors.UnsupportedError: "the card cannot do this",
}
_NO_DESCRIPTOR = "no descriptor is free: this process, or the system, has too many files open (ulimit -n)"
_NUMBERS: Mapping[int, str] = {errno.EMFILE: _NO_DESCRIPTOR, errno.ENFILE: _NO_DESCRIPTOR}


def failure(
    code: int,
    func: str,
    device: str = "",
    meanings: Mapping[int, type[errors.AlsaError]] = FAILURES,
    message: str = "",
) -> errors.AlsaError:
    """The exception for a negative result: its class by ``meanings``, else AlsaOSError."""
    number = -code
    kind = meanings.get(number, errors.AlsaOSError)
    text = message or _HINTS.get(kind) or _NUMBERS.get(number) or os.strerror(number)
    if issubclass(kind, errors.AlsaOSError):
        return kind(number, text, func, device)
    where = ": ".join(part for part in (device, func) if part)
    return kind(f"{where}: {text}")


def check(
    code: int,
    func: str,
    device: str = "",
    meanings: Mapping[int, type[errors.AlsaError]] = FAILURES,
) -> int:
    """Give back a result that is no error; raise the exception for one that is."""
    if code < 0:
        raise failure(code, func, device, meanings)
    return code


def string(pointer: object) -> str:
    """A C string, which alsa-lib may give as NULL and which is bytes of the user's making."""
    return "" if pointer == ffi.NULL else bytes(ffi.string(pointer)).decode("utf-8", "replace")


@ffi.def_extern()
def alsamm_on_alsa_message(function: object, error: int, text: object) -> None:
    """What alsa-lib would have printed on stderr."""
    reason = f": {os.strerror(abs(error))}" if error else ""
    _log.debug("%s: %s%s", string(function), string(text).strip(), reason)


lib.alsamm_route_messages()
