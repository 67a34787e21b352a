"""What is played is what is heard, bit for bit, on devices that loop playback to capture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from alsamm.enums import Direction, State
from tests.contract.devices import BUFFER, PERIOD, Target

OpenRing = Callable[..., Any]


@pytest.mark.needs("loop")
def test_played_equals_recorded(open_ring: OpenRing, device: Target, force_sync_ptr: bool) -> None:
    if device.card is not None:
        device.card.loop = True
    size = 2 * BUFFER  # long enough for an emulated machine, short enough to go round more than twice
    out = open_ring(Direction.PLAYBACK, force_sync_ptr=force_sync_ptr, start_threshold="boundary", buffer_size=size)
    mic = open_ring(Direction.CAPTURE, force_sync_ptr=force_sync_ptr, buffer_size=size)
    random = np.random.default_rng(3)
    sent = random.integers(-32_768, 32_768, (5 * BUFFER + 333, 2), "i2")
    sent[0] = 1, 2  # the loop gives zeros until something is played
    mic.start()
    written = out.write(sent)
    out.start()
    heard = []
    frames = 0
    while frames < len(sent) + 8 * PERIOD:
        mic.wait()
        heard.append(mic.read())
        frames += len(heard[-1])
        if out.state is State.RUNNING and written < len(sent):
            out.hwsync()
            written += out.write(sent[written:])
            if written == len(sent):
                out.write(np.zeros((min(out.avail(), 2 * PERIOD), 2), "i2"))
        elif out.state is State.RUNNING and out.avail() > 2 * PERIOD:
            out.write(np.zeros((PERIOD, 2), "i2"))
    take = np.concatenate(heard)
    start = int(np.flatnonzero((take == sent[0]).all(axis=1))[0])
    np.testing.assert_array_equal(take[start : start + len(sent)], sent)
