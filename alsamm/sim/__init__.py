"""A sound card in software: real mapped memory, the kernel's own rules, a clock in your hand.

::

    from alsamm import MmapPlayback, PCM, sim

    with sim.Card("test", clock="auto") as card, PCM(card.device, "playback") as pcm:
        ...                       # everything as on real hardware
        card.played()             # the frames that left the "loudspeaker"

Importing this module makes names that begin with ``sim:`` openable.

What the kernel does otherwise: a real card is there for forked children too (here they get ENODEV); while the system
sleeps its calls sleep (here only resume() answers EAGAIN); PCMs of different cards can be linked (here EBADFD);
HW_REFINE is an ioctl (here alsa-lib knows the limits, and HW_PARAMS checks them); a dup()ed descriptor that keeps a
substream open is noticed when it is closed (here when somebody opens the substream anew, or unmaps).
"""

from alsamm.sim.card import Card
from alsamm.sim.opener import register
from alsamm.sim.substream import Substream

__all__ = ["Card", "Substream"]

register()
