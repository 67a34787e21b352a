"""What files there are, and what becomes of their samples on the way to a card and from it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]

from alsamm import sim
from alsamm.cli.sound import native
from alsamm.enums import Format
from alsamm.wav import FORMATS, Frames, WavReader
from tests.cli.conftest import Cli, noise

WavFile = Callable[..., Path]
FRAMES = 5000
LINEAR = [member for member in Format if member.linear]


@pytest.fixture
def card() -> Iterator[sim.Card]:
    with sim.Card("files", clock="auto") as card:
        yield card


@contextmanager
def standard(number: int, path: Path, flags: int) -> Generator[None]:
    """Standard input (0) or output (1) is a file."""
    kept, opened = os.dup(number), os.open(path, flags, 0o600)
    os.dup2(opened, number)
    try:
        yield
    finally:
        os.dup2(kept, number)
        os.close(kept)
        os.close(opened)


# ---- several files ----


def test_files_of_one_sound_are_played_without_a_gap(cli: Cli, wav: WavFile, card: sim.Card, tmp_path: Path) -> None:
    first, second = wav().rename(tmp_path / "a.wav"), wav(frames=700).rename(tmp_path / "b.wav")
    done = cli("play", first, second, first, "--device", card.device)
    assert (done.code, done.err) == (0, "")
    assert done.out.count("transport:") == 1
    assert done.out.count("file:") == 3
    assert done.told("sent").startswith("10700 frames")
    whole = np.concatenate([noise(Format.S16_LE, 2, frames) for frames in (FRAMES, 700, FRAMES)])
    np.testing.assert_array_equal(card.played()[: len(whole)], whole)


def test_another_sound_is_another_stream(cli: Cli, wav: WavFile, card: sim.Card) -> None:
    done = cli("play", wav(), wav(Format.S32_LE, rate=44_100), "--device", card.device)
    assert (done.code, done.err, done.out.count("xruns:")) == (0, "", 2)
    assert "geometry:   S32_LE, 2 channels, 44100 Hz" in done.out
    np.testing.assert_array_equal(card.played()[:FRAMES], noise(Format.S32_LE, 2, FRAMES))


def test_a_file_that_is_missing_is_missed_before_any_is_played(cli: Cli, wav: WavFile, card: sim.Card) -> None:
    done = cli("play", wav(), "/nonexistent", "--device", card.device)
    assert (done.code, done.out, done.err) == (1, "", "alsamm: /nonexistent: No such file or directory\n")


# ---- what samples become ----


@pytest.mark.parametrize("given", [Format.U8, Format.S16_LE, Format.S24_3LE])
@pytest.mark.parametrize("held", [Format.S32_LE, Format.S24_LE, Format.S24_3LE])
def test_whole_numbers_are_widened_without_loss(cli: Cli, wav: WavFile, given: Format, held: Format) -> None:
    with sim.Card("wide", clock="auto", formats=[held]) as card:
        done = cli("play", wav(given), "--device", card.device)
        played = native(card.played()[:FRAMES], held)
    assert (done.code, done.err) == (0, "")
    sent = native(noise(given, 2, FRAMES), given).astype("i4")
    if given is not Format.S24_3LE:
        sent <<= 16
    np.testing.assert_array_equal(played, sent)
    told = [line for line in done.out.splitlines() if line.startswith("widening:")]
    assert told == ([] if given is held else [f"widening:   {given} widened to {held}; nothing is lost"])


@pytest.mark.parametrize("given", [Format.S32_LE, Format.FLOAT_LE])
def test_nothing_is_rounded_unasked(cli: Cli, wav: WavFile, given: Format) -> None:
    with sim.Card("narrow", clock="auto", formats=["S16_LE"]) as card:
        done = cli("play", wav(given), "--device", card.device)
        assert done.code == 1
        assert f"format {given} cannot be had; the card has S16_LE" in done.err
        assert "; --format converts" in done.err
        done = cli("play", wav(given), "--device", card.device, "--format", "S16_LE")
        assert done.told("converted") == f"{given} converted to S16_LE"
        played = card.played()[:FRAMES]
    sent = native(noise(given, 2, FRAMES), given).astype("f8") / (1 if given.is_float else 1 << 31)
    assert np.abs(played / 32768 - sent).max() <= 0.5001 / 32768 + (sent.max() == 1) / 32768


@pytest.mark.parametrize("sample_format", LINEAR)
def test_bare_samples_arrive_as_they_are(cli: Cli, card: sim.Card, tmp_path: Path, sample_format: Format) -> None:
    sent = noise(sample_format, 3, FRAMES)
    (tmp_path / "raw").write_bytes(sent.tobytes() + b"x" * (sample_format.physical_width > 8))
    like = ("--raw", "--format", str(sample_format), "--channels", "3", "--rate", "8000")
    done = cli("play", tmp_path / "raw", *like, "--device", card.device)
    assert (done.code, done.err) == (0, "")
    assert ("note:" in done.out) == (sample_format.physical_width > 8)
    assert card.played()[:FRAMES].tobytes() == sent.tobytes()


def test_a_part_of_a_file(cli: Cli, wav: WavFile, card: sim.Card) -> None:
    done = cli("play", wav(rate=8_000), "--start", "0.25", "--seconds", "0.125", "--device", card.device)
    assert done.told("sent").startswith("1000 frames")
    played = card.played()
    np.testing.assert_array_equal(played[:1000], noise(Format.S16_LE, 2, FRAMES)[2000:3000])
    assert not played[1000:].any()


# ---- rates and channels ----


def sine(rate: int, frames: int, pitch: float = 1000) -> Frames:
    made: Frames = np.rint(16_000 * np.sin(np.arange(frames) * 2 * np.pi * pitch / rate)).astype("<i2")
    return made


def pitch_of(frames: Frames, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(len(frames))))
    return float(np.argmax(spectrum) * rate / len(frames))


def write_sine(path: Path, rate: int, channels: int = 1) -> None:
    soundfile.write(path, np.repeat(sine(rate, rate)[:, None], channels, axis=1), rate, subtype="PCM_16")


def test_a_rate_is_changed_on_request_only(cli: Cli, tmp_path: Path) -> None:
    write_sine(tmp_path / "a.wav", 22_050)
    with sim.Card("rates", clock="auto", rates=[44_100, 48_000]) as card:
        done = cli("play", tmp_path / "a.wav", "--device", card.device)
        assert done.code == 1
        assert "rate 22050 Hz cannot be had; the card does 44100 to 48000 Hz; --resample converts" in done.err
        done = cli("play", tmp_path / "a.wav", "--device", card.device, "--resample")
        assert done.told("converted") == "22050 Hz resampled to 44100 Hz"
        played = card.played()[:44_100, 0].astype("f8")
    assert done.told("sent").startswith("44100 frames")
    clean = 16_000 * np.sin(np.arange(44_100) * 2 * np.pi * 1000 / 44_100)
    assert np.abs(played - clean)[200:-200].max() < 4


def test_the_cards_rate_can_be_chosen(cli: Cli, card: sim.Card, tmp_path: Path) -> None:
    write_sine(tmp_path / "a.wav", 44_100)
    done = cli("play", tmp_path / "a.wav", "--device", card.device, "--rate", "96000")
    assert done.err == f"alsamm: {tmp_path}/a.wav: its rate is 44100, not 96000; --resample converts it\n"
    done = cli("play", tmp_path / "a.wav", "--device", card.device, "--rate", "96000", "--resample")
    assert (done.code, done.told("geometry")[:27]) == (0, "S16_LE, 1 channel, 96000 Hz")
    assert abs(pitch_of(card.played()[:96_000, 0], 96_000) - 1000) < 2


def test_resampling_needs_soxr(cli: Cli, wav: WavFile, card: sim.Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soxr", None)
    done = cli("play", wav(), "--resample", "--device", card.device)
    assert (done.code, done.err) == (1, "alsamm: --resample needs soxr: pip install 'alsamm[resample]'\n")


def test_channels_are_mixed_on_request_only(cli: Cli, wav: WavFile, card: sim.Card) -> None:
    sent = noise(Format.S16_LE, 2, FRAMES)
    done = cli("play", wav(), "--channels", "1", "--device", card.device)
    assert (done.code, done.err.endswith("its channels is 2, not 1; --mix converts it\n")) == (1, True)
    done = cli("play", wav(), "--channels", "1", "--mix", "--device", card.device)
    assert done.told("converted") == "2 channels mixed to 1 channel"
    np.testing.assert_array_equal(card.played()[:FRAMES], np.rint(sent.mean(axis=1, keepdims=True)))
    cli("play", wav(), "--channels", "4", "--mix", "--device", card.device)
    np.testing.assert_array_equal(card.played()[:FRAMES, :2], sent)
    assert not card.played()[:, 2:].any()
    done = cli("play", wav(channels=6), "--channels", "2", "--mix", "--device", card.device)
    assert done.code == 0
    np.testing.assert_array_equal(card.played()[:FRAMES], noise(Format.S16_LE, 6, FRAMES)[:, :2])


def test_mixing_goes_to_what_the_card_has(cli: Cli, wav: WavFile) -> None:
    with sim.Card("eight", clock="auto", channels=8) as card:
        done = cli("play", wav(), "--device", card.device)
        assert "channels 2 cannot be had; the card does 8" in done.err
        assert "; --mix copies or mixes" in done.err
        assert cli("play", wav(), "--mix", "--device", card.device).code == 0
        assert card.played().shape[1] == 8


# ---- other files ----


@pytest.mark.parametrize(
    ("ending", "subtype", "kept"),
    [
        ("flac", "PCM_16", Format.S16_LE),
        ("flac", "PCM_24", Format.S32_LE),
        ("aiff", "PCM_16", Format.S16_LE),
        ("w64", "PCM_32", Format.S32_LE),
        ("caf", "FLOAT", Format.FLOAT_LE),
        ("au", "DOUBLE", Format.FLOAT64_LE),
    ],
)
def test_other_files_are_played_sample_for_sample(
    cli: Cli, card: sim.Card, tmp_path: Path, *, ending: str, subtype: str, kept: Format
) -> None:
    sent = noise(kept, 2, FRAMES)
    if subtype == "PCM_24":
        sent = sent & ~0xFF
    soundfile.write(tmp_path / f"a.{ending}", sent, 44_100, subtype=subtype)
    done = cli("play", tmp_path / f"a.{ending}", "--device", card.device)
    assert (done.code, done.err, done.told("geometry")[:8].split(",")[0]) == (0, "", str(kept)[:8])
    np.testing.assert_array_equal(card.played()[:FRAMES], sent)


@pytest.mark.parametrize("held", [Format.S24_LE, Format.S24_3LE])
def test_24_bits_of_flac_fit_24_bits_of_a_card(cli: Cli, tmp_path: Path, held: Format) -> None:
    sent = noise(Format.S32_LE, 2, FRAMES) & ~0xFF
    soundfile.write(tmp_path / "a.flac", sent, 48_000, subtype="PCM_24")
    with sim.Card("held", clock="auto", formats=[held]) as card:
        assert cli("play", tmp_path / "a.flac", "--device", card.device).code == 0
        np.testing.assert_array_equal(native(card.played()[:FRAMES], held), sent)


def test_32_bits_are_not_played_in_a_stream_that_was_made_for_24(cli: Cli, wav: WavFile, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", noise(Format.S32_LE, 2, FRAMES) & ~0xFF, 48_000, subtype="PCM_24")
    with sim.Card("both", clock="auto", formats=["S24_LE"]) as card:
        done = cli("play", tmp_path / "a.flac", wav(Format.S32_LE), "--device", card.device)
    assert (done.code, "format S32_LE cannot be had; the card has S24_LE" in done.err) == (1, True)


def test_lossy_files_are_played(cli: Cli, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.ogg", sine(48_000, 48_000), 48_000)
    with sim.Card("lossy", clock="auto", formats=["S16_LE"], channels=2) as card:
        done = cli("play", tmp_path / "a.ogg", "--device", card.device)
        assert (done.code, done.err) == (0, "")
        assert done.told("converted") == "FLOAT_LE decoded to S16_LE, mono copied to 2 channels"
        assert abs(pitch_of(card.played()[:48_000, 1], 48_000) - 1000) < 2


def test_without_soundfile_wav_is_what_there_is(
    cli: Cli, wav: WavFile, card: sim.Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "a.flac", noise(Format.S16_LE, 2, FRAMES), 48_000)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    helps = "other sound files need soundfile: pip install 'alsamm[cli]'\n"
    done = cli("play", tmp_path / "a.flac", "--device", card.device)
    assert (done.code, done.err) == (1, f"alsamm: {tmp_path}/a.flac: no WAV file; {helps}")
    done = cli("record", tmp_path / "b.flac", "--seconds", "0.1", "--device", card.device)
    assert (done.code, done.err.endswith(helps), (tmp_path / "b.flac").exists()) == (1, True, False)
    assert cli("play", wav(), "--device", card.device).code == 0


@pytest.mark.parametrize("ending", ["flac", "ogg"])
def test_a_file_that_is_broken(cli: Cli, card: sim.Card, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, noise(Format.S16_LE, 2, 50_000), 48_000)
    path.write_bytes(path.read_bytes()[:20_000])
    done = cli("play", path, "--device", card.device)
    assert (done.code, "sent:" in done.out) in ((0, True), (1, False))  # an OGG file does not tell how long it was
    assert done.err.count("\n") == done.code
    path.write_bytes(path.read_bytes()[:30])
    done = cli("play", path, "--device", card.device)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert done.err.startswith(f"alsamm: {path}: no WAV file, and soundfile says: ")


@pytest.mark.parametrize(
    ("ending", "sample_format"),
    [
        ("flac", Format.S16_LE),
        ("flac", Format.S24_3LE),
        ("flac", Format.S24_LE),
        ("aiff", Format.S32_LE),
        ("caf", Format.FLOAT_LE),
        ("w64", Format.FLOAT64_LE),
    ],
)
def test_other_files_are_recorded_sample_for_sample(
    cli: Cli, card: sim.Card, tmp_path: Path, ending: str, sample_format: Format
) -> None:
    heard = noise(sample_format, 2, 4800)
    card.feed(heard)
    path = tmp_path / f"a.{ending}"
    done = cli("record", path, "--seconds", "0.1", "--format", str(sample_format), "--device", card.device)
    assert (done.code, done.err, done.told("recorded")) == (0, "", "4800 frames, 0.10 s")
    wanted = native(heard, sample_format)
    take, rate = soundfile.read(path, dtype=wanted.dtype.name)
    assert rate == 48_000
    np.testing.assert_array_equal(take, wanted)


@pytest.mark.parametrize("ending", ["ogg", "opus", "mp3"])
def test_lossy_files_are_recorded(cli: Cli, card: sim.Card, tmp_path: Path, ending: str) -> None:
    card.feed(np.repeat(sine(48_000, 48_000)[:, None], 2, axis=1))
    done = cli("record", tmp_path / f"a.{ending}", "--seconds", "1", "--device", card.device)
    assert (done.code, done.err) == (0, "")
    take, rate = soundfile.read(tmp_path / f"a.{ending}")
    assert abs(pitch_of(take[:, 0], rate) - 1000) < 3
    loud = np.sqrt(np.mean(take[len(take) // 4 : len(take) // 2] ** 2))
    assert 0.33 < loud < 0.36  # 16000 of 32768, as RMS; at their ends codecs overshoot
    assert abs(len(take) / rate - 1) < 0.1


def test_what_a_file_cannot_keep(cli: Cli, card: sim.Card, tmp_path: Path) -> None:
    done = cli("record", tmp_path / "a.flac", "--format", "FLOAT_LE", "--device", card.device)
    complaint = "a FLAC file cannot keep FLOAT_LE samples; it can S16_LE, S24_3LE, S24_LE"
    assert (done.code, done.err) == (1, f"alsamm: {complaint}\n")
    done = cli("record", tmp_path / "a.opus", "--rate", "44100", "--seconds", "1", "--device", card.device)
    assert (done.code, done.err.count("\n"), (tmp_path / "a.opus").exists()) == (1, 1, False)
    assert "soundfile cannot keep S16_LE, 2 channels, 44100 Hz in it" in done.err


def test_recording_at_another_rate_and_mixed(cli: Cli, tmp_path: Path) -> None:
    with sim.Card("take", clock="auto", rates=[48_000], channels=2) as card:
        card.feed(np.repeat(sine(48_000, 48_000)[:, None], 2, axis=1))
        like = ("--seconds", "1", "--rate", "16000", "--channels", "1")
        done = cli("record", tmp_path / "a.wav", *like, "--device", card.device)
        assert "rate 16000 Hz cannot be had; the card does 48000 Hz; --resample converts" in done.err
        done = cli("record", tmp_path / "a.wav", *like, "--resample", "--mix", "--device", card.device)
    assert (done.code, done.told("recorded")) == (0, "16000 frames, 1.00 s")
    with WavReader(tmp_path / "a.wav") as file:
        assert (file.format, file.channels, file.rate) == (Format.S16_LE, 1, 16_000)
        take = file.read_all()[:, 0].astype("f8")
    assert np.abs(take - 16_000 * np.sin(np.arange(16_000) * 2 * np.pi / 16))[200:-200].max() < 4


# ---- standard input and output ----


@pytest.mark.parametrize("sample_format", FORMATS)
def test_wav_from_standard_input(cli: Cli, wav: WavFile, card: sim.Card, sample_format: Format) -> None:
    with standard(0, wav(sample_format), os.O_RDONLY):
        done = cli("play", "-", "--device", card.device)
    assert (done.code, done.err) == (0, "")
    assert done.told("file").startswith("standard input (")
    np.testing.assert_array_equal(card.played()[:FRAMES], noise(sample_format, 2, FRAMES))


def test_no_sound_from_standard_input(cli: Cli, card: sim.Card, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no sound at all")
    with standard(0, tmp_path / "text", os.O_RDONLY):
        done = cli("play", "-", "--device", card.device)
    assert (done.code, done.err) == (1, "alsamm: standard input: no WAV file; --raw is for samples without a header\n")


@pytest.mark.parametrize("raw", [True, False])
def test_to_standard_output(cli: Cli, card: sim.Card, tmp_path: Path, raw: bool) -> None:
    heard = noise(Format.S16_LE, 2, 4800)
    card.feed(heard)
    with standard(1, tmp_path / "out", os.O_WRONLY | os.O_CREAT):
        done = cli("record", "-", "--seconds", "0.1", *(["--raw"] if raw else []), "--device", card.device)
    assert (done.code, done.out) == (0, "")
    assert "recorded:   4800 frames" in done.err  # the report makes room for the sound
    if raw:
        assert (tmp_path / "out").read_bytes() == heard.tobytes()
        return
    with WavReader(tmp_path / "out") as file:
        assert file.promised is None  # as a stream's
        np.testing.assert_array_equal(file.read_all(), heard)


def test_a_terminal_is_no_place_for_sound(cli: Cli, card: sim.Card) -> None:
    leader, terminal = os.openpty()
    with standard(1, Path(os.ttyname(terminal)), os.O_WRONLY):
        done = cli("record", "-", "--quiet", "--seconds", "0.1", "--device", card.device)
    os.close(leader)
    os.close(terminal)
    assert (done.code, done.err.startswith("alsamm: sound is not for a terminal")) == (1, True)


def test_quiet_says_nothing(cli: Cli, wav: WavFile, card: sim.Card, tmp_path: Path) -> None:
    for command in (("play", wav()), ("record", tmp_path / "a.wav", "--seconds", "0.1"), ("tone", "--seconds", "0.1")):
        done: Any = cli(*command, "--quiet", "--device", card.device)
        assert (done.code, done.out, done.err) == (0, "", "")
