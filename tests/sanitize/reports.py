"""What the tools wrote: which of it is about our C."""

from __future__ import annotations

import re
from pathlib import Path

from tests.sanitize.tree import ROOT

__all__ = ["findings"]

# Where a tool's stack says that it is in our C, or in a planted fault. numpy and alsa-lib come without line numbers.
_NAMES = sorted(path.name for path in (ROOT / "alsamm" / "_c").glob("*.[ch]"))
_OURS = re.compile(rf"\b(?:planted\.c|{'|'.join(map(re.escape, _NAMES))}):\d+")

_BEGINNINGS = re.compile(
    r"(?m)^(?===\d+==(?:ERROR|WARNING)|WARNING: ThreadSanitizer|(?:Direct|Indirect) leak of|==\d+== [A-Z]|"
    r".*runtime error:)"
)


def findings(log: Path) -> list[str]:
    """Each report about our C, once, as its text. An aborted program's report is always one."""
    found: dict[str, str] = {}
    for path in sorted(log.iterdir()):
        for report in _BEGINNINGS.split(path.read_text(errors="replace")):
            if _is_ours(report):
                found.setdefault("\n".join(_OURS.findall(report)) or report, report.strip())
    return list(found.values())


def _is_ours(report: str) -> bool:
    if "ERROR: LeakSanitizer" in report:  # a heading
        return False
    if "ERROR: AddressSanitizer" in report or "runtime error:" in report:
        return True
    if " leak of" in report:  # by who asked for it; further up everything is called by Python, which leaks at will
        callers = [line for line in report.splitlines() if line.lstrip().startswith("#")][1:2]
        return any(_OURS.search(line) for line in callers)
    return bool(_OURS.search(report))
