"""The code in README.md and docs/, as it is written there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PAGES", "ROOT", "Block", "blocks", "sessions"]

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"))
)
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STANDS_ALONE = re.compile(r"^import alsamm$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """What stands between two fences, and where."""

    page: str
    line: int
    language: str
    code: str

    def run(self, names: dict[str, object]) -> None:
        """Python: as if its lines were the page's own, so that a traceback points there."""
        exec(compile("\n" * (self.line - 1) + self.code, str(ROOT / self.page), "exec"), names)


def blocks(page: str, *languages: str) -> list[Block]:
    """Those of a page, in its order."""
    text = (ROOT / page).read_text()
    return [
        Block(page, text.count("\n", 0, found.start()) + 2, found[1], found[2])
        for found in _FENCE.finditer(text)
        if found[1] in languages
    ]


def sessions(page: str) -> list[list[Block]]:
    """Python blocks that belong together: one that imports alsamm stands alone, any other goes on."""
    told: list[list[Block]] = []
    for block in blocks(page, "python"):
        if not told or _STANDS_ALONE.search(block.code):
            told.append([])
        told[-1].append(block)
    return told
