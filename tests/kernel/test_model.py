"""The model's operations on real drivers (tests/model/real.py): what they do is what the rules say."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import alsamm
from alsamm.enums import Direction, State
from tests.model.real import REAL_OPERATIONS, RealSession

STEPS = int(os.environ.get("ALSAMM_MODEL_STEPS", "120"))
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
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example),
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


@pytest.mark.parametrize("force_sync_ptr", [False, True], ids=["mapped", "forced"])
@pytest.mark.parametrize("way", list(Direction), ids=str)
def test_positions_go_on_past_two_to_the_31_and_32_and_the_boundary(
    device: dict[str, Any], way: Direction, force_sync_ptr: bool
) -> None:
    """Rule E5b: appl_ptr can be set near them, in a stream that nothing stops."""
    with alsamm.PCM(f"{device[str(way)]},SUBDEV=0", way) as pcm:
        pcm.setup(period_size=1024, buffer_size=8192)
        sw = pcm.sw_params()
        sw.stop_threshold = sw.start_threshold = sw.boundary
        pcm.configure(sw=sw)
        kind = alsamm.MmapCapture if way is Direction.CAPTURE else alsamm.MmapPlayback
        ring: Any = kind(pcm, force_sync_ptr=force_sync_ptr)
        step = 300
        block = np.zeros((step, 2), "i2")
        for far in (1 << 31, 1 << 32, ring.boundary):
            ring.prepare()
            ring.control.appl_ptr = far - 2 * step
            ring.set_frame(far - 2 * step)
            ring.start()
            for passed in range(-1, 4):
                while ring.avail() < step:
                    ring.hwsync()
                if way is Direction.CAPTURE:
                    ring.commit(step)
                else:
                    assert ring.write(block) == step
                assert ring.appl_ptr == (far + passed * step) % ring.boundary
                assert ring.frame == far + passed * step
                now = ring.snapshot(hwsync=True)
                assert (now.state, now.appl_ptr) == (State.RUNNING, ring.appl_ptr)
                assert pcm.status().appl_ptr == ring.appl_ptr
            ring.drop()
