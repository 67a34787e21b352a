"""2,000 random steps, in every run; ``python -m tests.model`` makes as many as it is told."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings

from tests.model.machine import Rings

STEPS = 50
TestRings = Rings.TestCase
TestRings.settings = settings(
    max_examples=40,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
)
