"""latency: a known round trip is found, through all that cables do; what was not heard is said so."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim
from alsamm.cli import round_trip
from alsamm.cli.correlation import SURE, find, noise
from alsamm.cli.histogram import as_text, bins
from tests.cli.conftest import Cli, Done, started

BUFFER, PERIOD, FRAMES = 4096, 512, 4096
SIZES = ("--period", PERIOD, "--buffer", BUFFER, "--within", 0.1)
PLAYED = noise(FRAMES, 2, 0.25)


@pytest.fixture
def card() -> Iterator[sim.Card]:
    with sim.Card("wire", clock="auto", formats=["FLOAT_LE"]) as made:
        yield made


def through(card: sim.Card, delay: int, cable: Callable[[Any], Any]) -> None:
    """What comes out of a cable that is ``delay`` frames long, put in at its other end."""
    sound = np.zeros((BUFFER + delay + FRAMES + 9000, 2))
    sound[BUFFER + delay : BUFFER + delay + FRAMES] = PLAYED
    card.feed(cable(sound).astype("f4"))


def one(cli: Cli, card: sim.Card, *more: object) -> tuple[Done, dict[str, Any]]:
    done = cli("latency", card.device, *map(str, SIZES), "--times", "1", "--json", *map(str, more))
    return done, json.loads(done.out)


def a_little_noise(deviation: float) -> Any:
    return np.random.default_rng(3).normal(0, deviation, (40_000, 2))


def fraction_later(sound: Any, fraction: float) -> Any:
    turned = np.fft.rfft(sound, axis=0) * np.exp(-2j * np.pi * np.fft.rfftfreq(len(sound))[:, None] * fraction)
    return np.fft.irfft(turned, len(sound), axis=0)


KINDS: dict[str, dict[str, Any]] = {
    "mapped": {},
    "by ioctl": {"refuse_status": True, "refuse_control": True},
    "tells a delay": {"delay": 17},
    "16 bits": {"formats": ["S16_LE"]},
    "8 bits": {"formats": ["U8"]},
    "by calls": {"accesses": ["RW_INTERLEAVED"]},
    "by calls, 16 bits": {"accesses": ["RW_INTERLEAVED"], "formats": ["S16_LE"]},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_looped_card_is_exact_every_time(cli: Cli, kind: str) -> None:
    """With a delay that the card tells of and does not have, what snd_pcm_delay says is longer than what is."""
    times = 20 if kind == "mapped" else 5
    with sim.Card("loops", clock="auto", loop=True, **KINDS[kind]) as card:
        done = cli("latency", card.device, "--times", str(times), "--json", *map(str, SIZES))
    told = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert [(run["frames"], run["exact"], run["channels"]) for run in told["runs"]] == times * [(BUFFER, True, [1, 2])]
    assert (told["offset"], told["jitter"], told["beyond_max"]) == (BUFFER, 0, 0)
    assert told["delay"] == BUFFER + 2 * KINDS[kind].get("delay", 0)


@pytest.mark.parametrize("delay", [0, 1, 333])
def test_a_cable_of_known_length(cli: Cli, card: sim.Card, delay: int) -> None:
    through(card, delay, np.asarray)
    done, told = one(cli, card)
    (run,) = told["runs"]
    assert (done.code, run["frames"], run["exact"]) == (0, BUFFER + delay, True)
    assert told["beyond_median"] == delay


@pytest.mark.alone
def test_two_cards_have_two_triggers(cli: Cli) -> None:
    """Numbers of frames are exact all the same; what the offset says is by both clocks then."""
    with sim.Card("out", clock="realtime") as out, sim.Card("in", clock="realtime", formats=["FLOAT_LE"]) as heard:
        through(heard, 200, np.asarray)
        done, told = one(cli, out, "--capture", heard.device)
    (run,) = told["runs"]
    assert (done.code, told["device"], told["transport"]) == (0, "sim:out to sim:in", "mapped; not linked")
    assert (run["frames"], run["exact"]) == (BUFFER + 200, True)
    assert 0 < run["offset"] < 3 * BUFFER


def inverted(sound: Any) -> Any:
    return -sound


def attenuated(sound: Any) -> Any:
    return sound * 0.01


def noisy(sound: Any) -> Any:
    """As loud as what is left of the sound."""
    return 0.1 * sound + a_little_noise(0.025)[: len(sound)]


def humming(sound: Any) -> Any:
    return -0.1 * sound + 0.2 * np.sin(np.arange(len(sound)) / 50)[:, None]


def between_frames(sound: Any) -> Any:
    return fraction_later(sound, 0.4)


@pytest.mark.parametrize(
    ("cable", "gain", "off"),
    [
        (inverted, -1.0, 0.0),
        (attenuated, 0.01, 0.0),
        (noisy, 0.1, 0.0),
        (humming, -0.1, 0.0),
        (between_frames, 0.76, 0.4),
    ],
)
def test_cables_that_change_the_sound(
    cli: Cli, card: sim.Card, cable: Callable[[Any], Any], gain: float, off: float
) -> None:
    through(card, 77, cable)
    done, told = one(cli, card)
    (run,) = told["runs"]
    assert (done.code, run["heard"], run["exact"]) == (0, True, False)
    assert run["frames"] == pytest.approx(BUFFER + 77 + off, abs=0.15)
    assert run["gain"] == pytest.approx(gain, rel=0.15)


def swapped(sound: Any) -> Any:
    return sound[:, ::-1]


def second_only(sound: Any) -> Any:
    return sound * [0, 1]


def first_into_second(sound: Any) -> Any:
    return (sound * [1, 0])[:, ::-1]


@pytest.mark.parametrize(
    ("cable", "channels", "crossed"),
    [(swapped, [2, 1], True), (second_only, [None, 2], False), (first_into_second, [None, 1], True)],
)
def test_which_channel_heard_it(
    cli: Cli, card: sim.Card, cable: Callable[[Any], Any], channels: list[int | None], *, crossed: bool
) -> None:
    through(card, 5, cable)
    _, told = one(cli, card)
    assert (told["runs"][0]["channels"], told["runs"][0]["frames"]) == (channels, BUFFER + 5)
    through(card, 5, cable)
    said = cli("latency", card.device, *map(str, SIZES), "--times", "1").told("channels")
    assert said.endswith(": swapped") == crossed
    assert f"2 hears {channels[1]}" in said


@pytest.mark.parametrize(
    ("heard", "why"),
    [
        (np.zeros((1, 2)), "nothing is heard, not even noise"),
        (a_little_noise(0.05), "is not what was played, or too little of it"),
        (a_little_noise(0.25) + np.sin(np.arange(40_000) / 9)[:, None], "is not what was played"),
    ],
    ids=["no cable", "another sound", "loud"],
)
def test_what_is_not_heard_is_said_so(cli: Cli, card: sim.Card, heard: Any, why: str, tmp_path: Path) -> None:
    card.feed(np.tile(heard, (2, 1)).astype("f4"))
    done, told = one(cli, card, "--report", tmp_path / "a.md")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert done.err.startswith("alsamm: sim:wire: 1 of 1 runs did not hear what was played; ")
    assert why in done.err
    assert told["runs"][0]["frames"] is None
    assert "not heard" in (tmp_path / "a.md").read_text()
    assert not (tmp_path / "a.svg").exists()


def test_it_gives_up_where_nothing_is_heard(cli: Cli, card: sim.Card) -> None:
    done = cli("latency", card.device)
    assert (done.code, done.told("heard")) == (1, "0 of 3")


def test_another_sound_is_never_taken_for_ours() -> None:
    random = np.random.default_rng(5)
    sounds = [random.normal(0, 1, 30_000) for _ in range(20)]
    sounds += [np.sin(np.arange(30_000) * step) for step in (0.001, 0.1, 3.1)]
    sounds += [noise(30_000, 1, 1.0)[:, 0], random.laplace(0, 1, 30_000) ** 5]  # the last: clicks
    assert max(find(sound.astype("f4"), PLAYED[:, 0]).confidence for sound in sounds) < 0.75 * SURE


def test_what_an_xrun_disturbed_is_made_again(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    once = round_trip._run
    with sim.Card("shaky", clock="auto", loop=True) as card:

        def run(io: alsamm.DuplexStream, *more: Any) -> Any:
            if next(numbers) in (1, 3):
                io.start()
                card.xrun()
            return once(io, *more)

        numbers = iter(range(100))
        monkeypatch.setattr(round_trip, "_run", run)
        done = cli("latency", card.device, "--times", "4", *map(str, SIZES))
        assert (done.code, done.told("heard")) == (0, "4 of 4; 2 more were disturbed by an xrun and made again")


def test_an_unplugged_card_leaves_what_was_measured(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    once = round_trip._run
    with sim.Card("pulled", clock="auto", loop=True) as card:

        def run(io: alsamm.DuplexStream, *more: Any) -> Any:
            if next(numbers) == 2:
                io.start()
                card.unplug()
            return once(io, *more)

        numbers = iter(range(100))
        monkeypatch.setattr(round_trip, "_run", run)
        done = cli("latency", card.device, "--report", tmp_path / "a.html")
    assert (done.code, done.err.count("\n"), done.told("heard")) == (1, 1, "2 of 2")
    assert done.err.startswith("alsamm: sim:pulled: ")
    assert "4800" in (tmp_path / "a.html").read_text()


def test_ctrl_c_leaves_what_was_measured(tmp_path: Path) -> None:
    report = tmp_path / "report"
    command = [sys.executable, "-c", (
        "import sys\nfrom alsamm import sim\nfrom alsamm.cli import main\n"
        "with sim.Card('slow', clock='realtime', loop=True) as card:\n"
        "    options = ['--times', '1000', '--within', '0.01', '--report', sys.argv[1]]\n"
        "    sys.exit(main(['latency', card.device, *options]))"
    ), str(report)]  # fmt: skip
    leader, terminal = os.openpty()
    with started(command, stdout=subprocess.PIPE, stderr=terminal, text=True) as process:
        os.close(terminal)
        shown = b""
        while b"run 3" not in shown:
            shown += os.read(leader, 1000)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    os.close(leader)
    assert process.returncode == 130
    heard = Done(130, out, "").told("heard")
    count, _, runs = heard.partition(" of ")
    assert count == runs
    assert int(count) >= 3
    assert f"| heard | {heard} |" in (report / "latency.md").read_text()
    assert b"Traceback" not in shown


@pytest.mark.parametrize("name", ["a.html", "a.md", "folder"])
def test_reports(cli: Cli, card: sim.Card, tmp_path: Path, name: str) -> None:
    card.loop = True
    done = cli("latency", card.device, "--times", "3", "--report", tmp_path / "new" / name, *map(str, SIZES))
    assert done.code == 0
    file = Path(done.told("report"))
    text = file.read_text()
    assert file.relative_to(tmp_path / "new") == Path(name if "." in name else "folder/latency.md")
    assert "round trip" in text
    picture = text if file.suffix == ".html" else file.with_suffix(".svg").read_text()
    assert ">round trip (frames)<" in picture.replace("</text", "<")
    assert ("<svg" in text) == (file.suffix == ".html")


def test_without_matplotlib_it_says_so_before_measuring(
    cli: Cli, card: sim.Card, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = importlib.util.find_spec

    def without(name: str) -> Any:
        return None if name == "matplotlib" else real(name)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    done = cli("latency", card.device, "--report", tmp_path / "a.md")
    assert (done.code, done.out) == (1, "")
    assert "pip install 'alsamm[cli]'" in done.err
    card.loop = True
    assert cli("latency", card.device, "--times", "1").code == 0


def test_bins() -> None:
    assert bins([100.0, 100.0, 102.0]) == [(99.5, 100.5, 2), (100.5, 101.5, 0), (101.5, 102.5, 1)]
    assert len(bins([0.0, 1e6])) <= 25
    (only,) = bins([7.123, 7.1231])
    assert only.times == 2
    assert sum(each.times for each in bins(list(np.random.default_rng(1).normal(500, 3, 1000)))) == 1000
    assert as_text([5.0, 6.0, 6.0]) == ["5 ████████████████████ 1", "6 ████████████████████████████████████████ 2"]


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (["--level", "3"], 2, "'3' is no level in dBFS from -42 to 0"),
        (["--level", "loud"], 2, "'loud' is no level"),
        (["--times", "0"], 2, "'0' is no whole number above 0"),
        (["--within", "-1"], 2, "'-1' is no number of seconds above 0"),
        (["--rate", "1"], 1, "rate 1 "),
        (["--channels", "999"], 1, "channels 999 "),
        (["--capture", "nosuch"], 1, "nosuch: "),
        (["--report", "/dev/null/a/b"], 1, "/dev/null/a/b: Not a directory"),
    ],
)
def test_nonsense(cli: Cli, card: sim.Card, options: list[str], code: int, complaint: str) -> None:
    card.loop = True
    done = cli("latency", card.device, "--times", "1", *options)
    assert (done.code, done.err.count("\n")) == (code, 1)
    assert complaint in done.err


@pytest.mark.parametrize("channels", [1, 3])
def test_it_hears_with_as_many_channels_as_it_plays_on(cli: Cli, card: sim.Card, channels: int) -> None:
    card.loop = True  # which both must agree for
    done, told = one(cli, card, "--channels", channels)
    assert (done.code, told["runs"][0]["channels"]) == (0, list(range(1, channels + 1)))


def test_without_a_card_the_software_card_hears_itself(cli: Cli) -> None:
    done = cli("latency", "--times", "1", "--json")
    assert (done.code, json.loads(done.out)["device"]) == (0, "sim:alsamm")
