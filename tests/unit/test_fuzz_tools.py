"""The fuzzer's own tools: what is to be found is found when it is planted."""

from __future__ import annotations

import subprocess
import sys

from tests.fuzz import entries
from tests.fuzz.found import Found

HANG = """
import ctypes
from tests.fuzz import api
api.PATIENCE = 1
def hang_in_c(seed):
    ctypes.PyDLL(None).pause()  # which keeps the GIL
api.play = hang_in_c
api.main(5, 60)
"""


def test_a_round_that_hangs_in_c_is_told_with_its_traceback() -> None:
    done = subprocess.run([sys.executable, "-c", HANG], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "Timeout" in done.stderr
    assert "in hang_in_c" in done.stderr


def test_an_entry_point_that_no_target_comes_to_is_seen() -> None:
    found = entries.targets_of({"card": Found(1, reached=frozenset({"alsamm_wait"})), "api": Found(1)})
    assert found["alsamm_wait"] == ["card"]
    assert found["alsamm_native_start"] == []


def test_entry_points_are_those_with_an_argument_and_what_is_called_back() -> None:
    names = entries.entry_points()
    assert {"fast_convert", "alsamm_native_join", "sim_plug", "alsamm_hide_ring_from_children"} <= set(names)
    assert {"on_message", "on_transfer"} <= set(names)
    assert {"fast_simd", "alsamm_page_size", "alsamm_route_messages", "snd_pcm_open"}.isdisjoint(names)
    assert len(names) == len(set(names))
    assert set(entries.EXCUSED) <= set(names)
