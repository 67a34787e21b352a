"""The peers' compiled modules: made when first asked for, kept in the virtualenv, keyed by what they came from."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import setuptools  # type: ignore[import-untyped]
from cffi import FFI

import build_ffi

__all__ = ["FOLDER", "hand_written", "stock"]

FOLDER = Path(sys.prefix) / ".bench"
"""What the command makes and keeps, out of the source tree."""
_PEERS = Path(__file__).parent / "peers"
_KEEPS_GIL = '#include "gil.h"\n'
_EMPTY = "static void bench_empty(void) { }\n"


@functools.cache
def hand_written() -> Any:
    """``bench_peer``: peers/*.c."""
    sources = sorted(_PEERS.glob("*.c"))

    def make(folder: Path) -> None:
        extension = setuptools.Extension(
            "bench_peer",
            [source.name for source in sources],
            libraries=["asound"],
            extra_compile_args=build_ffi.COMPILE_ARGS,
        )
        for source in _PEERS.iterdir():
            shutil.copy(source, folder)
        distribution = setuptools.Distribution({"name": "bench_peer", "ext_modules": [extension]})
        command: Any = distribution.get_command_obj("build_ext")
        command.build_lib = command.build_temp = str(folder)
        extension.sources = [str(folder / source.name) for source in sources]
        command.ensure_finalized()
        command.run()

    return _kept("bench_peer", [*sources, *_PEERS.glob("*.h"), Path(build_ffi.__file__)], make)


@functools.cache
def stock() -> Any:
    """``bench_stock``: alsamm's own C, called through cffi's wrappers as cffi makes them, which give up the GIL."""
    assert _KEEPS_GIL in build_ffi.PREAMBLE, "gil.h has another place now; without it out of the way nothing is stock"

    def make(folder: Path) -> None:
        builder = FFI()
        builder.cdef((build_ffi.C / "alsa.cdef").read_text())
        for name in build_ffi.HEADERS:
            builder.cdef(build_ffi.declarations(build_ffi.C / name))
        builder.cdef("void bench_empty(void);")
        builder.set_source(
            "bench_stock",
            build_ffi.PREAMBLE.replace(_KEEPS_GIL, "") + _EMPTY,
            sources=[str(build_ffi.C / name) for name in build_ffi.SOURCES],
            include_dirs=[str(build_ffi.C)],
            libraries=["asound"],
            extra_compile_args=build_ffi.COMPILE_ARGS,
            extra_link_args=["-pthread"],
        )
        builder.compile(tmpdir=str(folder))

    own = [path for path in build_ffi.C.iterdir() if path.suffix in {".c", ".h", ".cdef"} and path.name != "_native.c"]
    return _kept("bench_stock", [*own, Path(build_ffi.__file__)], make)


def _kept(name: str, sources: list[Path], make: Callable[[Path], None]) -> Any:
    digest = hashlib.sha256(f"{sys.version} {Path(__file__).read_text()}".encode())
    for path in sorted(sources):
        digest.update(f"{path.name}\0".encode() + path.read_bytes())
    folder = FOLDER / f"{name}-{digest.hexdigest()[:16]}"
    if not folder.exists():
        for old in FOLDER.glob(f"{name}-*"):
            shutil.rmtree(old)
        made = folder.with_name(f"{folder.name}.new")
        made.mkdir(parents=True)
        make(made)
        made.rename(folder)
    (library,) = folder.glob(f"{name}*.so")
    spec = importlib.util.spec_from_file_location(name, library)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
