"""alsamm.testing and its pytest plugin: inner pytest runs that pass, and that fail saying why."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim, testing
from alsamm.enums import Format

pytest_plugins = ["pytester"]

# In a process of its own: as a user runs it, with the plugin by its entry point.
INNER = """
    import numpy as np
    import pytest
    import alsamm
    from alsamm import testing
    RAMP = np.arange(1, 1001, dtype="i2")

    def player(samples, device="default"):
        with alsamm.playback(device, rate=48_000, channels=1, period_size=64, buffer_size=256) as out:
            out.write(samples)
"""


def run(pytester: pytest.Pytester, tests: str, *options: str) -> pytest.RunResult:
    indent = "    "
    pytester.makepyfile(INNER + indent + tests.strip("\n").replace("\n", "\n" + indent))
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "--strict-markers", "-W", "error", *options)


# ---- with pytest ----


def test_a_users_tests_pass(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.alsa_card(stands_in_for=["default", "hw:0"], refuse_control=True)
def test_the_code_as_it_is(alsa_card):
    player(RAMP)
    testing.assert_played(alsa_card, RAMP)
    testing.assert_no_xruns(alsa_card)
    with alsamm.playback("hw:0") as out:
        assert "SYNC_PTR" in out.transport

def test_one_after_the_other(alsa_card):
    with pytest.raises(alsamm.DeviceNotFoundError):
        player(RAMP)                                  # the card of the other test stands in no more
    player(RAMP, alsa_card.device)
    testing.assert_played(alsa_card, RAMP, start=0)

def test_two_cards_and_what_is_recorded(make_alsa_card):
    first, second = make_alsa_card(), make_alsa_card(name="mine", clock="manual", rates=[44_100])
    assert second.device == "sim:mine"
    with alsamm.capture(first.device, channels=1) as mic:
        first.feed(testing.tone(1_000, 4_800))
        assert testing.frequency_of(mic.read(4_800)[:, 0], mic.rate) == pytest.approx(1_000, abs=0.1)
    with pytest.raises(alsamm.ParameterError, match="44100"):
        player(RAMP, second.device)

def test_faults(alsa_card):
    with alsamm.playback(alsa_card.device, channels=1, period_size=64, buffer_size=256) as out:
        out.write(RAMP)
        alsa_card.xrun()
        out.write(RAMP)
        assert out.stats.xruns == 1
        alsa_card.unplug()
        with pytest.raises(alsamm.DeviceLostError):
            out.write(RAMP)
""",
    )
    result.assert_outcomes(passed=4)


def test_what_a_users_failing_tests_say(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.alsa_card(stands_in_for=["default"])
def test_lost(alsa_card):
    player(np.delete(RAMP, slice(300, 364)))
    testing.assert_played(alsa_card, RAMP)

def test_xrun(alsa_card):
    with alsamm.playback(alsa_card.device, channels=1, period_size=64, buffer_size=256) as out:
        out.write(RAMP)
        alsa_card.advance(256)
        out.write(RAMP)
    testing.assert_no_xruns(alsa_card)
""",
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            ">   * testing.assert_played(alsa_card, RAMP)",
            "E  *AssertionError: sim:test* did not play what was expected",
            "E *frame 300 of 1000 (frame 300 of what was played), channel 0: expected 301, played 365",
            "E *of 1000 frames differ: the first is 300, the last *",
            "E *from there on 64 frames are missing",
            "E  *frame *expected *played *(channel 0)",
            "E  *299  *300  *300",
            "E *> *300  *301  *365",
            "E  *AssertionError: sim:test* had xruns: 1 in playback",
        ]
    )
    assert "difference.py" not in result.stdout.str(), "the traceback ends in the user's own test"


def test_wrong_options_fail_that_test_and_no_other(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.alsa_card(colour="red")
def test_wrong(alsa_card):
    pass

def test_right(alsa_card):
    pass
""",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["E *unexpected keyword argument 'colour'"])


def test_a_run_without_cards_imports_nothing(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither numpy nor the C module, whose libasound may be missing on that machine."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # others may need numpy
    pytester.makepyfile(
        """
        import sys

        def test_nothing_of_ours():
            assert "_alsamm_pytest" in sys.modules
            assert not {"alsamm", "numpy"} & set(sys.modules)
        """
    )
    pytester.runpytest_subprocess("-W", "error", "-p", "_alsamm_pytest").assert_outcomes(passed=1)


def test_pytest_may_start_after_alsamm_was_imported(pytester: pytest.Pytester) -> None:
    """It marks the packages of plugins for rewriting, and warns of one that it comes too late for."""
    code = (
        "import alsamm, sys\n"
        "from _pytest.assertion.rewrite import AssertionRewriter as A\n"
        "sys.exit(not A.is_rewrite_disabled(alsamm.__doc__))"
    )
    assert pytester.runpython_c(code).ret == 0


def test_the_fixtures_are_documented(pytester: pytest.Pytester) -> None:
    shown = pytester.runpytest_subprocess("--fixtures").stdout.str()
    assert "An alsamm sound card in software (alsamm.sim.Card)" in shown
    assert "A function that makes alsamm sound cards in software" in shown
    assert "alsa_card(**options): options of alsamm.sim.Card" in pytester.runpytest_subprocess("--markers").stdout.str()


def test_without_pytest(tmp_path: Path) -> None:
    """Any other runner has the cards and the assertions too, and pytest is not needed to import them."""
    (tmp_path / "mine.py").write_text(
        "import sys; sys.modules['pytest'] = None\n"
        "import alsamm, numpy as np\n"
        "from alsamm import testing\n"
        "with testing.making_cards() as make:\n"
        "    card = make()\n"
        "    with alsamm.playback(card.device, channels=1) as out: out.write(np.ones(9, 'i2'))\n"
        "    testing.assert_played(card, np.ones(9, 'i2'))\n"
        "print(card)\n"
    )
    done = subprocess.run([sys.executable, tmp_path / "mine.py"], capture_output=True, text=True, check=True)
    assert "closed" in done.stdout


# ---- what is compared ----


def play(samples: Any, *, format: str = "S16_LE", channels: int = 1, dtype: str | None = None, lead: int = 0) -> Any:  # noqa: A002
    """A card that played ``lead`` frames of silence and the samples; it is closed with its test."""
    card = sim.Card(f"played{len(KEPT)}", clock="auto")
    KEPT.append(card)
    wishes: dict[str, Any] = {"format": format, "channels": channels, "period_size": 64, "buffer_size": 256}
    with alsamm.playback(card.device, dtype=dtype, **wishes) as out:
        if lead:
            shape = (lead, *np.shape(samples)[1:])
            quiet = np.frombuffer(out.array_format.silence, out.dtype)[0] if out.dtype.base == out.dtype else 0
            out.write(np.full(shape, quiet, out.dtype.base))
        out.write(samples)
    return card


KEPT: list[sim.Card] = []


@pytest.fixture(autouse=True)
def cards_end() -> Iterator[None]:
    yield
    while KEPT:
        KEPT.pop().close()


RAMP = np.arange(1, 501, dtype="i2")


def fails(card: Any, expected: Any, **options: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        testing.assert_played(card, expected, **options)
    return str(caught.value)


@pytest.mark.parametrize("lead", [0, 1, 77])
def test_where_it_begins_is_found_or_told(lead: int) -> None:
    card = play(RAMP, lead=lead)
    testing.assert_played(card, RAMP)
    testing.assert_played(card, RAMP, start=lead)
    testing.assert_played(card, np.concatenate([np.zeros(lead, "i2"), RAMP]))
    testing.assert_silent(card, 0, lead)
    testing.assert_silent(card, lead + 500)
    assert "frame 0 of 500" in fails(card, RAMP, start=lead + 1)


@pytest.mark.parametrize(
    ("played", "said"),
    [
        (np.delete(RAMP, slice(99, 109)), "frame 99 of 500 (frame 99 of what was played), channel 0: expected 100, "),
        (np.delete(RAMP, slice(99, 109)), "from there on 10 frames are missing"),
        (np.insert(RAMP, 200, RAMP[100:200]), "from there on 100 frames are heard again"),
        (np.insert(RAMP, 200, np.zeros(33, "i2")), "from there on 33 frames of silence were played\n"),
        (np.insert(np.delete(RAMP, slice(99, 109)), 99, np.zeros(5, "i2")), "5 frames of silence were played, and 10"),
        (np.where(np.arange(500) == 250, -RAMP, RAMP), "1 of 500 frames differ: the first is 250, the last 250"),
        (
            np.append(RAMP, [0, 0, 5]).astype("i2"),
            "1 frames are no silence behind what was expected: the first is frame 50",
        ),
        (np.insert(RAMP, 0, [9, 0]).astype("i2"), "frame 0 of 500"),
        (np.zeros(5, "i2"), "frame 0 of 500"),
    ],
)
def test_what_is_said(played: Any, said: str) -> None:
    assert said in fails(play(played), RAMP)


def test_what_lies_around_need_not_matter() -> None:
    card = play(np.concatenate([[7], RAMP, [9]]).astype("i2"))
    testing.assert_played(card, RAMP, start=1, silence=False)
    assert "before what was expected" in fails(card, RAMP, start=1)
    assert "1 frames are no silence where silence was expected" in silent_fails(card, 501)


def silent_fails(card: Any, start: int) -> str:
    with pytest.raises(AssertionError) as caught:
        testing.assert_silent(card, start)
    return str(caught.value)


def test_too_short() -> None:
    card = play(RAMP)
    assert "frames were played; those are as expected" in fails(card, np.append(RAMP, np.zeros(4096, "i2")))


def test_tolerance() -> None:
    card = play(RAMP)
    testing.assert_played(card, RAMP + np.int16(2), tolerance=2)
    assert "500 of 500 frames differ" in fails(card, RAMP + np.int16(2), tolerance=1, start=0)
    assert "nan" in fails(card, np.full(500, np.nan), start=0)


@pytest.mark.parametrize(
    "own", ["S16_LE", "S24_3LE", "S24_LE", "S32_LE", "S32_BE", "FLOAT_LE", "FLOAT64_LE", "S8", "U8"]
)
def test_floats_on_any_card(own: str) -> None:
    """What a program handed over as floats is found on any card, and what it did not is not."""
    sound = testing.tone(441, 3_000, channels=2, level=-1.0, dtype="f4")
    card = play(sound, format=own, channels=2, dtype="f4", lead=10)
    testing.assert_played(card, sound)
    testing.assert_tone(card, 441, level=-1.0)
    step = 2.0 ** (1 - min(24, Format.of(own).width))
    sound[1_000, 1] += 3 * step
    assert "frame 1000 of 3000 (frame 1010 of what was played), channel 1" in fails(card, sound, start=10)


@pytest.mark.parametrize("own", ["S16_BE", "U8", "S24_3LE", "U24_3BE", "S20_3LE", "FLOAT_LE"])
def test_samples_of_the_cards_own(own: str) -> None:
    kind = Format.of(own)
    noise = np.random.default_rng(1).integers(1, 100, (300, 2, *kind.dtype.shape)).astype(kind.dtype.base)
    card = play(noise, format=own, channels=2)
    testing.assert_played(card, noise)
    noise[150, 1] += 1
    assert "frame 150 of 300" in fails(card, noise)


def test_another_integer_is_a_fraction_of_full_scale() -> None:
    card = play(RAMP, format="S32_LE", dtype="i2")
    testing.assert_played(card, RAMP)
    testing.assert_played(card, RAMP.astype("i4") << 16)


@pytest.mark.parametrize(
    ("expected", "said"), [(np.zeros((5, 3), "i2"), "played 1 channels of S16_LE"), (np.zeros(5, "u2"), "is of uint16")]
)
def test_what_cannot_be_compared(expected: Any, said: str) -> None:
    with pytest.raises(alsamm.ArgumentError, match=said):
        testing.assert_played(play(RAMP), expected)


# ---- tones ----


@pytest.mark.parametrize("frequency", [50.0, 440.0, 997.3, 15_000.0])
def test_frequency_and_level(frequency: float) -> None:
    sound = testing.tone(frequency, 9_600, level=-12.0)
    assert testing.frequency_of(sound[:, 0], 48_000) == pytest.approx(frequency, abs=0.05)
    assert testing.level_of(sound) == pytest.approx(-12.0, abs=0.05)


def test_what_is_no_tone() -> None:
    assert testing.level_of(np.zeros(0)) == testing.level_of(np.zeros(99, "i2")) == -np.inf
    assert testing.frequency_of(np.zeros(99), 48_000) == 0.0
    for wrong in (np.zeros((9, 2)), np.zeros(1)):
        with pytest.raises(alsamm.ArgumentError, match="one channel"):
            testing.frequency_of(wrong, 48_000)
    with pytest.raises(alsamm.ArgumentError, match="a float or a signed integer"):
        testing.tone(440, 9, dtype="u1")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"frequency": 450}, "channel 0: 440.0. Hz at -6.0 dBFS; expected 450 Hz .within 1 Hz."),
        ({"frequency": 440, "level": -9}, "expected 440 Hz .within 1 Hz. at -9.0 dBFS .within 0.5 dB."),
        ({"frequency": 440, "start": 9_000}, "played no tone: 0 frames"),
    ],
)
def test_another_tone(asked: dict[str, Any], said: str) -> None:
    card = play(testing.tone(440, 4_800))
    testing.assert_tone(card, 440, level=-6, channel=0)
    with pytest.raises(AssertionError, match=said):
        testing.assert_tone(card, **asked)


# ---- standing in ----


def test_a_card_stands_in_while_it_lives() -> None:
    def opens() -> bool:
        try:
            alsamm.PCM("hw:CARD=none,DEV=3", "playback").close()
        except alsamm.DeviceNotFoundError:
            return False
        return True

    card = sim.Card("stand", stands_in_for=("hw:CARD=none,DEV=3", "none"))
    assert opens()
    with alsamm.PCM("none", "capture") as pcm:
        assert (pcm.name, pcm.is_kernel) == ("none", True)
    with pytest.raises(alsamm.ArgumentError, match="stands in for 'none' already"):
        sim.Card("other", stands_in_for=["none"])
    with pytest.raises(alsamm.DeviceNotFoundError, match="sim:stand"):
        alsamm.PCM("sim:other", "playback")
    card.close()
    assert not opens()
    card = sim.Card("stand", stands_in_for=["hw:CARD=none,DEV=3"])
    assert opens()
    del card
    assert not opens()


@pytest.mark.parametrize("names", ["default", [""], ["a\0b"], ["sim:x"], [0]])
def test_names_that_cannot_be_stood_in_for(names: Any) -> None:
    with pytest.raises(alsamm.AlsaError, match="stands_in_for"):
        sim.Card("stand", stands_in_for=names)
    sim.Card("stand").close()
