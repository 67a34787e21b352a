"""The model's operations on real drivers (tests/model/real.py): what they do is what the rules say."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.model.real import REAL_OPERATIONS, RealSession

STEPS = int(os.environ.get("ALSAMM_MODEL_STEPS", "240"))
IN_ONE = 40
_NUMBER = st.integers(0, 1 << 16)
_operations = st.tuples(
    st.tuples(st.sampled_from(REAL_OPERATIONS), st.sampled_from((0, 1)), _NUMBER, _NUMBER),
    st.sampled_from((0.0, 0.0, 0.002, 0.03)),
)


@pytest.mark.parametrize("force_sync_ptr", [False, True], ids=["mapped", "forced"])
def test_the_kernel_does_what_the_model_does(device: dict[str, Any], force_sync_ptr: bool) -> None:
    done = 0

    @settings(
        max_examples=-(-STEPS // IN_ONE),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),  # time is real: what failed may not fail again
    )
    @given(st.lists(_operations, min_size=IN_ONE, max_size=IN_ONE))
    def walk(operations: list[Any]) -> None:
        nonlocal done
        session = RealSession(device, force_sync_ptr=force_sync_ptr)
        try:
            for operation, pause in operations:
                print(operation, pause, flush=True)
                session.perform(operation, pause)
                done += 1
        finally:
            session.close()
        print(dict(session.figures))

    walk()
    assert done >= STEPS
