"""Help for tests of programs that use alsamm: software cards, and assertions on what was played.

With pytest nothing has to be imported to get a card: the plugin that is installed with alsamm has the fixtures
``alsa_card``, an alsamm.sim.Card of the test's own, and ``make_alsa_card``, which makes more of them or others::

    import pytest
    from alsamm.testing import assert_no_xruns, assert_played

    @pytest.mark.alsa_card(stands_in_for=["default"], refuse_control=True)
    def test_my_player(alsa_card):
        my_player.play(samples)                     # which opens "default", and reaches a card like one by USB
        assert_played(alsa_card, samples)
        assert_no_xruns(alsa_card)

The card has the clock ``"auto"``: a program that waits for it lets it run, at full speed and the same every time, and
``alsa_card.advance(frames)`` moves it by hand. Code that uses several threads, a callback Stream among it, wants
``clock="realtime"``; ``clock="manual"`` stands still until the test moves it.

What can go wrong is on the card too: ``alsa_card.xrun()``, ``unplug()``, ``suspend()``, ``late(3)``, ``freeze()``,
``busy("playback")``; and what a card may refuse or lack are its options, such as ``refuse_status`` or
``rates=[44_100]``. ``alsa_card.feed(samples)`` is what is recorded next; ``tone`` makes some samples.

Assertions take a card also after it was closed by its user, and compare the frames that left the loudspeaker. Where a
call fails it raises AssertionError with the place and the neighbourhood of the first frame that is wrong; ArgumentError
is for a call that cannot be right.

Synchronization: as alsamm.sim.Card; what is asserted is what was played until then.
"""

from alsamm.testing.assertions import assert_no_xruns, assert_played, assert_silent, assert_tone
from alsamm.testing.cards import making_cards
from alsamm.testing.sound import frequency_of, level_of, tone

__all__ = [
    "assert_no_xruns",
    "assert_played",
    "assert_silent",
    "assert_tone",
    "frequency_of",
    "level_of",
    "making_cards",
    "tone",
]
