"""The status page: what the kernel tells."""

from __future__ import annotations

from typing import ClassVar

from alsamm._c import check, lib
from alsamm.direct.pages import PageView
from alsamm.enums import State, Transport

__all__ = ["Status", "state_of"]

_STATES = {int(state): state for state in State}


def state_of(value: int) -> State:
    """``State(value)``, at a tenth of the cost."""
    try:
        return _STATES[value]
    except KeyError:  # of a newer kernel (S13)
        return State(value)


class Status(PageView):
    """State, position and timestamps of a PCM, read from the kernel's page or, where that is refused, by SYNC_PTR.

    The page is renewed by the card's interrupt and by calls that ask the card (``hwsync``, ``delay``, ``status``), not
    by reading (rule H1). The device stays open until every Status, Control and mapping of it is closed, whatever
    becomes of the PCM it was made from.

    ``force_sync_ptr`` takes the ioctl even where the page could be mapped.

    Synchronization: readers in any number of threads; ``close`` only when none reads.
    """

    _WANTS: ClassVar = {"status": True, "control": False}

    @property
    def state(self) -> State:
        """What the PCM is doing; DISCONNECTED is told even when the card is gone, if the page was mapped (rule C13)."""
        return state_of(check(lib.fast_state(self._pages.struct), "state"))

    @property
    def hw_ptr(self) -> int:
        """Frames that the card has read or written, modulo boundary; as old as the last interrupt (rule H1)."""
        return check(lib.fast_hw_ptr(self._pages.struct), "hw_ptr")

    @property
    def htstamp_ns(self) -> int:
        """When hw_ptr last moved: nanoseconds of the PCM's clock (Geometry.tstamp_type), 0 with timestamps off.

        A mapped page may be caught between its two words, or between it and hw_ptr (rule K5): SyncPtrStatus has the
        pair.
        """
        return check(lib.fast_tstamp_ns(self._pages.struct), "htstamp")

    @property
    def audio_htstamp_ns(self) -> int:
        """The card's own time at hw_ptr: nanoseconds since the start. As ``htstamp_ns``, may be torn."""
        return check(lib.fast_audio_tstamp_ns(self._pages.struct), "audio_htstamp")

    @property
    def transport(self) -> Transport:
        """MAPPED or SYNC_PTR."""
        return self._pages.status_transport

    def __repr__(self) -> str:
        return "<Status closed>" if self.closed else f"<Status {self.state} hw_ptr={self.hw_ptr} {self.transport}>"
