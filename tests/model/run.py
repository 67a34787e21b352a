"""How many random steps are made, and with what care: for ``make test`` and for ``make model``."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings

__all__ = ["STEPS_IN_ONE", "careful"]

STEPS_IN_ONE = 50


def careful(steps: int) -> settings:
    """About so many steps; a failure is made small, and kept for the next run."""
    return settings(
        max_examples=-(-steps // STEPS_IN_ONE),
        stateful_step_count=STEPS_IN_ONE,
        deadline=None,
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example),
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    )
