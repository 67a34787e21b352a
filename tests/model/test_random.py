"""2,000 random steps in every run; ``make model`` makes as many as it is told."""

from __future__ import annotations

from tests.model.machine import Rings
from tests.model.run import careful
from tests.model.streams import Streams

TestRings = Rings.TestCase
TestRings.settings = careful(1600)
TestStreams = Streams.TestCase
TestStreams.settings = careful(400)
