"""Compile for arm64 on another machine: seconds, where an emulated compiler takes minutes.

setuptools does it, told by its environment of Debian's cross compiler and of a Debian root with arm64's headers and
libraries: Python's, alsa-lib's and glibc's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tools import roots

__all__ = ["COMPILER", "CrossError", "environment", "extension", "sysroot"]

COMPILER = "aarch64-linux-gnu-gcc"
_SUITE = "bookworm"
_PACKAGES = ("libc6-dev", "libasound2-dev", "libpython3-dev")


class CrossError(Exception):
    """Nothing was compiled; the text says why."""


def sysroot() -> Path:
    """A root with what a module for arm64 is compiled against, fetched once."""
    return roots.debian(_SUITE, "arm64", _PACKAGES)


def environment(root: Path) -> dict[str, str]:
    """What setuptools has to find in its environment to build for arm64, against ``root``."""
    if shutil.which(COMPILER) is None:
        raise CrossError(f"{COMPILER} is not installed (gcc-aarch64-linux-gnu)")
    (headers,) = root.glob("usr/include/python3.*")
    compiler = f"{COMPILER} --sysroot={root}"
    return {
        "CC": compiler,
        "LDSHARED": f"{compiler} -shared",
        "CFLAGS": f"-I{headers} -g0",
        "_PYTHON_HOST_PLATFORM": "linux-aarch64",
    }


def extension(checkout: Path, root: Path, archive: Path) -> None:
    """Compile the module of ``checkout`` against ``root`` and put it into the tar file ``archive``."""
    variables = {**os.environ, **environment(root), "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory(prefix="alsamm-cross-") as folder:
        command = [sys.executable, "setup.py", "-q", "build_ext", f"-b{folder}/lib", f"-t{folder}/temp"]
        done = subprocess.run(command, cwd=checkout, env=variables, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CrossError("\n".join(done.stderr.splitlines()[-10:]) or "the compiler failed")
        with tarfile.open(archive, "w") as tar:
            for path in Path(folder, "lib").rglob("*.so"):
                tar.add(path, f"./{path.relative_to(Path(folder, 'lib'))}")
