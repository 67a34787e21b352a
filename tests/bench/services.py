"""Period services and nothing else between two calls that nothing else makes, for strace.

``python -m tests.bench.services mapped`` or ``sync-ptr``: how the software card's pages are reached.
"""

from __future__ import annotations

import os
import sys

import numpy as np

import alsamm
from alsamm import sim
from alsamm.enums import Transport
from tests.contract.devices import configure

SERVICES = 1_000
TRANSPORTS = {"mapped": Transport.MAPPED, "sync-ptr": Transport.SYNC_PTR}


def main(transport: str) -> None:
    refuse = transport == "sync-ptr"
    card = sim.Card("services", clock="manual", refuse_status=refuse, refuse_control=refuse)
    with card, alsamm.PCM(card.device, "playback") as pcm:
        configure(pcm, start_threshold="boundary", stop_threshold="boundary")
        with alsamm.MmapPlayback(pcm) as ring:
            assert set(ring.transport) == {TRANSPORTS[transport]}
            block = np.zeros((8, 2), "i2")
            ring.write(block)
            os.getppid()
            for _ in range(SERVICES):
                ring.avail()
                ring.write(block)
                ring.avail()
            os.getppid()
            assert ring.appl_ptr == (SERVICES + 1) * len(block)
            ring.drop()


if __name__ == "__main__":
    main(sys.argv[1])
