"""play and demo: what arrives at the card is the file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alsamm import sim
from alsamm.cli import demo
from alsamm.enums import Access, Format
from alsamm.wav import FORMATS, Frames, WavWriter
from tests.cli.conftest import Cli, noise, started

WavFile = Callable[..., Path]
MakeCard = Callable[..., sim.Card]


@pytest.fixture
def make_card() -> Iterator[MakeCard]:
    cards: list[sim.Card] = []

    def make(**options: Any) -> sim.Card:
        cards.append(sim.Card("cli", clock="auto", **options))
        return cards[-1]

    yield make
    for card in cards:
        card.close()


@pytest.mark.parametrize("sync_ptr", [[], ["--sync-ptr"]], ids=["own", "forced"])
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("sample_format", FORMATS)
def test_every_kind_of_file_arrives(
    cli: Cli, wav: WavFile, make_card: MakeCard, *, sample_format: Format, channels: int, sync_ptr: list[str]
) -> None:
    card = make_card()
    done = cli("play", wav(sample_format, channels, frames=40_000), "--device", card.device, *sync_ptr)
    assert (done.code, done.err) == (0, "")
    assert done.told("transport") == ("SYNC_PTR" if sync_ptr else "mapped")
    assert done.told("sent").startswith("40000 frames")
    assert done.told("xruns") == "0"
    np.testing.assert_array_equal(card.played()[:40_000], noise(sample_format, channels, 40_000))


@pytest.mark.parametrize("sample_format", [Format.U8, Format.S16_LE, Format.S24_3LE, Format.FLOAT_LE])
def test_a_file_ends_with_silence(cli: Cli, wav: WavFile, make_card: MakeCard, sample_format: Format) -> None:
    card = make_card()
    cli("play", wav(sample_format), "--device", card.device)
    after = card.played()[5000:]
    assert len(after) >= 4800
    assert after.tobytes() == sample_format.silence * after.shape[0] * 2


@pytest.mark.parametrize(
    ("options", "transport"),
    [
        ({"refuse_control": True}, "status mapped, control SYNC_PTR"),
        ({"refuse_status": True, "refuse_control": True}, "SYNC_PTR"),
        ({"accesses": [Access.MMAP_NONINTERLEAVED]}, "mapped"),
        ({"accesses": [Access.RW_INTERLEAVED]}, "read/write calls"),
    ],
)
def test_it_goes_by_what_the_card_allows(
    cli: Cli, wav: WavFile, make_card: MakeCard, options: dict[str, Any], transport: str
) -> None:
    card = make_card(**options)
    done = cli("play", wav(), "--device", card.device)
    assert (done.code, done.told("transport")) == (0, transport)
    np.testing.assert_array_equal(card.played()[:5000], noise(Format.S16_LE, 2, 5000))


def test_sizes_are_exact(cli: Cli, wav: WavFile) -> None:
    done = cli("play", wav(), "--device", "sim:", "--period", "100", "--buffer", "400")
    assert (done.code, done.told("geometry")) == (0, "S16_LE, 2 channels, 48000 Hz; period 100, buffer 400 frames")


def test_mono_is_copied_to_both_channels_where_it_must(cli: Cli, wav: WavFile, make_card: MakeCard) -> None:
    card = make_card(channels=2)
    done = cli("play", wav(channels=1), "--device", card.device)
    assert done.told("widening") == "mono copied to 2 channels; nothing is lost"
    np.testing.assert_array_equal(card.played()[:5000], np.repeat(noise(Format.S16_LE, 1, 5000), 2, axis=1))


@pytest.mark.parametrize("wider", [Format.S32_LE, Format.S24_LE])
def test_packed_samples_are_widened_where_they_must(cli: Cli, wav: WavFile, make_card: MakeCard, wider: Format) -> None:
    card = make_card(formats=[wider])
    done = cli("play", wav(Format.S24_3LE, 1), "--device", card.device)
    assert done.told("widening") == f"S24_3LE widened to {wider}; nothing is lost"
    octets = noise(Format.S24_3LE, 1, 5000).astype("<i4")
    values = octets[..., 0] | octets[..., 1] << 8 | octets[..., 2] << 16
    values = (values ^ 0x800000) - 0x800000
    np.testing.assert_array_equal(card.played()[:5000], values << 8 if wider is Format.S32_LE else values)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"rates": [44_100]}, "rate 48000 Hz cannot be had; the card does 44100"),
        ({"channels": 4}, "channels 2 cannot be had; the card does 4"),
        ({"formats": [Format.FLOAT_LE, Format.U8]}, "format S16_LE cannot be had; the card has U8, FLOAT_LE"),
        ({"accesses": [Access.RW_NONINTERLEAVED]}, "MMAP_INTERLEAVED cannot be had; the card has RW_NONINTERLEAVED"),
    ],
)
def test_what_the_card_cannot_do_is_refused_in_one_line(
    cli: Cli, wav: WavFile, make_card: MakeCard, options: dict[str, Any], complaint: str
) -> None:
    done = cli("play", wav(), "--device", make_card(**options).device)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert done.err.startswith("alsamm: sim:cli: ")
    assert complaint in done.err


def test_a_truncated_file_is_played_and_told(cli: Cli, wav: WavFile, make_card: MakeCard) -> None:
    card, path = make_card(), wav()
    path.write_bytes(path.read_bytes()[:-999])
    done = cli("play", path, "--device", card.device)
    assert done.code == 0
    assert done.told("note").endswith("its header tells of 5000 frames, 4750 are there")
    np.testing.assert_array_equal(card.played()[:4750], noise(Format.S16_LE, 2, 5000)[:4750])


def test_alsa_lib_plays_what_has_no_ring(cli: Cli, wav: WavFile) -> None:
    done = cli("play", wav(), "--device", "null")
    assert (done.code, done.told("transport")) == (0, "alsa-lib")
    assert done.told("sent").startswith("5000 frames")
    assert cli("play", wav(), "--device", "null", "--sync-ptr").code == 1


def test_xruns_are_counted_and_played_on(cli: Cli, wav: WavFile, tmp_path: Path) -> None:
    """A pipe that pauses for longer than the ring lasts."""
    whole = wav(frames=19_200).read_bytes()
    os.mkfifo(tmp_path / "pipe")

    def dribble() -> None:
        with (tmp_path / "pipe").open("wb", buffering=0) as pipe:
            pipe.write(whole[: len(whole) // 2])
            time.sleep(0.5)
            pipe.write(whole[len(whole) // 2 :])

    feeder = threading.Thread(target=dribble)
    feeder.start()
    with sim.Card("dry", clock="realtime") as card:
        done = cli("play", tmp_path / "pipe", "--device", card.device, "--period", "512", "--buffer", "4096")
        played = card.played().tobytes()
    feeder.join()
    assert (done.code, done.err) == (0, "")
    xruns = int(done.told("xruns"))
    assert xruns >= 1  # more where the machine is slow
    assert done.told("sent").startswith("19200 frames")
    sent = noise(Format.S16_LE, 2, 19_200).tobytes()
    pieces = at = 0
    while sent:  # all of it was heard, in order, in as many pieces as the silence of the xruns makes
        low, high = 0, len(sent) // 4
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if played.find(sent[: 4 * middle], at) >= 0 else (low, middle - 1)
        assert low
        at = played.find(sent[: 4 * low], at) + 4 * low
        sent = sent[4 * low :]
        pieces += 1
    assert 2 <= pieces <= xruns + 1


def test_ctrl_c_stops_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    command = [sys.executable, "-m", "alsamm", "play", str(tmp_path / "pipe"), "--device", "sim:"]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        with WavWriter(tmp_path / "endless.wav", Format.S16_LE, 1, 48_000) as file:
            file.write(bytes(200_000))
        header = (tmp_path / "endless.wav").read_bytes()[:40] + b"\xff" * 4
        with (tmp_path / "pipe").open("wb") as pipe:
            pipe.write(header + bytes(200_000))
            pipe.flush()
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")


def test_demo_proves_that_the_frames_arrived(cli: Cli, wav: WavFile) -> None:
    done = cli("demo", wav(frames=100_000))
    assert (done.code, done.err) == (0, "")
    assert done.told("equal").startswith("yes")
    assert done.told("arrived").startswith("100000 frames")


def test_demo_of_no_frames(cli: Cli, wav: WavFile) -> None:
    assert cli("demo", wav(frames=0)).told("equal").startswith("yes")


def test_demo_fails_when_they_did_not(
    cli: Cli, wav: WavFile, make_card: MakeCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = make_card()

    def one_frame_short(_: sim.Card) -> Frames:
        return noise(Format.S16_LE, 2, 4999)

    monkeypatch.setattr(sim.Card, "played", one_frame_short)
    done = cli("demo", wav(), "--device", card.device)
    assert (done.code, done.told("equal")) == (1, "no")


def test_demo_needs_a_ring(cli: Cli, wav: WavFile) -> None:
    done = cli("demo", wav(), "--device", "null")
    assert done.code == 1
    assert "can be mapped" in done.err


def test_find_looks_for_whole_frames() -> None:
    heard = np.array([[0, 1], [2, 1], [2, 3]], "<i2")
    assert demo.find(heard, heard[1:]) == 1
    assert demo.find(heard, np.array([[1, 2]], "<i2")) is None
