"""Which calls keep the GIL (``_c/gil.h``): those named fast_, and no others."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import alsamm._c
from alsamm._c import ffi, lib

SHIM = (Path(alsamm._c.__file__).parent / "shim.h").read_text()
FAST = re.findall(r"(?m)^[\w ]+?\**(fast_\w+)\(", SHIM)


@pytest.fixture
def others() -> Iterator[Callable[[], int]]:
    """How often another thread has had the GIL; it never takes it by force, for the switch interval is endless."""
    before = sys.getswitchinterval()
    turns = 0
    done = False

    def spin() -> None:
        nonlocal turns
        while not done:
            turns += 1
            time.sleep(0.0001)  # not 0: it would take the GIL back before anybody else woke up

    thread = threading.Thread(target=spin)
    thread.start()
    sys.setswitchinterval(1000)
    try:
        yield lambda: turns
    finally:
        sys.setswitchinterval(before)
        done = True
        thread.join()


def closed(kind: str) -> Any:
    """A struct as it is after close: every call on it answers EBADF and touches nothing."""
    struct = ffi.new(f"struct {kind} *")
    (struct.pages if kind == "alsamm_ring" else struct).fd = -1
    return struct


def arguments(name: str) -> list[Any]:
    parameters = re.search(rf"\b{name}\(([^)]*)\)", SHIM, re.DOTALL)
    assert parameters is not None
    given: list[Any] = []
    for parameter in parameters[1].split(","):
        kind = re.search(r"struct (alsamm_\w+)", parameter)
        given.append(
            closed(kind[1])
            if kind and kind[1] in {"alsamm_ring", "alsamm_pages"}
            else ffi.new(f"struct {kind[1]} *")
            if kind
            else ffi.NULL
            if "*" in parameter
            else -1
            if "int fd" in parameter
            else 1
        )
    return given


def test_the_list_is_what_is_compiled() -> None:
    assert sorted(FAST) == sorted(name for name in dir(lib) if name.startswith("fast_"))


@pytest.mark.parametrize("name", FAST)
def test_fast_calls_keep_it(name: str, others: Callable[[], int]) -> None:
    call, given = getattr(lib, name), arguments(name)
    time.sleep(0.01)
    before = others()
    assert before > 0
    for _ in range(20_000):
        call(*given)
    assert others() == before


def test_calls_that_can_sleep_give_it_up(others: Callable[[], int]) -> None:
    read, write = os.pipe()
    try:
        revents = ffi.new("int *")
        time.sleep(0.01)
        before = others()
        assert lib.alsamm_poll(read, lib.POLLIN, 50, revents) == 0
        assert others() > before
    finally:
        os.close(read)
        os.close(write)
