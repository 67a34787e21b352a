"""The sample ring in our address space: which bytes to map, and for how long."""

from __future__ import annotations

import os
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

from alsamm import errors
from alsamm._c import check, ffi, lib
from alsamm.device import Geometry
from alsamm.enums import Access

_Array = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Channel", "Mapping", "channels_of"]


@dataclass(frozen=True)
class Channel:
    """Where one channel's samples lie (rule F1): frame n at byte ``first + n * step`` of the mapping at ``offset``."""

    offset: int
    first: int
    step: int


def channels_of(fd: int, geometry: Geometry, device: str) -> list[Channel]:
    """Ask the kernel for every channel's place (SNDRV_PCM_IOCTL_CHANNEL_INFO; rule F2) and check that it makes sense.

    Raises UnsupportedError for a layout that is not whole bytes or not what the access mode says.
    """
    width = geometry.format.physical_width // 8
    info = ffi.new("struct alsamm_channel_info *")
    channels: list[Channel] = []
    for number in range(geometry.channels):
        check(lib.alsamm_get_channel_info(fd, number, info), "SNDRV_PCM_IOCTL_CHANNEL_INFO", device)
        if info.offset < 0:  # rule F4
            raise errors.UnsupportedError(f"{device}: the driver offers no mmap of its samples")
        if info.first % 8 or info.step % 8:
            raise errors.UnsupportedError(
                f"{device}: channel {number} begins at bit {info.first} with a step of {info.step} bits: no whole bytes"
            )
        channels.append(Channel(info.offset, info.first // 8, info.step // 8))
    check_layout(channels, geometry.access, width, device)
    return channels


def check_layout(channels: list[Channel], access: Access, width: int, device: str) -> None:
    """Compare each channel's first and step with what the access mode promises (rules F1-F3).

    Raises UnsupportedError naming the channel, what the driver says, and what was expected.
    """
    for number, channel in enumerate(channels):
        if access == Access.MMAP_INTERLEAVED:
            wanted = Channel(channels[0].offset, number * width, len(channels) * width)
        elif access == Access.MMAP_NONINTERLEAVED:
            wanted = Channel(channel.offset, channel.first, width)
        else:
            wanted = Channel(channel.offset, channel.first, max(channel.step, width))
        if channel != wanted:
            raise errors.UnsupportedError(
                f"{device}: channel {number} lies at {channel}, which is not what {access.name} means: {wanted}"
            )


class Mapping:
    """The ring, mapped once for each distinct offset, and the numpy array over it.

    An array keeps its memory until the last view of it is gone (numpy -> memoryview -> ffi.buffer -> ffi.gc), so no
    view can touch memory that is not there. The kernel counts the mapping, and while it lives the card cannot be
    configured and is not free (rules C9, C10); so once we let go, blank memory takes its place under the views left.
    """

    def __init__(self, fd: int, channels: list[Channel], geometry: Geometry, *, writable: bool, device: str) -> None:
        """Raises AlsaOSError with the kernel's reason when it refuses (rule C7)."""
        width = geometry.format.physical_width // 8
        page = lib.alsamm_page_size()
        lengths: dict[int, int] = {}
        for channel in channels:
            ring_end = channel.first + channel.step * (geometry.buffer_size - 1) + width
            lengths[channel.offset] = max(lengths.get(channel.offset, 0), -(-ring_end // page) * page)  # rule C8
        # Evenly spaced, in the order of the channels, so that one array can see them all.
        slot = max(lengths.values())
        self.length = slot * len(lengths)
        base = lib.alsamm_reserve(self.length)
        if base == ffi.NULL:
            raise MemoryError(f"no address space for a ring of {self.length} bytes")
        self.memory = ffi.gc(ffi.cast("char *", base), _Unmapper(self.length))
        _mapped[int(ffi.cast("uintptr_t", base))] = self.length
        starts = {offset: index * slot for index, offset in enumerate(lengths)}
        out = ffi.new("void **")
        for offset, length in lengths.items():
            code = lib.alsamm_map_data(fd, offset, length, writable, self.memory + starts[offset], out)
            check(code, "mmap", device)
        self.addresses = [self.memory + (starts[channel.offset] + channel.first) for channel in channels]
        width = geometry.format.physical_width // 8
        self.contiguous = channels == [
            Channel(channels[0].offset, channels[0].first + n * width, len(channels) * width)
            for n in range(len(channels))
        ]
        """Whether the samples of a frame lie side by side, and frame after frame."""
        self._steps = [channel.step for channel in channels]
        self._places = [starts[channel.offset] + channel.first for channel in channels]
        self._geometry = geometry
        memory = memoryview(ffi.buffer(self.memory, self.length))
        # Every view is made over this one array, so its life is the life of them all. numpy looks through a memoryview
        # that it is given as a buffer, except here, so this is also what makes a capture's views read-only for good.
        self._bytes: _Array | None = np.frombuffer(memory if writable else memory.toreadonly(), "u1")
        self._watch = weakref.ref(self._bytes)
        self.array = self._all_channels()
        """The whole ring: shape (buffer_size, channels), (…, 3) for packed samples, read-only for capture; None where
        the driver's channels are not evenly spaced."""

    def _view(self, place: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> _Array:
        dtype = self._geometry.format.dtype
        if (
            dtype.subdtype is not None
        ):  # packed samples: an axis of bytes, which numpy adds only after strides are given
            dtype, extra = dtype.subdtype
            shape, strides = shape + extra, (*strides, 1)
        if (memory := self._bytes) is None:
            raise errors.ClosedError("the ring was unmapped by another thread")
        view: _Array = np.ndarray(shape, dtype, memory, offset=place, strides=strides)
        return view

    def _all_channels(self) -> _Array | None:
        places, step = self._places, self._steps[0]
        between = places[1] - places[0] if len(places) > 1 else step
        even = all(place == places[0] + n * between for n, place in enumerate(places))
        if not even or set(self._steps) != {step}:
            return None
        return self._view(places[0], (self._geometry.buffer_size, len(places)), (step, between))

    def channel(self, number: int) -> _Array:
        """One channel: shape (buffer_size,), or (buffer_size, 3)."""
        return self._view(self._places[number], (self._geometry.buffer_size,), (self._steps[number],))

    def release(self, *, in_use: bool = False) -> None:
        """Let go of the card's memory. Views that are alive show zeros from here on, and so does who is in C yet."""
        self.array = None
        self.addresses = []
        self._bytes = None
        if in_use:
            lib.alsamm_blank(self.memory, self.length)
        elif self._watch() is None:
            ffi.release(self.memory)
        else:
            lib.alsamm_blank(self.memory, self.length)
            del self.memory


class _Unmapper:
    """ffi.gc's destructor: it must not hold the Mapping, which the views outlive."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __call__(self, memory: Any) -> None:
        _mapped.pop(int(ffi.cast("uintptr_t", memory)), None)
        lib.alsamm_unmap(memory, self.length)


_mapped: dict[int, int] = {}  # address -> length of every ring that is mapped, its Mapping alive or not


def _after_fork() -> None:
    """In a child MADV_DONTFORK left holes; blank memory there keeps the views that it inherited from killing it."""
    for address, length in _mapped.items():
        lib.alsamm_forked(ffi.cast("void *", address), length)


os.register_at_fork(after_in_child=_after_fork)
