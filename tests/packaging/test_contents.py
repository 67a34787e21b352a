"""What is in the files, what they say of themselves, and what they need of a system."""

from __future__ import annotations

import email.message
import email.parser
import io
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.packaging.places import dist
from tools.wheels import LIBRARY

PROJECT = Path(__file__).resolve().parents[2]
MACHINES = ("x86_64", "aarch64")
GLIBC = (2, 27)  # tools/glibc.h


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.endswith("/")}


def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.parser.Parser().parse(io.StringIO(archive.read(name).decode()))


def dynamic_section(wheel: Path, folder: Path) -> str:
    """The module's own needs, as binutils read them, for any machine."""
    with zipfile.ZipFile(wheel) as archive:
        module = archive.extract("alsamm/_c/_native.abi3.so", folder)
    return subprocess.run(["readelf", "-dVW", module], capture_output=True, text=True, check=True).stdout


@pytest.fixture(params=MACHINES)
def wheel(request: pytest.FixtureRequest) -> Path:
    return dist(f"alsamm-*-cp310-abi3-manylinux_{GLIBC[0]}_{GLIBC[1]}_{request.param}.whl")


def test_a_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    files = ["git", "ls-files", "alsamm", "_alsamm_*.py"]
    tracked = subprocess.run(files, cwd=PROJECT, capture_output=True, text=True, check=True)
    ours = {name for name in tracked.stdout.split() if name.endswith((".py", ".pyi", "py.typed"))}
    about = {name for name in names(wheel) if ".dist-info/" in name}
    assert names(wheel) - about == ours | {"alsamm/_c/_native.abi3.so"}
    kinds = {name.split("/", 1)[1] for name in about} - {"sboms/auditwheel.cdx.json"}
    assert kinds == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt", "licenses/LICENSE"}


def test_libasound_is_the_systems(wheel: Path, tmp_path: Path) -> None:
    said = dynamic_section(wheel, tmp_path)
    assert set(re.findall(r"\(NEEDED\).*\[(\S+)\]", said)) <= {LIBRARY, "libc.so.6", "ld-linux-aarch64.so.1"}
    assert "RUNPATH" not in said
    assert "RPATH" not in said


def test_it_asks_for_no_newer_glibc_than_its_tag_says(wheel: Path, tmp_path: Path) -> None:
    asked = {
        tuple(map(int, version)) for version in re.findall(r"GLIBC_(\d+)\.(\d+)", dynamic_section(wheel, tmp_path))
    }
    assert max(asked) == GLIBC


def test_what_the_package_says_of_itself(wheel: Path) -> None:
    said = metadata(wheel)
    assert said["License-Expression"] == "MIT"
    assert said["Requires-Python"] == ">=3.10"
    core = [line for line in said.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert sorted(re.split(r"\W", line)[0] for line in core) == ["cffi", "numpy"]
    assert said.get_payload() == (PROJECT / "README.md").read_text()


def test_the_sdist_holds_what_builds_and_documents_the_package() -> None:
    with tarfile.open(dist("*.tar.gz")) as archive:
        held = {member.name.split("/", 1)[1] for member in archive if member.isfile()}
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout.split()
    needed = {name for name in tracked if name.startswith(("alsamm/", "_alsamm_"))}
    needed |= {"pyproject.toml", "setup.py", "build_ffi.py", "README.md", "CHANGELOG.md", "LICENSE", "MANIFEST.in"}
    assert needed <= held
    made = {name for name in held - needed if not name.startswith("alsamm.egg-info/")}
    assert made == {"PKG-INFO", "setup.cfg"}
