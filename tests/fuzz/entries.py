"""The entry points of our C, and whether a target in C comes to each.

What Python may call with an argument (shim.h, sim.h, alsa.cdef), and what alsa-lib calls back. The targets tell what
they ran (libFuzzer's -print_coverage): so an entry point that is new and that nobody fuzzes is told, and fails.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tests.abi.abis import C
from tests.fuzz.found import Found

__all__ = ["EXCUSED", "entry_points", "targets_of"]

EXCUSED = {
    "alsamm_set_scheduler": "two numbers for the kernel, which would make the fuzzer a realtime thread",
}

_DECLARED = re.compile(r"(?m)^[\w ]+?\**(\w+)\((?!void\))[^;{]*\);")
_CALLED_BACK = re.compile(r"(?m)^static [\w ]+?\**(on_\w+)\(")


def entry_points() -> list[str]:
    """Their names, but of those without an argument."""
    declared = [name for header in ("shim.h", "sim.h") for name in _DECLARED.findall((C / header).read_text())]
    declared += [name for name in _DECLARED.findall((C / "alsa.cdef").read_text()) if name.startswith("alsamm_")]
    return declared + [
        name for source in ("alsalib.c", "sim_plugin.c") for name in _CALLED_BACK.findall((C / source).read_text())
    ]


def targets_of(found: Mapping[str, Found]) -> dict[str, list[str]]:
    """For each entry point the targets that came to it."""
    return {name: [target for target, its in found.items() if name in its.reached] for name in entry_points()}
