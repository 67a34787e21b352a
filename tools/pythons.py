"""``python -m tools.pythons``: which CPythons this machine has, as wheels are tried on all of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Python", "found"]

_ASK = """
import json, platform, sys, sysconfig
print(json.dumps([
    platform.python_implementation(), list(sys.version_info[:3]), bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    sys.prefix == sys.base_prefix, sys.executable,
]))
"""
_OLDEST = (3, 10)
_OLDEST_FREE_THREADED = (3, 14)  # cffi refuses 3.13's
_NAME = re.compile(r"python3(\.\d+t?)?")


@dataclass(frozen=True)
class Python:
    """An interpreter."""

    version: tuple[int, int, int]
    free_threaded: bool
    path: Path

    @property
    def name(self) -> str:
        """``"3.13"``, or ``"3.14t"`` for one without the GIL."""
        return f"{self.version[0]}.{self.version[1]}{'t' if self.free_threaded else ''}"

    def __str__(self) -> str:
        return f"{self.name} ({'.'.join(map(str, self.version))}, {self.path})"


def found() -> dict[str, Python]:
    """Every CPython from 3.10 on by its name, the newest of each: pyenv's, PATH's, /usr/bin's and $ALSAMM_PYTHONS's."""
    newest: dict[str, Python] = {}
    for path in {path.resolve() for path in _candidates()}:
        python = _ask(path)
        if python and (python.name not in newest or newest[python.name].version < python.version):
            newest[python.name] = python
    return dict(sorted(newest.items(), key=lambda item: (item[1].version, item[1].free_threaded)))


def _candidates() -> Iterator[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from pyenv.glob("versions/*/bin/python3.[0-9]*")
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    for folder in (*folders, Path("/usr/bin"), Path("/usr/local/bin")):
        if folder != pyenv / "shims":  # they run whatever a file in the current folder says
            yield from folder.glob("python3.[0-9]*")
    yield from (Path(path) for path in os.environ.get("ALSAMM_PYTHONS", "").split(os.pathsep) if path)


def _ask(path: Path) -> Python | None:
    """What an interpreter says of itself; None if it is no CPython, too old, or does not run."""
    if not _NAME.fullmatch(path.name) or not os.access(path, os.X_OK):
        return None
    done = subprocess.run([path, "-I", "-c", _ASK], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None
    implementation, version, free_threaded, is_base, executable = json.loads(done.stdout)
    if implementation != "CPython" or not is_base:
        return None
    if tuple(version) < (_OLDEST_FREE_THREADED if free_threaded else _OLDEST):
        return None
    return Python(tuple(version), free_threaded, Path(executable))


if __name__ == "__main__":
    print("\n".join(map(str, found().values())))
