"""The table device x case, read from the junit file that pytest wrote in the guest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

ANY_DEVICE = "(any)"
"""The column of tests that are not about one device."""
_WORST_FIRST = ("FAIL", "ERROR", "skip", "xfail", "n/a", "ok")
_REFUSED = re.compile(r"\W*(refused|n/a)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Result:
    """What became of one test: a case on a device."""

    module: str
    case: str
    device: str
    verdict: str
    reason: str


@dataclass
class Table:
    """The results of a run, and which devices should have been there and were not."""

    results: list[Result]
    devices: Sequence[str]
    missing: Sequence[str]
    _cells: dict[tuple[str, str, str], Counter[str]] = field(init=False)

    def __post_init__(self) -> None:
        self._cells = {}
        for result in self.results:
            key = (result.module, result.case, result.device)
            self._cells.setdefault(key, Counter())[result.verdict] += 1

    @property
    def is_failed(self) -> bool:
        """Whether a test failed."""
        return any(result.verdict in {"FAIL", "ERROR"} for result in self.results)

    @property
    def untested(self) -> list[str]:
        """Devices that are there but that no test ran on."""
        tested = {result.device for result in self.results}
        return [name for name in self.devices if name not in tested and name not in self.missing]

    def render(self) -> str:
        """The table, then why tests failed or were skipped, then the totals."""
        columns = list(self.devices)
        if any(result.device == ANY_DEVICE for result in self.results):
            columns.append(ANY_DEVICE)
        cases: dict[tuple[str, str], None] = {(result.module, result.case): None for result in self.results}
        rows: list[list[str]] = []
        for module, case in cases:
            rows.append([case, *(self._cell(module, case, column) for column in columns)])
        header = ["", *columns]
        widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
        lines = [_line(header, widths)]
        shown = ""
        for (module, _), row in zip(cases, rows, strict=True):
            if module != shown:
                lines.append(module)
                shown = module
            lines.append(_line(row, widths))
        return "\n".join([*lines, *self._reasons(), *self._totals()])

    def _cell(self, module: str, case: str, column: str) -> str:
        if column in self.missing:
            return "missing"
        counts = self._cells.get((module, case, column))
        if not counts:
            return "-"
        verdict = next(word for word in _WORST_FIRST if counts[word])
        total = sum(counts.values())
        return verdict if counts[verdict] == total else f"{verdict} {counts[verdict]}/{total}"

    def _reasons(self) -> list[str]:
        """Every verdict but "ok" with its reason, tests of the same reason together."""
        grouped: dict[tuple[str, str], list[str]] = {}
        for result in self.results:
            if result.verdict != "ok":
                named = f"{result.case}[{result.device}]"
                grouped.setdefault((result.verdict, result.reason), []).append(named)
        lines: list[str] = []
        for word in _WORST_FIRST:
            for (verdict, reason), tests in grouped.items():
                if verdict == word:
                    counted = Counter(tests)
                    lines.append(f"{verdict}: {reason}")
                    lines += [f"    {test}" + (f" x{n}" if n > 1 else "") for test, n in counted.items()]
        return ["", *lines] if lines else []

    def _totals(self) -> list[str]:
        counts = Counter(result.verdict for result in self.results)
        told = ", ".join(f"{counts[word]} {word}" for word in reversed(_WORST_FIRST) if counts[word])
        lines = ["", told or "no test ran"]
        lines += [f"MISSING DEVICE: {name}" for name in self.missing]
        return lines


def read_junit(path: Path, devices: Sequence[str]) -> list[Result]:
    """The results in a junit file; the device is the first part of a test's id."""
    return [_result(case, devices) for case in ET.parse(path).getroot().iter("testcase")]


def _result(element: ET.Element, devices: Iterable[str]) -> Result:
    name = element.get("name", "")
    case, _, identity = name.partition("[")
    identity = identity.removesuffix("]")
    fitting = [device for device in devices if identity == device or identity.startswith(f"{device}-")]
    device = max(fitting, key=len, default=ANY_DEVICE)
    verdict, reason = _verdict(element)
    return Result(element.get("classname", ""), case, device, verdict, reason)


def _verdict(element: ET.Element) -> tuple[str, str]:
    for tag, verdict in (("failure", "FAIL"), ("error", "ERROR"), ("skipped", "skip")):
        found = element.find(tag)
        if found is None:
            continue
        reason = (found.get("message") or "").strip().splitlines()
        first = reason[0] if reason else "no reason given"
        if verdict == "skip" and found.get("type") == "pytest.xfail":
            return "xfail", first
        if verdict == "skip" and _REFUSED.match(first):
            return "n/a", first
        return verdict, first
    return "ok", ""


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
