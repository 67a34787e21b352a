"""Every sample format and access mode of a device: the right view, the right silence, the bytes where they belong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm.enums import Access, Direction, Format
from tests.contract.devices import PERIOD, Target, configure

_MMAP = (Access.MMAP_INTERLEAVED, Access.MMAP_NONINTERLEAVED)


def offered(device: Target, direction: Direction) -> list[tuple[Access, Format]]:
    with device.open(direction) as pcm:
        hw = alsamm.HwParams(pcm)
        return [(access, kind) for access in _MMAP if access in hw.accesses for kind in hw.formats]


def bytes_of(samples: np.ndarray[Any, np.dtype[Any]]) -> bytes:
    return np.ascontiguousarray(samples).tobytes()


@pytest.mark.needs("playback")
def test_every_format_is_written_where_it_belongs(device: Target, force_sync_ptr: bool) -> None:
    random = np.random.default_rng(1)
    seen = 0
    for access, kind in offered(device, Direction.PLAYBACK):
        with device.open(Direction.PLAYBACK) as pcm:
            hw = alsamm.HwParams(pcm)
            hw.access, hw.format = access, kind
            channels = hw.nearest(channels=3)
            configure(pcm, access=access, format=kind, channels=channels, start_threshold="boundary")
            if not kind.linear:
                with pytest.raises(alsamm.UnsupportedError, match=kind.name):
                    alsamm.MmapPlayback(pcm)
                continue
            with alsamm.MmapPlayback(pcm, force_sync_ptr=force_sync_ptr) as ring:
                base, extra = kind.dtype.subdtype or (kind.dtype, ())
                view = ring.data()[0].view
                assert view.dtype == base
                assert view.shape == (ring.buffer_size, channels, *extra)
                assert bytes_of(view[:100]) == kind.silence * (100 * channels), "silent before anything is written"
                raw = random.integers(0, 256, (500, channels, kind.physical_width // 8), "u1")
                block = raw.reshape(500, -1).view(base).reshape(500, channels, *extra)
                assert ring.write(block) == 500
                assert bytes_of(view[:500]) == raw.tobytes()
                assert ring.write(block[:, ::-1]) == 500
                assert bytes_of(view[500:1000]) == raw[:, ::-1].tobytes()
                assert bytes_of(ring.channel(channels - 1)[:500]) == raw[:, -1].tobytes()
                ring.drop()
                del view
                seen += 1
    assert seen > 0


@pytest.mark.needs("capture")
def test_every_format_is_read_from_where_it_lies(device: Target, force_sync_ptr: bool) -> None:
    seen = 0
    for access, kind in offered(device, Direction.CAPTURE):
        if not kind.linear:
            continue
        with device.open(Direction.CAPTURE) as pcm:
            hw = alsamm.HwParams(pcm)
            hw.access, hw.format = access, kind
            channels = hw.nearest(channels=2)
            configure(pcm, access=access, format=kind, channels=channels, stop_threshold="boundary")
            fed = np.empty(0, "u1")
            if device.card is not None:
                fed = np.random.default_rng(2).integers(0, 256, (PERIOD, channels, kind.physical_width // 8), "u1")
                base, extra = kind.dtype.subdtype or (kind.dtype, ())
                device.card.feed(fed.reshape(PERIOD, -1).view(base).reshape(PERIOD, channels, *extra))
            with alsamm.MmapCapture(pcm, force_sync_ptr=force_sync_ptr) as ring:
                ring.start()
                while ring.avail() < PERIOD:
                    device.pass_time(PERIOD)
                    ring.hwsync()
                view = ring.data()[0].view[:64].copy()
                block = ring.read(64)
                assert block.shape == view.shape
                assert block.dtype == view.dtype
                if kind.width == kind.physical_width or kind.is_float or view.ndim == 3:
                    assert bytes_of(block) == bytes_of(view)
                else:  # rule F6: what the card leaves above the sample is replaced by its sign, or by zeros
                    shift = 32 - kind.width
                    native = view.astype(view.dtype.newbyteorder("="))
                    np.testing.assert_array_equal(block, (native << shift) >> shift)
                if device.card is not None and kind.width == kind.physical_width:
                    assert bytes_of(block) == fed[:64].tobytes()
                values = [sample for _, sample in zip(range(8), ring.iter(), strict=False)]
                assert len(values) == 8
                ring.drop()
                seen += 1
    assert seen > 0
