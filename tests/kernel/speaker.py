"""What came out of a card's speaker: the file that QEMU writes for the devices ``hda-wav`` and ``usb-wav``.

QEMU appends to that file while the card plays, so a test in the guest can read it at once. It does so by whole
blocks of 4 KiB: play :data:`PADDING_FRAMES` frames of silence after what is to be looked for.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PADDING_FRAMES = 2048
"""Silence to be played after a sound, so that the last of the sound is in the file."""
_BETWEEN_LOOKS = 0.1


class Speaker:
    """The speaker of a device, from its entry ``"speaker"`` in devices.json; S16_LE, stereo, 48 kHz.

    Only what comes after :meth:`mark` is heard (at first: all that comes after the object was made).
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._path = Path(facts["path"])
        self._header = int(facts["offset"])
        self._from = 0
        self.mark()

    def mark(self) -> None:
        """Forget what was heard so far."""
        self._from = max(self._path.stat().st_size, self._header)

    def heard(self) -> bytes:
        """The samples since the mark, as far as QEMU has written them."""
        with self._path.open("rb") as file:
            file.seek(self._from)
            return file.read()

    def hears(self, sound: bytes, timeout: float = 10.0) -> bool:
        """Whether ``sound`` comes out bit for bit and in one piece; waits for it up to ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            if sound in self.heard():
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(_BETWEEN_LOOKS)
