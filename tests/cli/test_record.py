"""record: a file that is valid whenever one looks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from alsamm import sim
from alsamm.enums import Access, Format
from alsamm.wav import FORMATS, Frames, WavReader, WavWriter
from tests.cli.conftest import Cli, noise, started


@pytest.fixture
def card() -> Iterator[sim.Card]:
    with sim.Card("mic", clock="auto") as card:
        yield card


@pytest.mark.parametrize("sync_ptr", [[], ["--sync-ptr"]], ids=["own", "forced"])
@pytest.mark.parametrize("sample_format", [*FORMATS, Format.S24_LE])
def test_what_is_heard_is_what_is_kept(
    cli: Cli, card: sim.Card, tmp_path: Path, sample_format: Format, sync_ptr: list[str]
) -> None:
    heard = noise(sample_format, 3, 30_000)
    card.feed(heard)
    path = tmp_path / "take.wav"
    like = ("--format", str(sample_format).lower(), "--channels", "3", "--rate", "32000")
    done = cli("record", path, "--seconds", "1", "--device", card.device, *like, *sync_ptr)
    assert (done.code, done.err) == (0, "")
    assert done.told("recorded") == "32000 frames, 1.00 s"
    with WavReader(path) as file:
        kept = Format.S24_3LE if sample_format is Format.S24_LE else sample_format
        assert (file.format, file.channels, file.rate, file.promised) == (kept, 3, 32_000, 32_000)
        take = file.read_all()
    if sample_format is Format.S24_LE:
        heard = heard.view("u1").reshape(30_000, 3, 4)[..., :3]
    np.testing.assert_array_equal(take[:30_000], heard)


def test_by_calls_where_there_is_no_ring(cli: Cli, tmp_path: Path) -> None:
    heard = noise(Format.S16_LE, 2, 4000)
    with sim.Card("calls", clock="auto", accesses=[Access.RW_INTERLEAVED]) as card:
        card.feed(heard)
        done = cli("record", tmp_path / "a.wav", "--seconds", "0.1", "--device", card.device)
    assert (done.code, done.told("transport")) == (0, "read/write calls")
    with WavReader(tmp_path / "a.wav") as file:
        np.testing.assert_array_equal(file.read_all()[:4000], heard)


def test_what_nobody_asked_for_is_what_the_card_can_do(cli: Cli, tmp_path: Path) -> None:
    with sim.Card("odd", clock="auto", formats=[Format.S32_LE], channels=4, rates=[44_100]) as card:
        done = cli("record", tmp_path / "a.wav", "--seconds", "0.1", "--device", card.device)
    assert done.told("geometry").startswith("S32_LE, 4 channels, 44100 Hz")


def test_what_was_asked_for_is_had_or_refused(cli: Cli, card: sim.Card, tmp_path: Path) -> None:
    done = cli("record", tmp_path / "a.wav", "--seconds", "1", "--device", card.device, "--channels", "65")
    assert (done.code, "channels 65 cannot be had; the card does 1 to 64" in done.err) == (1, True)
    assert not (tmp_path / "a.wav").exists()
    done = cli("record", tmp_path / "a.wav", "--seconds", "1", "--device", card.device, "--format", "S16_BE")
    assert done.err.startswith("alsamm: a WAV file cannot keep S16_BE samples; it can S16_LE, S32_LE, S24_3LE, ")


def test_an_overrun_is_counted_and_recorded_on(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ring of 512 frames is left alone for longer than it lasts, once, by a disk that is slow."""
    with sim.Card("late", clock="realtime") as card:
        written = WavWriter.write
        calls = iter(range(1000))

        def slow(file: WavWriter, frames: Frames | bytes) -> int:
            if next(calls) == 3:
                time.sleep(0.1)
            return written(file, frames)

        monkeypatch.setattr(WavWriter, "write", slow)
        sizes = ("--period", "128", "--buffer", "512")
        done = cli("record", tmp_path / "a.wav", "--seconds", "0.2", "--device", card.device, *sizes)
    assert (done.code, done.told("recorded")) == (0, "9600 frames, 0.20 s")
    assert int(done.told("xruns")) >= 1
    assert int(done.told("lost").split()[0]) > 0


def test_ctrl_c_ends_it_and_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    command = [sys.executable, "-m", "alsamm", "record", str(path), "--device", "sim:"]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not path.exists() or path.stat().st_size < 1.1 * 192_000:
            time.sleep(0.02)
        with wave.open(str(path)) as early:  # while it is being written
            assert early.getnframes() >= 48_000
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    with wave.open(str(path)) as file:
        assert f"{file.getnframes()} frames" in out
        assert path.stat().st_size == 44 + 4 * file.getnframes()


def test_a_kill_leaves_a_file_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    command = [sys.executable, "-m", "alsamm", "record", str(path), "--device", "sim:"]
    with started(command, stdout=subprocess.DEVNULL) as process:
        while not path.exists() or path.stat().st_size < 1.1 * 192_000:
            time.sleep(0.02)
        process.kill()
    with wave.open(str(path)) as file:
        assert file.getnframes() >= 48_000


def test_a_full_disk_is_told_in_one_line(cli: Cli, card: sim.Card) -> None:
    done = cli("record", "/dev/full", "--seconds", "1", "--device", card.device)
    assert (done.code, done.err) == (1, "alsamm: /dev/full: No space left on device\n")


def test_a_pipe_gets_a_header_without_an_end(cli: Cli, card: sim.Card, tmp_path: Path) -> None:
    heard = noise(Format.S16_LE, 2, 4800)
    card.feed(heard)
    os.mkfifo(tmp_path / "pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    done = cli("record", tmp_path / "pipe", "--seconds", "0.1", "--device", card.device)
    reader.join()
    assert (done.code, done.err) == (0, "")
    (tmp_path / "got.wav").write_bytes(got[0])
    with WavReader(tmp_path / "got.wav") as file:
        assert file.promised is None
        np.testing.assert_array_equal(file.read_all(), heard)
