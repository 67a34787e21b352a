"""The stream of a PCM that alsa-lib makes (plughw, dmix, default, null, …): alsa-lib's own calls."""

from __future__ import annotations

import errno
import time
from functools import partial
from typing import TYPE_CHECKING

from alsamm import errors
from alsamm._c import failure, ffi, lib
from alsamm.alsalib.road import Deadline, Road, capture_never_wakes, failures, frame_count
from alsamm.alsalib.status import PcmStatus
from alsamm.enums import Direction, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from alsamm._c._native import CData
    from alsamm.alsalib.open_pcm import OpenPcm
    from alsamm.device import Geometry

__all__ = ["AlsaRoad"]

# snd_pcm_wait goes on after a signal without telling: so long may Ctrl-C take.
_SLICE = 0.2


class AlsaRoad:
    """The road of PCMs that are not the kernel's."""

    def __init__(self, opened: OpenPcm, direction: Direction) -> None:
        self._open = opened
        self._name = opened.name
        self._direction = direction
        self._failures = failures(direction)

    def failure(self, code: int, func: str) -> errors.AlsaError:
        """See Road."""
        self._open.handle  # noqa: B018 -- raises ClosedError
        if code == -errno.EIO and self.state() == State.OPEN:
            code = -errno.EBADFD  # alsa-lib's word for a PCM that is not configured
        return failure(code, func, self._name, self._failures)

    def state(self) -> State:
        """See Road."""
        return State(self._open.call(lib.snd_pcm_state))

    def status(self) -> PcmStatus:
        """See Road. alsa-lib tells no pointers."""
        out = ffi.new("snd_pcm_status_t **")
        if lib.snd_pcm_status_malloc(out) < 0:
            raise MemoryError
        now = ffi.gc(out[0], lib.snd_pcm_status_free)
        self._check(self._open.call(lib.snd_pcm_status, now), "snd_pcm_status")
        return PcmStatus(
            state=State(lib.snd_pcm_status_get_state(now)),
            trigger_tstamp_ns=_ns(lib.snd_pcm_status_get_trigger_htstamp, now),
            tstamp_ns=_ns(lib.snd_pcm_status_get_htstamp, now),
            audio_tstamp_ns=_ns(lib.snd_pcm_status_get_audio_htstamp, now),
            driver_tstamp_ns=_ns(lib.snd_pcm_status_get_driver_htstamp, now),
            appl_ptr=None,
            hw_ptr=None,
            avail=lib.snd_pcm_status_get_avail(now),
            avail_max=lib.snd_pcm_status_get_avail_max(now),
            overrange=lib.snd_pcm_status_get_overrange(now),
            delay=lib.snd_pcm_status_get_delay(now),
        )

    def delay(self) -> int:
        """See Road."""
        out = ffi.new("snd_pcm_sframes_t *")
        self._check(self._open.call(lib.snd_pcm_delay, out), "snd_pcm_delay")
        return int(out[0])

    def avail(self, geometry: Geometry) -> int:  # noqa: ARG002 -- alsa-lib knows it
        """See Road."""
        return self._check(self._open.call(lib.snd_pcm_avail), "snd_pcm_avail")

    def prepare(self) -> None:
        """See Road."""
        self._check(self._open.call(lib.snd_pcm_prepare), "snd_pcm_prepare")

    def start(self) -> None:
        """See Road."""
        self._check(self._open.call(lib.snd_pcm_start), "snd_pcm_start")

    def drop(self) -> None:
        """See Road."""
        self._check(self._open.call(lib.snd_pcm_drop), "snd_pcm_drop")

    def drain(self, geometry: Geometry, timeout: float | None) -> None:  # noqa: ARG002 -- alsa-lib knows it
        """See Road."""
        if timeout is None:
            self._check(self._open.call(lib.snd_pcm_drain), "snd_pcm_drain")
            return
        end = Deadline(timeout, f"{self._name}: the end of drain()")
        self._check(self._open.call(lib.snd_pcm_nonblock, 1), "snd_pcm_nonblock")
        try:
            while self._open.call(lib.snd_pcm_drain) == -errno.EAGAIN and self.state() == State.DRAINING:
                time.sleep(end.milliseconds(0.01) / 1000)
        finally:
            if not self._open.closed:
                self._open.call(lib.snd_pcm_nonblock, 0)

    def pause(self, enable: bool = True) -> None:
        """See Road."""
        self._check(self._open.call(lib.snd_pcm_pause, enable), "snd_pcm_pause")

    def resume(self) -> None:
        """See Road."""
        self._check(self._open.call(lib.snd_pcm_resume), "snd_pcm_resume")

    def reset(self) -> None:
        """See Road."""
        self._check(self._open.call(lib.snd_pcm_reset), "snd_pcm_reset")

    def rewind(self, frames: int) -> int:
        """See Road."""
        return self._check(self._open.call(lib.snd_pcm_rewind, frame_count(frames)), "snd_pcm_rewind")

    def forward(self, frames: int) -> int:
        """See Road."""
        return self._check(self._open.call(lib.snd_pcm_forward, frame_count(frames)), "snd_pcm_forward")

    def hwsync(self) -> None:
        """See Road."""
        self._check(self._open.call(lib.snd_pcm_hwsync), "snd_pcm_hwsync")

    def xrun(self) -> None:
        """See Road."""
        raise errors.UnsupportedError(f"{self._name}: only a PCM of the kernel can be told to stop as by an xrun")

    def link(self, other: Road) -> None:
        """See Road."""
        if not isinstance(other, AlsaRoad):
            raise errors.UnsupportedError(f"{self._name}: cannot be linked with a PCM of the kernel")
        theirs = other._open  # noqa: SLF001 -- of the same class
        self._check(self._open.call(partial(theirs.call, _linked)), "snd_pcm_link")

    def unlink(self) -> None:
        """See Road."""
        self._check(self._open.call(lib.snd_pcm_unlink), "snd_pcm_unlink")

    def wait(self, geometry: Geometry, timeout: float) -> None:  # noqa: ARG002 -- alsa-lib knows it
        """See Road."""
        if capture_never_wakes(self.state(), self._direction):
            raise errors.StateError(f"{self._name}: wait() before start() would never end: nothing is captured yet")
        end = Deadline(timeout, f"{self._name}: {'room' if self._direction == Direction.PLAYBACK else 'data'}")
        while not self._check(self._open.call(lib.snd_pcm_wait, end.milliseconds(_SLICE)), "snd_pcm_wait"):
            pass

    def transfer(self, memory: CData, frames: int) -> int:
        """See Road."""
        move = lib.snd_pcm_writei if self._direction == Direction.PLAYBACK else lib.snd_pcm_readi
        return int(self._open.call(move, memory, frames))

    def _check(self, code: int, func: str) -> int:
        if code < 0:
            raise self.failure(code, func)
        return code


def _linked(theirs: CData, mine: CData) -> int:
    return lib.snd_pcm_link(mine, theirs)


def _ns(getter: Callable[[CData, CData], None], status: CData) -> int:
    out = ffi.new("snd_htimestamp_t *")
    getter(status, out)
    return int(out.tv_sec) * 1_000_000_000 + int(out.tv_nsec)
