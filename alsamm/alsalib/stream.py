"""The stream of a PCM: what can be asked of it while it is prepared, runs and stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alsamm import errors
from alsamm._c import check, ffi, lib
from alsamm.alsalib.alsa_road import AlsaRoad
from alsamm.alsalib.kernel_road import KernelRoad
from alsamm.alsalib.road import Road, default_timeout
from alsamm.enums import Direction, State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alsamm.alsalib.open_pcm import OpenPcm
    from alsamm.alsalib.status import PcmStatus
    from alsamm.device import Geometry, Holder

__all__ = ["PcmStream"]


class PcmStream:
    """The half of PCM that moves.

    Errors throughout: ClosedError; StateError where the state does not allow the call; Underrun or Overrun in an xrun;
    SuspendedError; DeviceLostError once unplugged; UnsupportedError for what the card cannot do.

    Synchronization: any thread; the kernel, or alsa-lib, locks.
    """

    def __init__(self, opened: OpenPcm, direction: Direction) -> None:
        self._open = opened
        self._direction = direction
        self._road: Road = KernelRoad(opened, direction) if opened.is_kernel else AlsaRoad(opened, direction)

    def geometry(self) -> Geometry:
        """What is configured. Raises StateError before that."""
        raise NotImplementedError

    def _held(self) -> Holder | None:
        """Who has the ring mapped."""
        raise NotImplementedError

    @property
    def _mover(self) -> Holder | Road:
        """Through whom appl_ptr goes elsewhere than forward: a mapped ring counts its frames (design decision 17)."""
        return self._held() or self._road

    @property
    def name(self) -> str:
        """What was opened."""
        return self._open.name

    @property
    def direction(self) -> Direction:
        """Playback or capture."""
        return self._direction

    @property
    def state(self) -> State:
        """OPEN, SETUP, PREPARED, RUNNING, XRUN… (snd_pcm_state). DISCONNECTED once the card is gone."""
        return self._road.state()

    def status(self) -> PcmStatus:
        """State, timestamps and counters of one moment (snd_pcm_status); starts avail_max and overrange anew."""
        return self._road.status()

    def delay(self) -> int:
        """Frames between what is written or read now and the speaker or microphone (snd_pcm_delay, rule H5)."""
        return self._road.delay()

    def avail(self) -> int:
        """Frames that can be written or read now, by the card's own position of now (snd_pcm_avail).

        More than the buffer when an xrun is allowed and has happened (rule E3).
        """
        return self._road.avail(self.geometry())

    def prepare(self) -> None:
        """Make ready to start, from any state but OPEN; both pointers become 0 (snd_pcm_prepare).

        A mapped playback ring is filled with silence first, as the kernel leaves in it what was there.
        """
        self._mover.prepare()

    def start(self) -> None:
        """Start (snd_pcm_start). StateError outside PREPARED; Underrun when there is nothing to play (rule G)."""
        self._road.start()

    def drop(self) -> None:
        """Stop at once; what was not played or read yet is lost (snd_pcm_drop)."""
        self._road.drop()

    def drain(self, timeout: float | None = None) -> None:
        """Play what was written, then stop; capture: stop, and leave to a mapped ring what it has (snd_pcm_drain).

        ``timeout``, seconds: TimeoutError when it runs out; None: as long as the whole buffer takes, and a second. A
        non-blocking PCM raises WouldBlockError: it drains, and its end is the state SETUP.
        """
        if (holder := self._held()) is not None and self._direction == Direction.PLAYBACK:
            holder.drain(timeout)
        else:
            self._road.drain(self.geometry(), timeout)

    def pause(self, enable: bool = True) -> None:
        """Hold, or with False go on (snd_pcm_pause). UnsupportedError where the card cannot: HwParams.can_pause."""
        self._road.pause(enable)

    def resume(self) -> None:
        """Go on after the system was suspended (snd_pcm_resume). UnsupportedError: then ``prepare``."""
        self._road.resume()

    def reset(self) -> None:
        """Forget what is buffered, without stopping (snd_pcm_reset)."""
        self._mover.reset()

    def rewind(self, frames: int) -> int:
        """Take back up to ``frames`` that were written; gives how many could be (snd_pcm_rewind, rule E7)."""
        return self._mover.rewind(frames)

    def forward(self, frames: int) -> int:
        """Skip up to ``frames``; gives how many could be (snd_pcm_forward)."""
        return self._mover.forward(frames)

    def hwsync(self) -> None:
        """Ask the card where it is (snd_pcm_hwsync). May itself find the xrun."""
        self._road.hwsync()

    def xrun(self) -> None:
        """Stop a running stream as by an xrun. UnsupportedError for any PCM but the kernel's own."""
        self._road.xrun()

    def link(self, other: PcmStream) -> None:
        """From here on prepare, start, stop and pause both at once (snd_pcm_link). An xrun of one stops both.

        Of two rings only the one whose ``prepare`` is called numbers its frames on; the other's begin at its pointer,
        which is 0 then, for it may have another owner. ``duplex`` keeps account of both.
        """
        self._road.link(other._road)

    def unlink(self) -> None:
        """Leave the group (snd_pcm_unlink)."""
        self._road.unlink()

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep until avail_min frames can be written or read; gives True (snd_pcm_wait, rule I6).

        ``timeout``, seconds; None: the whole buffer's time and a second. Raises TimeoutError when it runs out;
        StateError for a capture that was not started, which would never be ready (rule I5).
        """
        geometry = self.geometry()
        self._road.wait(geometry, default_timeout(geometry) if timeout is None else timeout)
        return True

    # ---- for an event loop ----

    def fileno(self) -> int:
        """The one descriptor to poll, for select and asyncio; see poll_descriptors for the events.

        Raises UnsupportedError where there are several.
        """
        described = self.poll_descriptors()
        if len(described) != 1:
            raise errors.UnsupportedError(f"{self.name} has {len(described)} descriptors: see poll_descriptors()")
        return described[0][0]

    def poll_descriptors(self) -> list[tuple[int, int]]:
        """Descriptors and the events to poll them for (snd_pcm_poll_descriptors)."""
        call = self._open.call
        count = check(call(lib.snd_pcm_poll_descriptors_count), "snd_pcm_poll_descriptors_count", self.name)
        space = ffi.new("struct pollfd[]", count)
        count = check(call(lib.snd_pcm_poll_descriptors, space, count), "snd_pcm_poll_descriptors", self.name)
        return [(space[n].fd, space[n].events & 0xFFFF) for n in range(count)]

    def poll_revents(self, ready: Iterable[tuple[int, int]]) -> int:
        """What the events that poll gave mean for the PCM: POLLIN, POLLOUT, POLLERR (snd_pcm_poll_descriptors_revents).

        ``ready``: descriptors and events as ``select.poll().poll()`` gives them; those of others are passed over.
        """
        came = dict(ready)
        described = self.poll_descriptors()
        space = ffi.new("struct pollfd[]", len(described))
        for item, (fd, events) in zip(space, described, strict=True):
            item.fd, item.events, item.revents = fd, _signed(events), _signed(came.get(fd, 0))
        out = ffi.new("unsigned short *")
        code = self._open.call(lib.snd_pcm_poll_descriptors_revents, space, len(described), out)
        check(code, "snd_pcm_poll_descriptors_revents", self.name)
        return int(out[0])


def _signed(events: int) -> int:
    """As the C short that pollfd keeps them in."""
    return (events & 0xFFFF ^ 0x8000) - 0x8000
