"""What pyproject.toml cannot say: the C module, one wheel for every CPython from 3.10 on, and what a compiler needs."""

import subprocess
import sys
import sysconfig

from setuptools import setup
from setuptools.command.build_ext import build_ext

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))  # has no limited API yet

NEEDED = {
    "stdlib.h": "a C compiler and its headers (Debian: gcc libc6-dev; Fedora, Arch: gcc; Alpine: gcc musl-dev)",
    "alsa/asoundlib.h": (
        "alsa-lib's headers (Debian: libasound2-dev; Fedora: alsa-lib-devel; Arch: alsa-lib; Alpine: alsa-lib-dev)"
    ),
    "sound/asound.h": "the kernel's headers (Debian: linux-libc-dev; Fedora: kernel-headers; Alpine: linux-headers)",
    "Python.h": "Python's headers (Debian: python3-dev; Fedora: python3-devel; Alpine: python3-dev)",
}


class BuildExt(build_ext):
    """Say in one line what is missing, before a compiler says it in a hundred."""

    def build_extensions(self) -> None:
        """Ask the compiler for each header that the module needs; then compile."""
        missing = [words for header, words in NEEDED.items() if not self.finds(header)]
        if missing:
            sys.exit("alsamm has a module in C, and cannot be built without " + "; ".join(missing))
        super().build_extensions()

    def finds(self, header: str) -> bool:
        """Whether the compiler runs and finds ``header``."""
        folders = [f"-I{folder}" for folder in (*self.compiler.include_dirs, *self.include_dirs)]
        command = [*self.compiler.compiler_so, *folders, "-E", "-x", "c", "-"]
        try:
            done = subprocess.run(command, input=f"#include <{header}>\n".encode(), capture_output=True, check=False)
        except OSError:
            return False
        return done.returncode == 0


setup(
    cffi_modules=["build_ffi.py:ffibuilder"],
    cmdclass={"build_ext": BuildExt},
    options={} if FREE_THREADED else {"bdist_wheel": {"py_limited_api": "cp310"}},
)
