"""Listing what there is: whatever this machine has, and in a container that is nothing."""

from __future__ import annotations

import pytest

import alsamm
from alsamm import Card, Direction, PcmInfo


def test_cards_are_listed_without_error() -> None:
    found = alsamm.cards()
    assert [card.index for card in found] == sorted({card.index for card in found})
    for card in found:
        for pcm in card.pcms:
            assert card.pcm_name(pcm) in alsamm.pcms(pcm.direction)


def test_pcms_have_names_and_descriptions() -> None:
    found = alsamm.pcms()
    assert "Discard all samples" in found["null"]
    assert set(alsamm.pcms("playback")) <= set(found)
    assert set(alsamm.pcms(Direction.CAPTURE)) <= set(found)


def test_an_unknown_direction() -> None:
    with pytest.raises(alsamm.ArgumentError, match="PLAYBACK, CAPTURE"):
        alsamm.pcms("both")


def test_a_card_names_its_pcms_by_its_id() -> None:
    info = PcmInfo(1, 3, 0, "HDMI 0", "HDMI 0", "subdevice #0", 1, 1, Direction.PLAYBACK)
    card = Card(1, "PCH", "HDA-Intel", "HDA Intel PCH", "HDA Intel PCH at …", "Realtek", (info,))
    assert card.pcm_name(info) == "hw:CARD=PCH,DEV=3"
