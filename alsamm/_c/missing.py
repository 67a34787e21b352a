"""Why the compiled module cannot be loaded, and what to do about it: said by an ImportError of ours."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["explained"]

_HERE = Path(__file__).parent
_LIBRARY = "libasound.so.2"
_PACKAGES = "Debian 13, Ubuntu 24.04 or later: libasound2t64 (earlier: libasound2); Fedora, Arch, Alpine: alsa-lib"
_ELF_MACHINES = {3: "i686", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv"}


def explained(error: ImportError) -> ImportError:
    """The error to raise for the one that importing ``alsamm._c._native`` raised."""
    said = str(error)
    built = sorted(_HERE.glob("_native.*.so"))
    if said.startswith(f"{_LIBRARY}:"):
        text = f"alsa-lib is not installed: {said}. It comes with the system's package ({_PACKAGES})"
    elif error.name == "_cffi_backend":
        text = f"cffi is not installed for {sys.executable}: python -m pip install cffi"
    elif isinstance(error, ModuleNotFoundError):
        text = f"{_unbuilt(built)}. {_REINSTALL}"
    else:
        text = f"the C module of alsamm cannot be loaded: {said}.{_foreign(built)} {_REINSTALL}"
    return ImportError(text, name=error.name, path=error.path)


_REINSTALL = (
    "Install alsamm anew for this Python, python -m pip install --force-reinstall --no-cache-dir alsamm, "
    "or in its source tree: python -m pip install ."
)


def _unbuilt(built: Sequence[Path]) -> str:
    free = " without the GIL" if not getattr(sys, "_is_gil_enabled", lambda: True)() else ""
    python = f"{sys.implementation.name} {platform.python_version()}{free}"
    if not built:
        return f"the C module of alsamm was not built: there is none in {_HERE}"
    return f"the C module of alsamm was built for another Python than this {python}: {', '.join(p.name for p in built)}"


def _foreign(built: Sequence[Path]) -> str:
    """What machine the module was built for, if that is not this one: the loader says only "No such file"."""
    for path in built:
        with path.open("rb") as file:
            head = file.read(20)
        machine = _ELF_MACHINES.get(int.from_bytes(head[18:20], sys.byteorder), "another machine")
        if machine != platform.machine():
            return f" {path.name} is for {machine}, this machine is {platform.machine()}."
    return ""
