"""A kernel PCM's stream: ioctls on its descriptor. The software card answers the same ones."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from alsamm import errors
from alsamm._c import ffi, lib
from alsamm._c.ops import KernelOps
from alsamm.alsalib.road import Deadline, Road, capture_never_wakes, failures
from alsamm.alsalib.status import PcmStatus
from alsamm.alsalib.sw_params import current
from alsamm.enums import Direction, State

if TYPE_CHECKING:
    from collections.abc import Generator

    from alsamm._c._native import CData
    from alsamm.alsalib.open_pcm import OpenPcm
    from alsamm.device import Geometry

__all__ = ["KernelRoad"]


class KernelRoad(KernelOps):
    """The road of PCMs that are the kernel's own."""

    def __init__(self, opened: OpenPcm, direction: Direction) -> None:
        self._open = opened
        self._name = opened.name
        self._direction = direction
        self._failures = failures(direction)

    @property
    def _fd(self) -> int:
        return self._open.kernel_fd

    @property
    def _label(self) -> str:
        return self._name

    def failure(self, code: int, func: str) -> errors.AlsaError:
        """See Road."""
        return self._failure(code, func)

    def state(self) -> State:
        """See Road. Once unplugged the kernel answers nothing but ENODEV (rule A6)."""
        try:
            return State(self._query().state)
        except errors.DeviceLostError:
            return State.DISCONNECTED

    def status(self) -> PcmStatus:
        """See Road."""
        out = ffi.new("struct alsamm_status *")
        self._check(lib.alsamm_get_status(self._fd, out), "SNDRV_PCM_IOCTL_STATUS")
        return PcmStatus(
            state=State(out.state),
            trigger_tstamp_ns=out.trigger_tstamp_ns,
            tstamp_ns=out.tstamp_ns,
            audio_tstamp_ns=out.audio_tstamp_ns,
            driver_tstamp_ns=out.driver_tstamp_ns,
            appl_ptr=out.appl_ptr,
            hw_ptr=out.hw_ptr,
            avail=out.avail,
            avail_max=out.avail_max,
            overrange=out.overrange,
            delay=out.delay,
        )

    def avail(self, geometry: Geometry) -> int:
        """See Road."""
        now = self._fresh()
        avail = self._avail_of(now, geometry)
        if avail >= geometry.stop_threshold and now.state == State.RUNNING:
            # The kernel looks only when hw_ptr moves (rule G2).
            self.xrun()
            raise self.failure(-errno.EPIPE, "SNDRV_PCM_IOCTL_HWSYNC")
        return avail

    def start(self) -> None:
        """See Road."""
        try:
            super().start()
        except errors.Underrun as error:
            if self.state() != State.PREPARED:
                raise
            message = "nothing to play was written; start() needs frames, or a stop_threshold of boundary"
            raise errors.Underrun(errno.EPIPE, message, error.func, self._name) from None

    def link(self, other: Road) -> None:
        """See Road."""
        if not isinstance(other, KernelRoad):
            raise errors.UnsupportedError(f"{self._name}: only two PCMs of the kernel can be linked")
        self._op(lib.ALSAMM_LINK, "SNDRV_PCM_IOCTL_LINK", other._fd)  # noqa: SLF001 -- of the same class

    def unlink(self) -> None:
        """See Road."""
        self._op(lib.ALSAMM_UNLINK, "SNDRV_PCM_IOCTL_UNLINK")

    def drain(self, geometry: Geometry, timeout: float | None) -> None:
        """See Road."""
        if (state := self.state()) in (State.XRUN, State.SUSPENDED):  # DRAIN would say nothing of it (rule G)
            code = -errno.EPIPE if state == State.XRUN else -errno.ESTRPIPE
            raise self.failure(code, "SNDRV_PCM_IOCTL_DRAIN")
        if not self._playback:
            self._settle()  # DRAIN itself does not ask the card: what came since the last interrupt would be lost
        if not os.get_blocking(self._fd):
            self._op(lib.ALSAMM_DRAIN, "SNDRV_PCM_IOCTL_DRAIN")
            return
        end = Deadline(_drain_seconds(geometry) if timeout is None else timeout, f"{self._name}: the end of drain()")
        with self._silence_behind(geometry), self._non_blocking():
            try:
                self._op(lib.ALSAMM_DRAIN, "SNDRV_PCM_IOCTL_DRAIN")
            except errors.WouldBlockError:
                if self._playback:  # a capture is drained by whoever reads it
                    self._until_drained(geometry, end)

    def wait(self, geometry: Geometry, timeout: float) -> None:
        """See Road. The order of things is rule I6."""
        end = Deadline(timeout, f"{self._name}: {'room' if self._playback else 'data'}")
        draining = False
        while True:
            state = self.state()
            if capture_never_wakes(state, self._direction):
                raise errors.StateError(f"{self._name}: wait() before start() would never end: nothing is captured yet")
            if draining and state == State.SETUP:
                return  # played to the end
            if state == State.DRAINING and not self._playback:
                return  # what is there is all that will come
            draining = state == State.DRAINING
            if not draining:
                now = self._fresh()
                if self._avail_of(now, geometry) >= now.avail_min:
                    return
            self._poll(end.milliseconds(_tick(geometry)))

    def transfer(self, memory: CData, frames: int) -> int:
        """See Road."""
        result = ffi.new("long *")
        code = lib.alsamm_transfer(self._fd, not self._playback, memory, frames, result)
        return code if code < 0 else int(result[0])

    @property
    def avail_min(self) -> int:
        """The avail at which poll is ready, as it stands in the kernel's control page."""
        return int(self._query().avail_min)

    @avail_min.setter
    def avail_min(self, value: int) -> None:
        out = ffi.new("struct alsamm_snapshot *", {"avail_min": value})
        code = lib.fast_sync_ptr(self._fd, lib.ALSAMM_SYNC_GET_APPL, out)
        self._check(code, "SNDRV_PCM_IOCTL_SYNC_PTR")

    @property
    def _playback(self) -> bool:
        return self._direction == Direction.PLAYBACK

    def _query(self, extra: int = 0) -> CData:
        out = ffi.new("struct alsamm_snapshot *")
        func = "SNDRV_PCM_IOCTL_SYNC_PTR" if not extra else "SNDRV_PCM_IOCTL_HWSYNC"
        self._check(lib.fast_sync_ptr(self._fd, lib.ALSAMM_QUERY | extra, out), func)
        return out

    def _fresh(self) -> CData:
        """With the card's position of now. A capture that drains has no other than the one it stopped at (rule D6)."""
        try:
            return self._query(lib.ALSAMM_SYNC_HWSYNC)
        except errors.XrunError:
            self._require_not_drained()
            raise
        except errors.StateError:
            now = self._query()
            if now.state != State.DRAINING:
                raise
            return now

    def _avail_of(self, now: CData, geometry: Geometry) -> int:
        return lib.fast_ring_avail(
            not self._playback, now.hw_ptr, now.appl_ptr, geometry.buffer_size, geometry.boundary
        )

    def _until_drained(self, geometry: Geometry, end: Deadline) -> None:
        tick = _tick(geometry)
        while (state := self.state()) == State.DRAINING:
            self._poll(end.milliseconds(tick))
            if not geometry.period_wakeup:
                self._settle()
        if state != State.SETUP:
            raise {
                State.SUSPENDED: self.failure(-errno.ESTRPIPE, "SNDRV_PCM_IOCTL_DRAIN"),
                State.DISCONNECTED: self.failure(-errno.ENODEV, "SNDRV_PCM_IOCTL_DRAIN"),
            }.get(state, errors.StateError(f"{self._name}: drain() was ended by somebody else, in state {state}"))

    def _settle(self) -> None:
        """Where no interrupt comes, it is for us to make the kernel look (rule H6); the end of the stream is EBADFD."""
        result = ffi.new("long *")
        lib.alsamm_pcm_op(self._fd, lib.ALSAMM_HWSYNC, 0, result)

    def _poll(self, milliseconds: int) -> None:
        """Sleep until the card, an error or the time ends it. Which of them, the state tells."""
        revents = ffi.new("int *")
        events = (lib.POLLOUT if self._playback else lib.POLLIN) | lib.POLLERR
        code = lib.alsamm_poll(self._fd, events, milliseconds, revents)
        if code != -errno.EINTR:
            self._check(code, "poll")

    @contextmanager
    def _silence_behind(self, geometry: Geometry) -> Generator[None]:
        """While it drains, let the kernel put silence behind the last frame (rule J3; as alsa-lib's own drain).

        Cards stop at a period's end, and would play what an earlier turn left in the ring.
        """
        before, during = current(self._open), current(self._open)
        most = geometry.buffer_size - 1  # alsa-lib takes no threshold of the whole buffer
        frames = min(most, geometry.period_size + geometry.rate // 10)
        size = ffi.new("snd_pcm_uframes_t *")
        lib.snd_pcm_sw_params_get_silence_size(before, size)
        if not self._playback or size[0] >= frames:
            yield
            return
        call = self._open.call
        call(lib.snd_pcm_sw_params_set_silence_threshold, during, most)
        call(lib.snd_pcm_sw_params_set_silence_size, during, frames)
        call(lib.snd_pcm_sw_params, during)  # a card that refuses it drains as well, with what lies in its ring
        try:
            yield
        finally:
            call(lib.snd_pcm_sw_params, before)

    @contextmanager
    def _non_blocking(self) -> Generator[None]:
        """DRAIN looks at the flag when it is called (rule A1); our own waiting has an end, the kernel's has none."""
        fd = self._fd
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_NONBLOCK)
        try:
            yield
        finally:
            fcntl.fcntl(fd, fcntl.F_SETFL, flags)


def _tick(geometry: Geometry) -> float:
    """Seconds after which to look again: never where the card interrupts, else half a period."""
    return 3600.0 if geometry.period_wakeup else max(0.001, geometry.period_size / geometry.rate / 2)


def _drain_seconds(geometry: Geometry) -> float:
    """All that can be buffered, the period that the card stops at, and some for its own FIFO."""
    return (geometry.buffer_size + geometry.period_size) / geometry.rate + 1.0
