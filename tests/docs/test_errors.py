"""The table of errors has a row for each, with a cause and a cure."""

from __future__ import annotations

import re

from alsamm import errors
from tests.docs.blocks import ROOT

TEXT = (ROOT / "docs/reference/errors.md").read_text()


def test_each_has_a_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", TEXT, re.MULTILINE)
    assert len(rows) == len({row[0] for row in rows})
    assert {row[0] for row in rows} == {*errors.__all__, "CallbackError"}
    assert all(cause.strip() and cure.strip() for _, cause, cure in rows)
