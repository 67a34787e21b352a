"""State changes of a PCM by ioctl on its file descriptor, the same for whoever holds the descriptor."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from alsamm import errors
from alsamm._c import failure, ffi, lib
from alsamm.checks import count_of

__all__ = ["KernelOps"]


class KernelOps:
    """What may be asked of a running PCM, straight from the kernel (design decision 1; the states are rule G).

    Subclasses tell the descriptor, the device's name for messages, and what an errno means for their direction.
    """

    _failures: Mapping[int, type[errors.AlsaError]]

    @property
    def _fd(self) -> int:
        """The descriptor; raises ClosedError once there is none."""
        raise NotImplementedError

    @property
    def _label(self) -> str:
        raise NotImplementedError

    def prepare(self) -> None:
        """Make ready to start: both pointers become 0 (SNDRV_PCM_IOCTL_PREPARE)."""
        self._op(lib.ALSAMM_PREPARE, "SNDRV_PCM_IOCTL_PREPARE")

    def start(self) -> None:
        """Start the card (SNDRV_PCM_IOCTL_START).

        Raises StateError outside PREPARED, SuspendedError where that is because the system slept, Underrun with nothing
        to play.
        """
        func = "SNDRV_PCM_IOCTL_START"
        try:
            self._op(lib.ALSAMM_START, func)
        except errors.XrunError:
            message = "there is nothing to play: write before the start"
            raise failure(-errno.EPIPE, func, self._label, self._failures, message) from None

    def drop(self) -> None:
        """Stop at once; what was not yet played is lost, the pointers stay (SNDRV_PCM_IOCTL_DROP)."""
        self._op(lib.ALSAMM_DROP, "SNDRV_PCM_IOCTL_DROP")

    def pause(self, enable: bool = True) -> None:
        """Hold or go on (SNDRV_PCM_IOCTL_PAUSE). Raises UnsupportedError where the card cannot (HwParams.can_pause)."""
        self._op(lib.ALSAMM_PAUSE, "SNDRV_PCM_IOCTL_PAUSE", int(bool(enable)))

    def resume(self) -> None:
        """Go on after the system was suspended (SNDRV_PCM_IOCTL_RESUME). Raises UnsupportedError: then ``prepare``."""
        self._op(lib.ALSAMM_RESUME, "SNDRV_PCM_IOCTL_RESUME")

    def reset(self) -> None:
        """Forget what is buffered: appl_ptr becomes hw_ptr (SNDRV_PCM_IOCTL_RESET)."""
        self._op(lib.ALSAMM_RESET, "SNDRV_PCM_IOCTL_RESET")

    def hwsync(self) -> None:
        """Ask the card where it is and renew hw_ptr (SNDRV_PCM_IOCTL_HWSYNC). May itself find the xrun (rule D6)."""
        try:
            self._op(lib.ALSAMM_HWSYNC, "SNDRV_PCM_IOCTL_HWSYNC")
        except errors.XrunError:
            self._require_not_drained()
            raise

    def xrun(self) -> None:
        """Stop a running stream as by an xrun (SNDRV_PCM_IOCTL_XRUN)."""
        self._op(lib.ALSAMM_XRUN, "SNDRV_PCM_IOCTL_XRUN")

    def rewind(self, frames: int) -> int:
        """Take back up to ``frames`` committed ones; gives how many (SNDRV_PCM_IOCTL_REWIND, rule E7)."""
        return self._op(lib.ALSAMM_REWIND, "SNDRV_PCM_IOCTL_REWIND", count_of("frames", frames))

    def forward(self, frames: int) -> int:
        """Skip up to ``frames``; gives how many (SNDRV_PCM_IOCTL_FORWARD, rule E7)."""
        return self._op(lib.ALSAMM_FORWARD, "SNDRV_PCM_IOCTL_FORWARD", count_of("frames", frames))

    def delay(self) -> int:
        """Frames between what is written or read now and the speaker or microphone (SNDRV_PCM_IOCTL_DELAY, rule H5)."""
        out = ffi.new("long *")
        try:
            self._check(lib.alsamm_get_delay(self._fd, out), "SNDRV_PCM_IOCTL_DELAY")
        except errors.XrunError:
            self._require_not_drained()
            raise
        return int(out[0])

    def _require_not_drained(self) -> None:
        """Whoever makes the kernel find that all is played gets EPIPE, as if it were an xrun (snd_pcm_update_state)."""
        now = ffi.new("struct alsamm_snapshot *")
        self._check(lib.fast_sync_ptr(self._fd, lib.ALSAMM_QUERY, now), "SNDRV_PCM_IOCTL_SYNC_PTR")
        if now.state == lib.SND_PCM_STATE_SETUP:
            raise errors.StateError(f"{self._label}: drained to the end, and stopped") from None

    def _op(self, op: int, func: str, argument: int = 0) -> int:
        result = ffi.new("long *")
        while (code := lib.alsamm_pcm_op(self._fd, op, argument, result)) == -errno.EINTR:
            pass  # the interpreter has run the signal handlers by now, and one that raises ends the loop
        self._check(code, func)
        return int(result[0])

    def _check(self, code: int, func: str) -> int:
        """Give back a result that is none; raise what a negative one means."""
        if code < 0:
            raise self._failure(code, func)
        return code

    def _failure(self, code: int, func: str) -> errors.AlsaError:
        """The exception for a negative result. Raises ClosedError where another thread has closed it meanwhile."""
        return failure(lib.fast_refusal(self._fd, code), func, self._label, self._failures)
