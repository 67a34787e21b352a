"""A trial: install what is in dist/ somewhere, run it there, and report."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tests.packaging import places
from tests.packaging.places import Place
from tools import pythons
from tools.wheels import LIBRARY

__all__ = ["CLAIMED", "FOUND", "TRIALS", "Report"]

_PYPROJECT = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text()
CLAIMED = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', _PYPROJECT)
"""The versions that the package's page says it is for."""
FOUND = pythons.found()
OLDEST = "oldest"
DEBIAN = "debian"
# Of the suite: what is quick, exact on a busy machine, needs no other program, and calls into every part of the module.
SUITE = (
    "tests/unit/test_ring.py",
    "tests/unit/test_direct.py",
    "tests/unit/test_sim_states.py",
    "tests/unit/test_sim_poll.py",
    "tests/alsalib/test_pcm.py",
    "tests/alsalib/test_hw_params.py",
    "tests/contract/test_ring.py",
    "tests/contract/test_states.py",
    "tests/contract/test_lifetime.py",
)
# numpy 1.22's testing warns of distutils when it is imported, and the suite takes warnings for errors.
_PYTEST = "import sys, numpy.testing, pytest; sys.exit(pytest.main(sys.argv[1:]))"
_TESTERS = ("pytest", "hypothesis")


@dataclass(frozen=True)
class Report:
    """What was said by each step of a trial that went well."""

    place: str
    smoke: str
    command: str
    suite: str
    without_library: str = ""
    command_without_library: str = ""


def _run(place: Place) -> Report:
    """The smoke test, the command and a part of the suite, on what is installed in ``place``."""
    places.copy_tests(place.folder)
    smoke = _good(place, "smoke.py", ".")
    assert str(Path(__file__).resolve().parents[2] / "alsamm") not in smoke, f"not what was installed: {smoke}"
    command = place.run("demo", "ramp.wav", command=place.script)
    assert command.returncode == 0, command.stdout
    suite = _good(place, "-c", _PYTEST, "-q", "--color=no", "-p", "no:cacheprovider", *SUITE)
    return Report(place.name, smoke.strip(), command.stdout, suite.splitlines()[-1])


def _good(place: Place, *arguments: str) -> str:
    done = place.run(*arguments)
    assert done.returncode == 0, f"{place.name}: {' '.join(arguments)}: status {done.returncode}\n{done.stdout[-8000:]}"
    return done.stdout


def _on(python: pythons.Python, folder: Path) -> Report:
    tag = f"cp{python.name.replace('.', '')}" if python.free_threaded else "abi3"
    return _run(places.without_compiler(python, places.dist(f"*-{tag}-*_x86_64.whl"), _TESTERS, folder))


def _oldest(folder: Path) -> Report:
    """From the sdist, with the oldest of everything that it says it takes, to build and to run."""
    bounds = re.findall(r'"(setuptools|cffi|numpy)>=([\d.]+)"', _PYPROJECT)
    constraints = folder / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in sorted(set(bounds))))
    variables = {"PIP_CONSTRAINT": str(constraints)}
    what = [str(places.dist("*.tar.gz")), *_TESTERS]
    return _run(places.venv(FOUND[CLAIMED[0]], what, variables, folder))


def _debian(_folder: Path) -> Report:
    with places.debian(places.dist("*-abi3-*_x86_64.whl"), _TESTERS) as place:
        report = _run(place)
        bare = places.without(place, f"usr/lib/*/{LIBRARY}*")
        said = [bare.run("-c", "import alsamm"), bare.run("list", command=bare.script)]
        assert [done.returncode for done in said] == [1, 1], said
        return replace(report, without_library=said[0].stdout, command_without_library=said[1].stdout)


TRIALS: dict[str, Callable[[Path], Report]] = {
    **{name: partial(_on, python) for name, python in FOUND.items()},
    OLDEST: _oldest,
    DEBIAN: _debian,
}
