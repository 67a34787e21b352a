"""Compile the extension for the arm64 guest on the host: seconds, where the emulated compiler takes minutes.

The headers and libraries are those of the guest's root. It needs the cross compiler, and cffi in the Python that runs
the lab; without either, or if it fails, the guest compiles for itself (guest.sh).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

COMPILER = "aarch64-linux-gnu-gcc"
_PYTHON_HEADERS = "usr/include/python3.11"
_DESCRIBE = """
import json, sys
sys.path.insert(0, ".")
from build_ffi import ffibuilder
extension = ffibuilder.distutils_extension(sys.argv[1], verbose=False)
names = "name sources include_dirs libraries extra_compile_args extra_link_args".split()
print(json.dumps({name: getattr(extension, name) for name in names}))
"""


class CrossError(Exception):
    """The extension was not compiled on the host; the text says why."""


def build(checkout: Path, root: Path, archive: Path) -> None:
    """Compile the extension of ``checkout`` against ``root`` and put it into the tar file ``archive``."""
    compiler = shutil.which(COMPILER)
    if compiler is None:
        raise CrossError(f"{COMPILER} is not installed (gcc-aarch64-linux-gnu)")
    with tempfile.TemporaryDirectory(prefix="alsamm-lab-") as folder:
        work = Path(folder)
        extension = _describe(checkout, work)
        library = _compile([compiler, f"--sysroot={root}"], extension, checkout, root, work)
        with tarfile.open(archive, "w") as tar:
            tar.add(library, "./" + extension["name"].replace(".", "/") + ".abi3.so")


def _describe(checkout: Path, work: Path) -> dict[str, Any]:
    """What setuptools would compile; cffi's generated source is written into ``work``."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    said = _run([sys.executable, "-c", _DESCRIBE, str(work)], checkout, environment)
    described: dict[str, Any] = json.loads(said.splitlines()[-1])
    return described


def _compile(gcc: Sequence[str], extension: dict[str, Any], checkout: Path, root: Path, work: Path) -> Path:
    includes = [f"-I{path}" for path in (*extension["include_dirs"], root / _PYTHON_HEADERS)]
    flags = [*gcc, "-O2", "-fPIC", "-DNDEBUG", *includes, *extension["extra_compile_args"]]

    def compile_one(numbered: tuple[int, str]) -> str:
        number, source = numbered
        made = str(work / f"{number}.o")
        _run([*flags, "-c", source, "-o", made], checkout)
        return made

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        objects = list(pool.map(compile_one, enumerate(extension["sources"])))
    library = work / "extension.so"
    libraries = [f"-l{name}" for name in extension["libraries"]]
    _run([*gcc, "-shared", *objects, *extension["extra_link_args"], *libraries, "-o", str(library)], checkout)
    return library


def _run(command: Sequence[str], folder: Path, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CrossError("\n".join(done.stderr.splitlines()[-10:]) or f"{command[0]} failed")
    return done.stdout
