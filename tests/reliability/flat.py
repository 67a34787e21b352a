"""What a long run may not use up: memory, descriptors, Python's blocks."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

__all__ = ["Flat"]

_PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
_RSS_KIB, _BLOCKS = 4096, 2000
"""What a run may grow by, however long it is: caches, and the figures of the run itself."""


class Flat:
    """Made once a run is warm; ``check`` when it ends."""

    def __init__(self) -> None:
        self.before = self._now()

    @staticmethod
    def _now() -> tuple[int, int, int]:
        gc.collect()
        rss = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_KIB
        return rss, sum(1 for _ in Path("/proc/self/fd").iterdir()), sys.getallocatedblocks()

    def check(self, kept: int = 0) -> dict[str, int]:
        """How much more there is now; raises AssertionError where that is no noise.

        ``kept``: blocks that the run itself keeps, such as its account of what was lost.
        """
        rss, fds, blocks = (now - before for now, before in zip(self._now(), self.before, strict=True))
        assert fds == 0, f"{fds} descriptors more"
        assert blocks < _BLOCKS + kept, f"{blocks} blocks of Python's more"
        assert rss < _RSS_KIB, f"{rss} KiB more"
        return {"RSS, KiB more": rss, "descriptors more": fds, "Python blocks more": blocks}
