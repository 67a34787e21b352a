"""tests/abi/program.c for each ABI of 32 bits, with the flags of the extension itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.abi.abis import COMPILE_ARGS, INCLUDES, NARROW, SOURCES, compile_c

# Undefined behaviour ends the program; without a runtime library, which 32 bits would need a package more for.
CHECKS = ("-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", "-fno-sanitize-recover")


@pytest.fixture(scope="session", params=NARROW)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Its ABI, and where it is."""
    abi: str = request.param
    path = tmp_path_factory.mktemp("abi") / abi
    flags = (*COMPILE_ARGS, *CHECKS, *INCLUDES, "-static", "-pthread")
    compile_c(abi, *flags, "-o", path, Path(__file__).parent / "program.c", *SOURCES)
    return abi, path
