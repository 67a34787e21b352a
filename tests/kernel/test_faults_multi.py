"""A PCM with several descriptors: alsa-lib's ``multi`` of two cards' PCMs, moved, starved and closed beside others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import alsamm
from tests.kernel.faultkit import SOON, Place, course, keep_row, starve

CONFIG = """
pcm.both {{
    type multi
    slaves.a {{ pcm "hw:CARD={card},DEV=0,SUBDEV=0" channels 1 }}
    slaves.b {{ pcm "hw:CARD={card},DEV=0,SUBDEV=1" channels 1 }}
    bindings.0 {{ slave a channel 0 }}
    bindings.1 {{ slave b channel 0 }}
}}
"""


@pytest.fixture
def both(place: Place) -> Iterator[Place]:
    path = Path("~/.asoundrc").expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(CONFIG.format(card=place.card))
    yield Place("multi", "plug:both", None, card=place.card)
    path.unlink()


@pytest.mark.needs("loop")
@pytest.mark.shown("aloop")
@pytest.mark.roads("blocking", "asyncio", "callback")
def test_several_descriptors(both: Place, road: str) -> None:
    with course(both, road) as made:
        made.begin()
        pcm = made.road.io.device
        assert len(pcm.poll_descriptors()) > 1
        with pytest.raises(alsamm.UnsupportedError):
            pcm.fileno()
        starve(made)
        made.goes_on()
        made.check_numbers()
        assert made.road.io.xruns == 1
        moment = time.monotonic()
        made.road.close()
        after = made.end_since(moment)
        assert made.error is None if road == "callback" else isinstance(made.error, alsamm.ClosedError), repr(
            made.error
        )
        assert after < SOON
        keep_row("several descriptors: starved, then closed", road, "multi", "goes on, 1 xrun; ClosedError", after)
