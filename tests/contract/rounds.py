"""A thousand rounds of avail, write and commit while strace, attached by test_system_calls.py, watches."""

import ctypes
import os
import sys

import numpy as np

import alsamm
from alsamm.enums import Direction
from tests.contract.devices import configure, make

ROUNDS = 1000
PR_SET_PTRACER, PR_SET_PTRACER_ANY = 0x59616D61, -1


def main(name: str) -> None:
    """Set up, say so, wait for the word, and mark the rounds by two calls that nothing else makes."""
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY)  # where only a parent may trace
    device = make(name)
    with device.open(Direction.PLAYBACK) as pcm:
        configure(pcm, start_threshold="boundary", stop_threshold="boundary")
        with alsamm.MmapPlayback(pcm) as ring:
            block = np.zeros((4, 2), "i2")
            ring.write(block)
            ring.start()
            print("ready", flush=True)
            sys.stdin.readline()
            os.getppid()
            for _ in range(ROUNDS):
                ring.avail()
                ring.write(block)
                ring.commit(0)
            os.getppid()
            ring.drop()
    device.close()


if __name__ == "__main__":
    main(sys.argv[1])
