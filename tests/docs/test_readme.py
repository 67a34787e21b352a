"""What README.md shows is so: its examples, what the demo prints, how it stands beside its peers, where links lead."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from alsamm.cli import main
from tests.docs.blocks import ROOT, Block, blocks
from tests.docs.conftest import Desk

README = (ROOT / "README.md").read_text()
PLAY, RECORD, DUPLEX = blocks("README.md", "python")
RING = blocks("docs/reference/raw.md", "python")[0]
SOUND = "/usr/share/sounds/alsa/Front_Center.wav"


def run(block: Block) -> dict[str, object]:
    names: dict[str, object] = {}
    block.run(names)
    return names


def test_what_is_played_is_the_tone(desk: Desk) -> None:
    tone = run(PLAY)["tone"]
    assert isinstance(tone, np.ndarray)
    np.testing.assert_array_equal(desk.first.played()[: len(tone), 0], tone)


def test_what_is_heard_is_played_at_half_the_level(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    heard = np.random.default_rng(6).integers(-32_768, 32_768, (48_000, 2), "i2")
    desk.first.feed(heard)
    run(DUPLEX)
    offset = int(capsys.readouterr().out)
    np.testing.assert_array_equal(desk.first.played()[offset : offset + len(heard)], heard // 2)


def test_what_is_recorded_is_heard(desk: Desk) -> None:
    heard = np.random.default_rng(5).integers(-32_768, 32_768, (48_000, 2), "i2")
    desk.first.feed(heard)
    np.testing.assert_array_equal(run(RECORD)["take"], heard)
    assert Path("take.wav").stat().st_size > heard.nbytes


def test_what_is_played_by_periods_is_a_second_of_the_tone(desk: Desk) -> None:
    run(RING)
    time = np.arange(750 * 64)
    expected = np.rint(0.2 * np.sin(time * 2 * np.pi * 440 / 48_000) * 32_768)
    played = desk.first.played()[: len(time)].astype("f8")
    assert np.abs(played - expected[:, None]).max() <= 1  # float32, and a phase that was added up otherwise


def test_what_the_demo_prints(capsys: pytest.CaptureFixture[str]) -> None:
    main(["demo", SOUND, "--device", "sim:"])
    shown = README.partition("no sound card here for playback")[2].partition("```")[0].splitlines()[1:]
    printed = capsys.readouterr().out.splitlines()[1:]
    keep = re.compile(r" in [\d.]+ s$")  # the time it took
    assert [keep.sub("", line) for line in printed] == [keep.sub("", line) for line in shown]


def test_the_peers_are_told_as_they_are_found() -> None:
    command = [sys.executable, "-m", "tests.docs.peers"]  # a process of its own: PortAudio looks for PCMs only once
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed in README, "make peers prints the table"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(page: str) -> None:
    """Those of the pages that are no part of the site; of the others Sphinx looks."""
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / page).read_text())
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []
