"""Where a wheel is installed and run: virtualenvs without a compiler, and a Debian that never had one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools import roots, wheels
from tools.pythons import Python

__all__ = ["ROOT_PYTHON", "Place", "debian", "dist", "unshared", "venv", "without", "without_compiler"]

ROOT_PYTHON = "3.14"
_SUITE = "forky"  # the first Debian with it
_PACKAGES = (f"python{ROOT_PYTHON}", "libasound2t64", "libstdc++6", "base-files", "dash", "coreutils")
_SITE = "opt/site"
_WITHOUT_COMPILER = {"CC": "/bin/false", "PIP_ONLY_BINARY": ":all:", "PIP_NO_COMPILE": "1"}


@dataclass(frozen=True)
class Place:
    """Something to run a Python in. ``folder`` is the working directory, which the host sees too."""

    name: str
    python: Sequence[str]
    script: Sequence[str]
    """How the console script is called."""
    folder: Path
    variables: Mapping[str, str]

    def run(self, *arguments: str, command: Sequence[str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run Python, or ``command``, with ``arguments``; what it says is in ``stdout``, errors too."""
        return subprocess.run(
            [*(command or self.python), *arguments],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )


def dist(pattern: str) -> Path:
    """The one file in dist/ that fits; its absence is a failure, for ``make packages`` makes it first."""
    found = sorted(wheels.DIST.glob(pattern))
    assert len(found) == 1, f"dist/{pattern} should be one file, and is {found}: run make wheel"
    return found[0]


def pip(*arguments: str, variables: Mapping[str, str]) -> None:
    """The host's pip, which must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def venv(python: Python, what: Sequence[str], variables: Mapping[str, str], folder: Path) -> Place:
    """A virtualenv of ``python`` with ``what`` installed, whose programs are the only ones in PATH when it is used."""
    subprocess.run([python.path, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    programs = folder / "venv" / "bin"
    pip(f"--python={programs / 'python'}", "install", *what, variables=variables)
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    return Place(
        python.name,
        [str(programs / "python")],
        [str(programs / "alsamm")],
        folder,
        {**kept, "PATH": str(programs), "CC": "/bin/false"},
    )


def without_compiler(python: Python, wheel: Path, extras: Sequence[str], folder: Path) -> Place:
    """A virtualenv to which pip could bring nothing that must be compiled."""
    nothing = folder / "nothing"
    nothing.mkdir()
    return venv(python, [str(wheel), *extras], {**_WITHOUT_COMPILER, "PATH": str(nothing)}, folder)


@contextmanager
def debian(wheel: Path, extras: Sequence[str]) -> Generator[Place]:
    """A Debian root with a C library, alsa-lib and Python of its own, and nothing else; to be changed at will."""
    kept = roots.debian(_SUITE, "amd64", _PACKAGES)
    with tempfile.TemporaryDirectory(prefix="packages.", dir=roots.cache_folder()) as folder:
        root = Path(folder, "root")
        subprocess.run(["cp", "-al", kept, root], check=True)  # links: files are added and removed, never written to
        number = ROOT_PYTHON.replace(".", "")
        platforms = [f"--platform=manylinux_2_{glibc}_x86_64" for glibc in (17, 27, 28)]
        abis = [f"--abi={abi}" for abi in (f"cp{number}", "abi3", "none")]
        pip(
            *("install", f"--target={root / _SITE}", f"--python-version={ROOT_PYTHON}", "--implementation=cp"),
            *(*platforms, *abis, str(wheel), *extras),
            variables=_WITHOUT_COMPILER,
        )
        (root / "work").mkdir()
        yield _in_root(root)


def without(place: Place, pattern: str) -> Place:
    """The same root with some of its files gone."""
    root = place.folder.parent
    bare = root.with_name("bare")
    subprocess.run(["cp", "-al", root, bare], check=True)
    gone = list(bare.glob(pattern))
    assert gone, f"{pattern} is not in the root"
    for path in gone:
        path.unlink()
    return _in_root(bare)


def unshared() -> list[str]:
    """The start of a command whose mounts nobody else sees."""
    return ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]


def _in_root(root: Path) -> Place:
    enter = (
        'mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" /usr/bin/env -C /work "$@"'
    )
    python = [*unshared(), "sh", "-c", enter, str(root), f"/usr/bin/python{ROOT_PYTHON}"]
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": f"/{_SITE}", "HOME": "/work"}
    return Place(
        f"{ROOT_PYTHON} in Debian {_SUITE}", python, [*python, f"/{_SITE}/bin/alsamm"], root / "work", variables
    )


def copy_tests(folder: Path) -> None:
    """The tests and their settings, without the package that they are about."""
    project = Path(__file__).resolve().parents[2]
    shutil.copy(project / "pyproject.toml", folder)
    shutil.copytree(
        project / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__", "packaging", "bench")
    )
    shutil.copy(Path(__file__).with_name("smoke.py"), folder)
