"""What a guest boots from: Debian's own kernels and, for arm64, a root; fetched once and kept (tools/roots.py)."""

from __future__ import annotations

import compileall
import hashlib
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

from tools import roots
from tools.roots import RootError, cache_folder, cached, need, run

ARM64_SUITE = "bookworm"
_ARM64_PACKAGES = (
    # the suite and what compiles the extension
    "python3",
    "python3-dev",
    "python3-numpy",
    "python3-cffi",
    "python3-setuptools",
    "python3-pytest",
    "python3-hypothesis",
    "libasound2-dev",
    "gcc",
    "libc6-dev",
    # what guest.sh calls, and what is good to have in a shell there
    "alsa-utils",
    "strace",
    "kmod",
    "busybox-static",
    "dash",
    "bash",
    "coreutils",
    "grep",
    "sed",
    "tar",
    "findutils",
    "mount",
    "util-linux",
    "procps",
)
_ARM64_TOUCHES = 1
"""Raised when :func:`_finish_arm64_root` changes, so that older roots are made anew."""


class LabError(RootError):
    """The lab cannot run here; the text says what to do about it."""


@dataclass(frozen=True)
class Image:
    """A kernel and the root it runs on. ``modules`` is the folder with lib/modules/VERSION in it."""

    arch: str
    version: str
    vmlinuz: Path
    modules: Path
    root: Path
    busybox: Path

    @property
    def module_tree(self) -> Path:
        return self.modules / "lib" / "modules" / self.version

    @property
    def is_host_root(self) -> bool:
        return self.root == Path("/")


def prepare(arch: str, series: str, *, refresh: bool = False) -> Image:
    """The image of the guest ``arch`` with a kernel of ``series`` ("6.1"), fetched unless it is cached."""
    if arch == "amd64":
        return _prepare_amd64(series, refresh=refresh)
    return _prepare_arm64(series, refresh=refresh)


def _prepare_amd64(series: str, *, refresh: bool) -> Image:
    if platform.machine() != "x86_64":
        raise LabError(f"the amd64 guest runs on the host's own root, and this host is {platform.machine()}")
    busybox = Path(need("busybox", "busybox-static"))
    need("amixer", "alsa-utils")
    folder = _kernel_amd64(series, refresh=refresh)
    return _image("amd64", folder, folder, Path("/"), busybox)


def _prepare_arm64(series: str, *, refresh: bool) -> Image:
    kernel = "linux-image-arm64" if series == "6.1" else f"linux-image-{series}-arm64"
    packages = [*_ARM64_PACKAGES, kernel]
    recipe = hashlib.sha256(f"{ARM64_SUITE} {_ARM64_TOUCHES} {packages}".encode()).hexdigest()[:12]

    def make(folder: Path) -> None:
        print(f"lab: making the arm64 root ({ARM64_SUITE}, kernel {series})", flush=True)
        roots.unpack(folder, ARM64_SUITE, "arm64", packages)
        _finish_arm64_root(folder)
        _depmod(folder)

    root = cached(f"root-arm64-{series}-{recipe}", make, refresh=refresh)
    return _image("arm64", root, root, root, root / "bin" / "busybox")


def _kernel_amd64(series: str, *, refresh: bool) -> Path:
    package, version = _resolve_kernel(series)

    def make(folder: Path) -> None:
        print(f"lab: fetching {package} {version}", flush=True)
        run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package], cwd=folder)
        (deb,) = folder.glob("*.deb")
        run(["dpkg", "-x", deb.name, "."], cwd=folder)
        deb.unlink()
        _depmod(folder)

    if not package:
        kept = sorted(cache_folder().glob(f"kernel-linux-image-{series}.*"), key=lambda path: path.stat().st_mtime)
        if not kept:
            raise LabError(f"apt knows no linux-image of series {series}: run apt-get update (Debian 12 has 6.1, 6.12)")
        print(f"lab: apt knows no linux-image of series {series}: using {kept[-1].name}", flush=True)
        return kept[-1]
    return cached(f"kernel-{package}_{version}", make, refresh=refresh)


def _resolve_kernel(series: str) -> tuple[str, str]:
    """The package that the metapackage of ``series`` asks for, and its version; empty if apt knows none."""
    for meta in (f"linux-image-{series}-amd64", "linux-image-amd64"):
        depends = _ask("apt-cache", "depends", meta)
        found = re.search(rf"Depends: (linux-image-{re.escape(series)}\.\S+)", depends)
        if found:
            version = re.search(r"^Version: (\S+)", _ask("apt-cache", "show", found[1]), re.MULTILINE)
            if version:
                return found[1], version[1]
    return "", ""


def _finish_arm64_root(root: Path) -> None:
    """Do what the packages' own scripts would have done, as far as the guest needs it."""
    library = root / "usr/lib/aarch64-linux-gnu"
    for name, package in (("libblas.so.3", "blas"), ("liblapack.so.3", "lapack")):
        if not (library / name).exists():
            (library / name).symlink_to(f"{package}/{name}")
    if not (root / "bin/sh").exists():
        (root / "bin/sh").symlink_to("dash")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n")
    (root / "etc/group").write_text("root:x:0:\naudio:x:29:\nnogroup:x:65534:\n")
    if sys.implementation.cache_tag == "cpython-311":
        # Compiled here: under emulation importing pytest and numpy from source takes many seconds.
        for folder in ("usr/lib/python3.11", "usr/lib/python3/dist-packages"):
            compileall.compile_dir(
                root / folder,
                quiet=2,
                stripdir=str(root),
                workers=2,
                invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
            )


def _image(arch: str, kernel: Path, modules: Path, root: Path, busybox: Path) -> Image:
    (tree,) = (path for path in (modules / "lib" / "modules").iterdir() if (path / "modules.dep").exists())
    return Image(arch, tree.name, kernel / "boot" / f"vmlinuz-{tree.name}", modules, root, busybox)


def _depmod(folder: Path) -> None:
    for tree in (folder / "lib" / "modules").iterdir():
        run([need("depmod", "kmod"), "-b", str(folder), tree.name])


def _ask(*command: str) -> str:
    need(command[0], "apt")
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
