"""The pictures that are committed are what a card does now."""

from __future__ import annotations

import re

import pytest

from docs.pictures.__main__ import FOLDER, PICTURES
from tests.docs.blocks import PAGES, ROOT


@pytest.mark.parametrize("name", PICTURES)
def test_it_is_what_is_drawn_now(name: str) -> None:
    drawn = str(PICTURES[name]())
    assert (FOLDER / f"{name}.svg").read_text() == drawn, "python -m docs.pictures draws them anew"


def test_all_of_them_are_drawn_and_shown() -> None:
    text = "".join((ROOT / page).read_text() for page in PAGES)
    assert {path.stem for path in FOLDER.glob("*.svg")} == set(PICTURES)
    assert set(re.findall(r"pictures/(\w+)\.svg", text)) == set(PICTURES)
