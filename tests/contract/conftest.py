"""Each case runs on every device of ``--devices``, in both directions, mapped and by SYNC_PTR."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import alsamm
from alsamm.enums import Direction
from tests.contract import devices
from tests.contract.devices import Target, configure

Ring = alsamm.MmapPlayback | alsamm.MmapCapture


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise by what the case asks for. What a device does not have is not made, rather than skipped."""
    option = str(metafunc.config.getoption("--devices"))
    wanted = [mark.args[0] for mark in metafunc.definition.iter_markers("needs")]
    if "stream_device" in metafunc.fixturenames:
        names = [name for name in devices.stream_names(option) if all(devices.has(name, what) for what in wanted)]
        metafunc.parametrize("stream_device", names, indirect=True)
    if "device" not in metafunc.fixturenames:
        return
    names = devices.named(option)
    names = [name for name in names if all(devices.has(name, what) for what in wanted)]
    if "direction" in metafunc.fixturenames:
        pairs = [(name, way) for name in names for way in Direction if devices.has(name, str(way))]
        ids = [f"{name}-{way}" for name, way in pairs]
        metafunc.parametrize(("device", "direction"), pairs, indirect=["device"], ids=ids)
    else:
        metafunc.parametrize("device", names, indirect=True)
    if "force_sync_ptr" in metafunc.fixturenames:
        metafunc.parametrize("force_sync_ptr", [False, True], ids=["own", "forced"])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A case for which no device was left is no case here; pytest would show it as skipped."""
    empty = [item for item in items if any("empty parameter set" in str(mark) for mark in item.iter_markers("skip"))]
    config.hook.pytest_deselected(items=empty)
    items[:] = [item for item in items if item not in empty]


@pytest.fixture
def device(request: pytest.FixtureRequest) -> Iterator[Target]:
    target = devices.make(request.param)
    yield target
    target.close()


@pytest.fixture
def stream_device(request: pytest.FixtureRequest) -> Iterator[Target]:
    target = devices.make_for_streams(request.param)
    yield target
    target.close()


@pytest.fixture
def open_pcm(device: Target) -> Iterator[Callable[..., alsamm.PCM]]:
    """Open and configure; closed when the case ends, however it ends."""
    with contextlib.ExitStack() as stack:

        def opener(direction: Direction, **wishes: Any) -> alsamm.PCM:
            pcm = stack.enter_context(device.open(direction))
            configure(pcm, **wishes)
            return pcm

        yield opener


@pytest.fixture
def open_ring(open_pcm: Callable[..., alsamm.PCM]) -> Iterator[Callable[..., Any]]:
    """Open, configure and map."""
    with contextlib.ExitStack() as stack:

        def opener(
            direction: Direction, *, force_sync_ptr: bool = False, dtype: str | None = None, **wishes: Any
        ) -> Ring:
            pcm = open_pcm(direction, **wishes)
            kind = alsamm.MmapPlayback if direction is Direction.PLAYBACK else alsamm.MmapCapture
            ring = kind(pcm, force_sync_ptr=force_sync_ptr, dtype=dtype)
            stack.callback(ring.close)
            return ring

        yield opener
