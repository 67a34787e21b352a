"""A sound card in software: real mapped memory, the kernel's own rules, a clock in your hand.

::

    from alsamm import MmapPlayback, PCM, sim

    with sim.Card("test", clock="auto") as card, PCM(card.device, "playback") as pcm:
        ...                       # everything as on real hardware
        card.played()             # the frames that left the "loudspeaker"

Importing this module makes names that begin with ``sim:`` openable. The card lives in this process only, not in forked
children.
"""

from alsamm.sim.card import Card
from alsamm.sim.opener import register
from alsamm.sim.substream import Substream

__all__ = ["Card", "Substream"]

register()
