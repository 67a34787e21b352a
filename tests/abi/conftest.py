"""tests/abi/program.c for each ABI of 32 bits, with the flags of the extension itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.abi.abis import NARROW, ROOT, compile_c

sys.path.insert(0, str(ROOT))

from build_ffi import COMPILE_ARGS, SOURCES

# What needs alsa-lib, which is here for the machine's own ABI alone.
NOT_HERE = ("alsalib.c", "sim_plugin.c")
# Undefined behaviour ends the program; without a runtime library, which 32 bits would need a package more for.
CHECKS = ("-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", "-fno-sanitize-recover")


@pytest.fixture(scope="session", params=NARROW)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Its ABI, and where it is."""
    abi: str = request.param
    path = tmp_path_factory.mktemp("abi") / abi
    here, c = Path(__file__).parent, ROOT / "alsamm" / "_c"
    sources = [c / name for name in SOURCES if name not in NOT_HERE]
    compile_c(
        abi, *COMPILE_ARGS, *CHECKS, "-static", "-pthread", f"-I{here / 'include'}", f"-I{c}", "-o", path,
        here / "program.c", *sources,
    )  # fmt: skip
    return abi, path
