"""Imports run one way (docs/design.md)."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import alsamm

PACKAGE = Path(alsamm.__file__).parent
MAY_IMPORT = {
    "_version": set[str](),
    "errors": set[str](),
    "account": set[str](),
    "direct.ring": set[str](),
    "_c": {"checks", "errors"},
    "enums": {"_c", "errors"},
    "checks": {"errors"},
    "device": {"enums"},
    "samples": {"enums", "errors"},
    "wav": {"enums", "errors"},
    "alsalib": {"_c", "checks", "device", "enums", "errors", "samples"},
    "conversion": {"_c", "enums", "errors"},
    "direct": {"_c", "account", "checks", "conversion", "device", "enums", "errors", "samples"},
    "stream": {"_c", "account", "alsalib", "checks", "conversion", "device", "direct", "enums", "errors", "samples"},
    "sim": {"_c", "alsalib", "checks", "device", "direct", "enums", "errors", "wav"},
    "testing": {"conversion", "enums", "errors", "sim"},
}


def room_of(module: str) -> str:
    """The folder or file of the package that a module is in."""
    return module if module in MAY_IMPORT else module.split(".", maxsplit=1)[0]


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "alsamm":
            found |= {room_of(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("alsamm."):
            found.add(room_of(node.module.removeprefix("alsamm.")))
        elif isinstance(node, ast.Import):
            found |= {room_of(alias.name.removeprefix("alsamm.")) for alias in node.names if "alsamm." in alias.name}
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
    room = room_of(module)
    if room in {"__init__", "__main__", "cli"}:
        return  # the faces of it all
    assert imports_of(path) - {room, "direct" if room == "direct.ring" else room} <= MAY_IMPORT[room]


def test_the_compiled_module_has_one_importer() -> None:
    """At run time: the others name its types only."""
    code = (
        "import sys, alsamm; "
        "print([n for n, m in sys.modules.items() if n.startswith('alsamm') and '_native' in vars(m)])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "['alsamm._c']"


def test_import_alsamm_brings_neither_the_software_card_nor_the_command_line_nor_extras() -> None:
    code = (
        "import sys, alsamm; "
        "print(sorted({n.split('.')[0] for n in sys.modules}), bool({'alsamm.sim', 'alsamm.cli'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip().endswith("False")
    extras = {"soundfile", "soxr", "rich", "matplotlib", "scipy", "hypothesis"}
    assert not extras & set(ast.literal_eval(out.rsplit(" ", 1)[0]))
