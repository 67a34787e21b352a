"""The machine's ABIs, as the compiler makes them, and what docs/kernel-rules.md says of each (rules A5 and B)."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

__all__ = [
    "ABIS",
    "ALL_SOURCES",
    "COMPILE_ARGS",
    "INCLUDES",
    "NARROW",
    "ROOT",
    "SOURCES",
    "C",
    "compile_c",
    "ioctls",
    "structs",
]

ROOT = Path(__file__).resolve().parents[2]
C = ROOT / "alsamm" / "_c"

sys.path.insert(0, str(ROOT))  # build_ffi is in no package
_build_ffi = importlib.import_module("build_ffi")

COMPILE_ARGS: list[str] = _build_ffi.COMPILE_ARGS
ALL_SOURCES = [C / name for name in _build_ffi.SOURCES]
SOURCES = [source for source in ALL_SOURCES if source.name not in {"alsalib.c", "sim_plugin.c"}]
"""All that needs neither alsa-lib nor, with INCLUDES, Python."""
INCLUDES = (f"-I{ROOT / 'tests' / 'abi' / 'include'}", f"-I{C}")

RULES = ROOT / "docs" / "kernel-rules.md"

# In the order of rule B's columns.
ABIS = {
    "64-bit": ("gcc",),
    "time32": ("i686-linux-gnu-gcc",),
    "time64": ("i686-linux-gnu-gcc", "-D_TIME_BITS=64", "-D_FILE_OFFSET_BITS=64"),
}
NARROW = ("time32", "time64")


def ioctls(abi: str) -> dict[str, int]:
    """Rule A5: each ioctl's number. What 32-bit does otherwise stands after ``32-bit (both)``, and then by its time."""
    text = next(line for line in RULES.read_text().splitlines() if line.startswith("- A5."))
    text, both, time32, time64 = re.split(r"32-bit \(both\):|time32:|time64:", text)
    parts = {"64-bit": [text], "time32": [text, both, time32], "time64": [text, both, time64]}[abi]
    return {name: int(number, 16) for part in parts for name, number in re.findall(r"([A-Z_]+) \**(0x[0-9a-f]+)", part)}


def structs(abi: str) -> dict[str, tuple[int, dict[str, int]]]:
    """Rule B: each struct's size, and the offsets of its fields."""
    column = list(ABIS).index(abi) + 1
    found: dict[str, tuple[int, dict[str, int]]] = {}
    rows = RULES.read_text().partition("\n## B.")[2].partition("\n## C.")[0].replace("*", "")
    for row in re.findall(r"(?m)^\| [a-z_]+ \|.*$", rows):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if cells[0] == "struct":
            continue
        size, _, fields = cells[column].partition(":")
        found[cells[0]] = (int(size), {name: int(at) for name, at in re.findall(r"([a-z_]+) (\d+)", fields)})
    return found


def compile_c(abi: str, *arguments: str | Path, stdin: str = "") -> None:
    """Raises AssertionError with what the compiler said."""
    command = [*ABIS[abi], "-std=gnu11", "-Werror", *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
