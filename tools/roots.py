"""Debian roots by mmdebstrap, kept in a cache: other machines than this, for guests, a cross compiler and chroots.

The cache is ``${XDG_CACHE_HOME:-~/.cache}/alsamm-lab``. Every entry is built in a temporary folder beside it and
renamed into place, so that it is whole or not there at all.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["RootError", "cache_folder", "cached", "debian", "need", "run", "unpack"]


class RootError(Exception):
    """A root cannot be had here; the text says what to do about it."""


def cache_folder() -> Path:
    """Where is kept what was fetched, and what the lab ran; made if need be."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "alsamm-lab"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def need(program: str, package: str) -> str:
    """The path of ``program``, or an error that names the Debian ``package`` to install."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        raise RootError(f"{program} is not installed: apt-get install {package} (all: tests/kernel/packages.txt)")
    return path


def debian(suite: str, arch: str, packages: Sequence[str]) -> Path:
    """The root with ``packages`` of ``suite`` and what they depend on: unpacked, none of their scripts was run."""
    recipe = hashlib.sha256(f"{suite} {arch} {packages}".encode()).hexdigest()[:12]

    def make(folder: Path) -> None:
        print(f"fetching a Debian root: {suite}, {arch}, {' '.join(packages)}", flush=True)
        unpack(folder, suite, arch, packages)

    return cached(f"debian-{suite}-{arch}-{recipe}", make)


def unpack(folder: Path, suite: str, arch: str, packages: Sequence[str]) -> None:
    """Fill ``folder``, without its devices."""
    mmdebstrap = need("mmdebstrap", "mmdebstrap")
    mode = "root" if os.geteuid() == 0 else "chrootless"  # no privilege is needed where nothing is run
    archive = folder.with_suffix(".tar")
    what = ["--variant=extract", f"--architectures={arch}", f"--include={','.join(packages)}", "--format=tar"]
    # Signatures are checked; only that the list is of this week is not: mirrors of a testing suite can be behind.
    what.append('--aptopt=Acquire::Check-Valid-Until "false"')
    try:
        run([mmdebstrap, "--quiet", f"--mode={mode}", *what, suite, str(archive)])
        run(["tar", "-x", "-C", str(folder), "--no-same-owner", "--exclude=./dev/*", "-f", str(archive)])
    finally:
        archive.unlink(missing_ok=True)


def cached(name: str, make: Callable[[Path], None], *, refresh: bool = False) -> Path:
    """The cache entry ``name``; ``make`` fills a temporary folder, which then takes that name."""
    entry = cache_folder() / name
    if refresh:
        shutil.rmtree(entry, ignore_errors=True)
    if entry.is_dir():
        return entry
    temporary = Path(tempfile.mkdtemp(prefix=f"{name}.", suffix=".partial", dir=cache_folder()))
    temporary.chmod(0o755)
    try:
        make(temporary)
        try:
            temporary.rename(entry)
        except OSError:
            if not entry.is_dir():  # else somebody else was quicker
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return entry


def run(command: Sequence[str], *, cwd: Path | None = None) -> None:
    """Run a program that is to succeed; an error has the end of what it said."""
    need(command[0], command[0])
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise RootError(f"{' '.join(command)} failed with status {done.returncode}:\n{said}")
