"""The ring's arithmetic in unbounded integers: no I/O, no imports.

Pointers run from 0 to boundary - 1, the ring's frame is pointer % buffer_size, and boundary is a multiple of
buffer_size (rule E1). The hot path has the same in C (``_c/ring.h``), where overflow and sign need care; the tests hold
one against the other. Every number is a count of frames.
"""

__all__ = ["advance", "avail", "spans"]


def advance(pointer: int, frames: int, boundary: int) -> int:
    """Where a pointer stands after ``frames`` more (rule E4; snd_pcm_mmap_appl_forward)."""
    return (pointer + frames) % boundary


def avail(*, capture: bool, hw_ptr: int, appl_ptr: int, buffer_size: int, boundary: int) -> int:
    """Frames that can be written (playback) or read (capture); more than the buffer when late (rules E2, E3)."""
    return (hw_ptr - appl_ptr + (0 if capture else buffer_size)) % boundary


def spans(pointer: int, frames: int, buffer_size: int) -> tuple[int, int, int]:
    """Where ``frames`` from ``pointer`` on lie: offset in the ring, frames to its end, frames from its start (rule E6).

    ``frames`` is at most ``buffer_size``.
    """
    offset = pointer % buffer_size
    first = min(frames, buffer_size - offset)
    return offset, first, frames - first
