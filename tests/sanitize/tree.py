"""A copy of the project whose extension has a tool built in, so that the normal build is left as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.sanitize.tools import Tool

__all__ = ["ROOT", "build", "compile_planted"]

ROOT = Path(__file__).resolve().parents[2]


def build(tool: Tool) -> Path:
    """Make build/sanitize/NAME of what git knows. Raises where the instrumentation is not in what was built."""
    tree = ROOT / "build" / "sanitize" / tool.name
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    names = {name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()}
    for old in tree.rglob("*"):
        if old.suffix in {".py", ".c", ".h"} and str(old.relative_to(tree)) not in names:
            old.unlink()
    for name in names:
        if not _is_same(ROOT / name, tree / name):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    flags = " ".join(tool.flags)
    subprocess.run(
        [sys.executable, "-W", "ignore", "setup.py", "-q", "build_ext", "--inplace"],
        cwd=tree, env={**os.environ, "CFLAGS": flags, "LDFLAGS": flags}, check=True,
    )  # fmt: skip
    extension = next((tree / "alsamm" / "_c").glob("_native*.so"))
    if tool.symbol and tool.symbol.encode() not in extension.read_bytes():
        raise RuntimeError(f"{extension} does not call {tool.symbol}…: {tool.name} is not built in")
    return tree


def compile_planted(tool: Tool, tree: Path) -> Path:
    """planted.c, as the extension was compiled."""
    library = tree / "planted.so"
    source = ROOT / "tests" / "sanitize" / "planted.c"
    subprocess.run(["gcc", "-shared", "-fPIC", *tool.flags, "-o", library, source], check=True)
    return library


def _is_same(source: Path, copy: Path) -> bool:
    return copy.exists() and source.read_bytes() == copy.read_bytes()
