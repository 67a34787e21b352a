"""Where a driver may say that its channels lie, and what is refused (rules F1-F3)."""

from __future__ import annotations

import pytest

import alsamm
from alsamm.direct.mapping import Channel, check_layout
from alsamm.enums import Access

INTERLEAVED, APART, COMPLEX = Access.MMAP_INTERLEAVED, Access.MMAP_NONINTERLEAVED, Access.MMAP_COMPLEX


@pytest.mark.parametrize(
    ("access", "channels"),
    [
        (INTERLEAVED, [Channel(0, 0, 4), Channel(0, 2, 4)]),
        (INTERLEAVED, [Channel(0, 0, 2)]),
        (APART, [Channel(0, 0, 2), Channel(0, 8192, 2)]),
        (APART, [Channel(0, 0, 2), Channel(65536, 0, 2)]),
        (COMPLEX, [Channel(0, 0, 6), Channel(0, 2, 6)]),
    ],
)
def test_layouts_that_can_be(access: Access, channels: list[Channel]) -> None:
    check_layout(channels, access, 2, "card")


@pytest.mark.parametrize(
    ("access", "channels", "number"),
    [
        (INTERLEAVED, [Channel(0, 0, 8), Channel(0, 2, 8)], 0),  # a step that does not match
        (INTERLEAVED, [Channel(0, 0, 4), Channel(0, 0, 4)], 1),  # a first that does not match
        (INTERLEAVED, [Channel(0, 2, 4), Channel(0, 0, 4)], 0),
        (INTERLEAVED, [Channel(0, 0, 4), Channel(4096, 2, 4)], 1),  # another mapping
        (APART, [Channel(0, 0, 2), Channel(0, 8192, 4)], 1),
        (COMPLEX, [Channel(0, 0, 1)], 0),  # samples over one another
    ],
)
def test_layouts_that_are_refused(access: Access, channels: list[Channel], number: int) -> None:
    with pytest.raises(alsamm.UnsupportedError, match=f"card: channel {number}"):
        check_layout(channels, access, 2, "card")
