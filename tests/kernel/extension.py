"""The compiled module of a guest that cannot use the host's: kept, keyed by the sources it came from."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.kernel.images import Image
from tools import cross
from tools.roots import cache_folder

_BUILD_FILES = ("setup.py", "build_ffi.py", "pyproject.toml")
_NOT_SOURCES = {".so", ".o", ".pyc", ".pyi"}
_GENERATED = "_native.c"


def _sources(checkout: Path) -> Iterator[Path]:
    """All that the compiled module depends on."""
    for name in _BUILD_FILES:
        if (checkout / name).is_file():
            yield checkout / name
    for path in sorted((checkout / "alsamm" / "_c").rglob("*")):
        if path.is_file() and path.suffix not in _NOT_SOURCES and path.name != _GENERATED:
            yield path


def _kept(image: Image, checkout: Path) -> Path:
    digest = hashlib.sha256(image.root.name.encode())
    for path in _sources(checkout):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(checkout)}\0{len(data)}\0".encode() + data)
    return cache_folder() / f"extension-{image.arch}-{digest.hexdigest()[:16]}.tar"


def hand_over(image: Image, checkout: Path, lab: Path) -> None:
    """Give the guest the module for its sources: an earlier one, or one compiled here and now if that can be."""
    if image.is_host_root or not (checkout / "build_ffi.py").is_file():
        return
    kept = _kept(image, checkout)
    (lab / "extension.name").write_text(kept.name)  # now: the sources may change while the guest runs
    if kept.exists():
        shutil.copyfile(kept, lab / "extension.tar")
        return
    made = lab / "extension.tar"
    try:
        cross.extension(checkout, image.root, made)
    except cross.CrossError as error:
        made.unlink(missing_ok=True)
        print(f"lab: the guest must compile the extension, which takes minutes: {error}", flush=True)
    else:
        _keep(made, kept)


def keep(results: Path) -> None:
    """Keep what the guest compiled for the next one."""
    made = results / "extension.tar"
    if not made.exists():
        return
    _keep(made, cache_folder() / (results / "lab" / "extension.name").read_text())


def _keep(made: Path, kept: Path) -> None:
    temporary = kept.with_suffix(f".{os.getpid()}")
    shutil.copyfile(made, temporary)
    temporary.rename(kept)
