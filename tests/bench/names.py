"""Contests and contestants, by which the suites and the tables know them."""

from __future__ import annotations

SERVICES = ("alsamm", "a hand-written extension", "stock cffi calls")

POINTERS = "pointers"
ITERATORS = "write 256 from an iterator"
AVAIL = "ring.avail()"
AVAIL_HAND_WRITTEN = "avail() of a hand-written extension"
AVAIL_STOCK = "avail() over a stock cffi call"
AVAIL_CALL = "lib.fast_avail(ring) alone, a cffi call that keeps the GIL"
METHOD = "a method in Python that gives a constant"

LAST = "ring.write, the array of the last call"
NEW = "ring.write, a new array each time"
WRITE_ALL = "ring.write_all, the array of the last call"
RESERVE = "a view by ring.reserve"
SLICE = "a slice of ring.data's view, then ring.commit"
SLICE_ONLY = "a slice of ring.data's view alone"
HAND_WRITTEN = "write of a hand-written extension"
WRITE_CALL = "lib.fast_write(ring) alone"
OURS = (LAST, NEW, WRITE_ALL, RESERVE, SLICE, SLICE_ONLY)
VOLATILE = "the seed's loop of volatile stores, in C"
MEMCPY = "plain memcpy, in C"
MMAP_WRITEI = "snd_pcm_mmap_writei to null, in C"
ALSAAUDIO_LAST = "pyalsaaudio to null, the array of the last call"
ALSAAUDIO_NEW = "pyalsaaudio to null, a new array each time"
SOUNDDEVICE = "sounddevice's OutputStream to null"
SOUNDDEVICE_RAW = "sounddevice's RawOutputStream to null"

NUMPY = "numpy: multiply, clip, cast; ring.write"
NUMPY_NEW = "the same in one expression, in new arrays"
MEMCPY_INPUT = "memcpy of the same input, in C"


def write(frames: int) -> str:
    return f"write {frames}"


def read(frames: int) -> str:
    return f"read {frames}"


def float32(frames: int) -> str:
    return f"float32 {frames}"


def growth(along: str, dtype: str) -> str:
    return f"growth with {along}, {dtype}"
