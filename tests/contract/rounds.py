"""A thousand rounds of avail, write and commit, between two marks that strace can see. Run by test_system_calls.py."""

import os
import sys

import numpy as np

import alsamm
from alsamm.enums import Direction
from tests.contract.devices import configure, make

ROUNDS = 1000


def main(name: str) -> None:
    device = make(name)
    with device.open(Direction.PLAYBACK) as pcm:
        configure(pcm, start_threshold="boundary", stop_threshold="boundary")
        with alsamm.MmapPlayback(pcm) as ring:
            block = np.zeros((4, 2), "i2")
            ring.write(block)
            ring.start()
            os.getppid()
            for _ in range(ROUNDS):
                ring.avail()
                ring.write(block)
                ring.commit(1)
            os.getppid()
            ring.drop()
    device.close()


if __name__ == "__main__":
    main(sys.argv[1])
