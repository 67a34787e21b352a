"""Drives one direction of a software card by the same C functions that are used on the real kernel."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from alsamm._c import ffi, lib
from alsamm.enums import Access, Format, State
from alsamm.sim import Card

if TYPE_CHECKING:
    from collections.abc import Generator

    from alsamm._c._native import CData

RATE = 48_000


class Raw:
    """A descriptor of a card, and its ioctls; results are as C gives them: negative errno."""

    def __init__(self, card: Card, capture: bool = False) -> None:
        out = ffi.new("int *")
        assert lib.sim_open(card._handle, capture, out) == 0
        self.card = card
        self.capture = capture
        self.fd = int(out[0])
        self.truth = card.capture if capture else card.playback
        self._maps: list[tuple[CData, int]] = []

    def configure(
        self,
        *,
        period: int = 64,
        buffer: int = 256,
        channels: int = 1,
        rate: int = RATE,
        sample_format: Format = Format.S16_LE,
        access: Access = Access.MMAP_INTERLEAVED,
        no_period_wakeup: bool = False,
    ) -> int:
        setup = ffi.new(
            "struct sim_setup *", (access, sample_format, channels, rate, period, buffer, int(no_period_wakeup))
        )
        return int(lib.sim_hw_params(self.fd, setup))

    def software(self, **values: int) -> int:
        """SW_PARAMS with what the card has now, changed by ``values``."""
        setup = ffi.new("struct sim_sw_setup *")
        now = self.truth._read()
        for name in ("avail_min", "start_threshold", "stop_threshold", "silence_threshold", "silence_size"):
            setattr(setup, name, getattr(now, name))
        setup.tstamp_mode, setup.tstamp_type = now.tstamp_mode, now.tstamp_type
        for name, value in values.items():
            setattr(setup, name, value)
        return int(lib.sim_sw_params(self.fd, setup))

    def op(self, name: str, argument: int = 0) -> int:
        return self.op_result(name, argument)[0]

    def op_result(self, name: str, argument: int = 0) -> tuple[int, int]:
        result = ffi.new("long *")
        code = lib.alsamm_pcm_op(self.fd, getattr(lib, f"ALSAMM_{name.upper()}"), argument, result)
        return int(code), int(result[0])

    def sync(self, flags: int = lib.ALSAMM_QUERY, appl_ptr: int = 0, avail_min: int = 0) -> tuple[int, Any]:
        snapshot = ffi.new("struct alsamm_snapshot *", {"appl_ptr": appl_ptr, "avail_min": avail_min})
        return int(lib.fast_sync_ptr(self.fd, flags, snapshot)), snapshot

    def commit(self, frames: int) -> int:
        """Move appl_ptr on from where it is."""
        target = (self.truth.appl_ptr + frames) % self.truth.boundary
        return self.sync(lib.ALSAMM_SYNC_GET_AVAIL_MIN, target)[0]

    def status(self) -> Any:
        out = ffi.new("struct alsamm_status *")
        assert lib.alsamm_get_status(self.fd, out) == 0
        return out

    def delay(self) -> tuple[int, int]:
        out = ffi.new("long *")
        code = lib.alsamm_get_delay(self.fd, out)
        return int(code), int(out[0])

    def poll(self, timeout_ms: int = 0) -> tuple[int, int]:
        out = ffi.new("int *")
        events = lib.POLLIN if self.capture else lib.POLLOUT
        code = lib.alsamm_poll(self.fd, events, timeout_ms, out)
        return int(code), int(out[0])

    def map_page(self, page: int) -> tuple[int, CData]:
        out = ffi.new("void **")
        code = int(lib.alsamm_map_page(self.fd, page, out))
        if code == 0:
            self._maps.append((out[0], int(lib.alsamm_page_size())))
        return code, out[0]

    def map_data(self, length: int, offset: int = 0, writable: bool = True) -> tuple[int, CData]:
        out = ffi.new("void **")
        code = int(lib.alsamm_map_data(self.fd, offset, length, writable, ffi.NULL, out))
        if code == 0:
            self._maps.append((out[0], length))
        return code, out[0]

    def ring(self, dtype: str = "i2", channels: int = 1) -> np.ndarray[Any, np.dtype[Any]]:
        """The whole interleaved ring, writable."""
        length = self.truth.buffer_size * channels * np.dtype(dtype).itemsize
        code, address = self.map_data(length, writable=True)
        assert code == 0
        return np.frombuffer(ffi.buffer(address, length), dtype).reshape(-1, channels)

    def transfer(self, frames: np.ndarray[Any, np.dtype[Any]]) -> tuple[int, int]:
        result = ffi.new("long *")
        memory = ffi.from_buffer(frames)
        code = lib.alsamm_transfer(self.fd, self.capture, memory, len(frames), result)
        return int(code), int(result[0])

    def hw_ptr_of_page(self, status: CData) -> int:
        """hw_ptr of a mapped status page."""
        pages = ffi.new("struct alsamm_pages *", {"fd": self.fd, "status": status, "control": ffi.NULL})
        return int(lib.fast_hw_ptr(pages))

    def unmap(self) -> None:
        while self._maps:
            lib.alsamm_unmap(*self._maps.pop())

    def state(self) -> State:
        return self.truth.state

    @property
    def pointers(self) -> tuple[State, int, int]:
        return self.truth.state, self.truth.hw_ptr, self.truth.appl_ptr

    def close(self) -> None:
        self.unmap()
        lib.sim_close(self.fd)


@contextmanager
def card_of(**options: Any) -> Generator[Card]:
    with Card("unit", **options) as card:
        yield card


@contextmanager
def raw(
    capture: bool = False, prepared: bool = True, geometry: dict[str, Any] | None = None, **options: Any
) -> Generator[Raw]:
    """One direction of a new card, configured with 64-frame periods and a 256-frame ring of mono S16 and prepared."""
    with card_of(**options) as card:
        pcm = Raw(card, capture)
        if prepared:
            assert pcm.configure(**(geometry or {})) == 0
            assert pcm.op("prepare") == 0
        yield pcm
        pcm.close()
