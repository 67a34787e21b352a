"""What a user reads where something is missing: really missing, hidden from the process or taken out of its files."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.packaging.conftest import Tried
from tests.packaging.places import dist, unshared
from tests.packaging.trial import DEBIAN

Import = Callable[[], str]


def said(command: Sequence[str], **variables: str) -> str:
    """What a command says that must fail."""
    environment = {**os.environ, **variables}
    done = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0, done.stdout
    return done.stdout + done.stderr


def unpacked(wheel: Path, folder: Path) -> Import:
    """The package of ``wheel`` in ``folder``, and how to hear what importing it says."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return lambda: said([sys.executable, "-c", "import alsamm"], PYTHONPATH=str(folder)).splitlines()[-1]


@pytest.mark.parametrize("name", [DEBIAN])
def test_without_alsa_lib_the_system_packages_are_named(name: str, tried: Tried) -> None:
    report = tried(name)
    last = report.without_library.splitlines()[-1]
    assert last.startswith("ImportError: alsa-lib is not installed: libasound.so.2: cannot open shared object file")
    (line,) = report.command_without_library.splitlines()
    assert line == last.replace("ImportError: ", "alsamm: ")
    for package in ("libasound2t64", "libasound2)", "Fedora, Arch, Alpine: alsa-lib"):
        assert package in last


def test_the_program_says_it_in_one_line(tmp_path: Path) -> None:
    unpacked(dist("*_aarch64.whl"), tmp_path)
    code = "import sys; from _alsamm_command import main; sys.exit(main())"
    (line,) = said([sys.executable, "-c", code, "list"], PYTHONPATH=str(tmp_path)).splitlines()
    assert line.startswith("alsamm: ")
    assert "is for aarch64, this machine is x86_64" in line


def test_a_module_for_another_machine(tmp_path: Path) -> None:
    assert "is for aarch64, this machine is x86_64" in unpacked(dist("*_aarch64.whl"), tmp_path)()


def test_a_module_for_another_python(tmp_path: Path) -> None:
    message = unpacked(dist("*-abi3-*_x86_64.whl"), tmp_path)
    module = tmp_path / "alsamm/_c/_native.abi3.so"
    module.rename(module.with_name("_native.cpython-39-x86_64-linux-gnu.so"))
    assert "was built for another Python than this cpython 3" in message()
    assert "_native.cpython-39-x86_64-linux-gnu.so" in message()


def test_a_source_tree_that_was_not_built(tmp_path: Path) -> None:
    message = unpacked(dist("*-abi3-*_x86_64.whl"), tmp_path)
    (tmp_path / "alsamm/_c/_native.abi3.so").unlink()
    assert "was not built: there is none in" in message()
    assert "python -m pip install ." in message()


def test_without_cffi(tmp_path: Path) -> None:
    message = unpacked(dist("*-abi3-*_x86_64.whl"), tmp_path)
    (tmp_path / "_cffi_backend.py").write_text("raise ModuleNotFoundError('no module', name='_cffi_backend')\n")
    assert message().startswith("ImportError: cffi is not installed for")


@pytest.mark.parametrize(
    ("hidden", "compiler", "package"),
    [
        ("/usr/include/alsa", "gcc", "libasound2-dev"),
        ("/usr/include/sound", "gcc", "linux-libc-dev"),
        ("", "/nowhere/gcc", "gcc libc6-dev"),
    ],
)
def test_building_where_something_is_missing(hidden: str, compiler: str, package: str, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={tmp_path}"]
    hide = f'mount -t tmpfs tmpfs "{hidden}" && ' if hidden else ""
    output = said([*unshared(), "sh", "-c", f'{hide}exec "$@"', "sh", *pip, str(dist("*.tar.gz"))], CC=compiler)
    (line,) = (line for line in output.splitlines() if "cannot be built without" in line)
    assert package in line
    assert "fatal error" not in output
    assert "Traceback" not in output
