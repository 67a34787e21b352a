"""SYNC_PTR: the pointers, state and timestamps of a PCM by one ioctl, taken together under the kernel's lock."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Any

from alsamm import errors
from alsamm._c import FAILURES, check, ffi, lib
from alsamm.direct.pages import require_pcm
from alsamm.enums import State

__all__ = ["SyncPtrStatus"]


@dataclass(frozen=True)
class SyncPtrStatus:
    """What SNDRV_PCM_IOCTL_SYNC_PTR answered, on any machine and card.

    Its parts belong together: the kernel copies them in one critical section (rule D5), which makes this the consistent
    pair of a position and its time that mapped pages cannot give (rule K5).

    Synchronization: a value; nothing to lock.
    """

    state: State
    hw_ptr: int
    """Frames that the card has moved, modulo boundary."""
    appl_ptr: int
    """Frames that the application has committed, modulo boundary."""
    avail_min: int
    """Frames at which poll wakes."""
    htstamp_ns: int
    """When hw_ptr last moved, in nanoseconds of the PCM's clock (Geometry.tstamp_type); 0 with timestamps off."""
    audio_htstamp_ns: int
    """The card's own time at hw_ptr, in nanoseconds since the start."""
    suspended_state: State
    """The state to come back to, while ``state`` is SUSPENDED."""

    @classmethod
    def sync_ptr(
        cls, fd: int, hwsync: bool = False, appl_ptr: int | None = None, avail_min: int | None = None
    ) -> SyncPtrStatus:
        """Call the ioctl on the file descriptor of a PCM.

        With ``hwsync`` the card is asked for its position first (SNDRV_PCM_IOCTL_HWSYNC). A pointer that is given is
        set in the kernel, one that is None is left alone and read: SNDRV_PCM_SYNC_PTR_APPL and _AVAIL_MIN set mean
        *get* (rule D1), the reverse of what the seed did. The kernel believes any appl_ptr below boundary (rule D4).

        Raises UnsupportedError when ``fd`` is no PCM, ArgumentError for a pointer that the kernel refuses; with
        ``hwsync`` also XrunError, SuspendedError and StateError by the state (rule D6); DeviceLostError when the card
        is gone.
        """
        require_pcm(fd)
        return cls.call(fd, hwsync, appl_ptr, avail_min)

    @classmethod
    def call(cls, fd: int, hwsync: bool, appl_ptr: int | None, avail_min: int | None) -> SyncPtrStatus:
        """Like ``sync_ptr``, for a descriptor that is known to be a PCM's."""
        io = ffi.new("struct alsamm_snapshot *")
        flags = lib.ALSAMM_SYNC_HWSYNC if hwsync else 0
        for value, get, field in (
            (appl_ptr, lib.ALSAMM_SYNC_GET_APPL, "appl_ptr"),
            (avail_min, lib.ALSAMM_SYNC_GET_AVAIL_MIN, "avail_min"),
        ):
            if value is None:
                flags |= get
            elif not (field == "avail_min") <= value < 1 << 8 * ffi.sizeof("long") - 1:
                raise errors.ArgumentError(
                    f"{field} {value}: must be {'above 0' if field == 'avail_min' else '0 or more'}"
                )
            else:
                setattr(io, field, value)
        code = lib.fast_sync_ptr(fd, flags, io)
        if code == -errno.EINVAL:
            raise errors.ArgumentError(f"appl_ptr {appl_ptr}: the kernel refuses it; it must be below boundary")
        check(code, "SNDRV_PCM_IOCTL_SYNC_PTR", meanings=FAILURES)
        return cls._of(io)

    @classmethod
    def _of(cls, io: Any) -> SyncPtrStatus:
        return cls(
            state=State(io.state),
            hw_ptr=io.hw_ptr,
            appl_ptr=io.appl_ptr,
            avail_min=io.avail_min,
            htstamp_ns=io.tstamp_ns,
            audio_htstamp_ns=io.audio_tstamp_ns,
            suspended_state=State(io.suspended_state),
        )
