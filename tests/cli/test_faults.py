"""What goes wrong meanwhile: one line, an exit code, and what was recorded until then is kept."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import soundfile  # type: ignore[import-untyped]

from alsamm import sim
from alsamm.wav import WavReader
from tests.cli.conftest import Cli, started

ALSAMM = (sys.executable, "-m", "alsamm")


def frames_in(path: Path) -> int:
    """As somebody else reads the file."""
    if path.suffix == ".raw":
        return path.stat().st_size // 4
    with soundfile.SoundFile(path) as file:  # by and by: a FLAC file may not tell how long it is
        frames = 0
        with suppress(soundfile.LibsndfileError):  # which it then makes of its end
            while got := len(file.read(64, dtype="int16")):
                frames += got
        return frames


def when_running(card: sim.Card, direction: str, act: Callable[[], None]) -> threading.Thread:
    """Do that from another thread, once frames move."""

    def watch() -> None:
        substream = card.playback if direction == "playback" else card.capture
        deadline = time.monotonic() + 30
        while substream.hw_ptr < 4000 and time.monotonic() < deadline:
            time.sleep(0.005)
        act()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


@pytest.mark.parametrize("command", ["play", "tone"])
def test_an_unplugged_card_while_it_plays(cli: Cli, wav: Callable[..., Path], command: str) -> None:
    what = (wav(frames=480_000),) if command == "play" else ()
    with sim.Card("gone", clock="realtime") as card:
        thread = when_running(card, "playback", card.unplug)
        done = cli(command, *what, "--device", card.device)
        thread.join()
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert done.err.startswith("alsamm: sim:gone: ")
    assert "the card is gone" in done.err


@pytest.mark.parametrize("ending", ["wav", "flac", "raw"])
def test_an_unplugged_card_while_it_records(cli: Cli, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    with sim.Card("gone", clock="realtime") as card:
        thread = when_running(card, "capture", card.unplug)
        done = cli("record", path, *(["--raw"] if ending == "raw" else []), "--device", card.device)
        thread.join()
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "the card is gone" in done.err
    kept = frames_in(path)
    assert kept > 2000
    assert done.told("recorded").startswith(f"{kept} frames")


def test_a_system_that_sleeps_is_recovered_from(cli: Cli, wav: Callable[..., Path]) -> None:
    with sim.Card("sleepy", clock="realtime") as card:

        def nap() -> None:
            card.suspend()
            time.sleep(0.1)
            card.resume_power()

        thread = when_running(card, "playback", nap)
        done = cli("play", wav(frames=24_000), "--device", card.device, "--period", "512", "--buffer", "2048")
        thread.join()
    assert (done.code, done.err) == (0, "")
    assert done.told("sent").startswith("24000 frames")


FULL = """
import resource, sys, alsamm, numpy
from alsamm import cli, sim
card = sim.Card("noisy", clock="auto")
card.feed(numpy.random.default_rng(1).integers(-32768, 32768, (200_000, 2), "i2"))
plain = alsamm.capture
def capture(*arguments, **options):
    stream = plain(*arguments, **options)  # whose own memory is a file, too
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    return stream
alsamm.capture = capture
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("ending", ["wav", "flac", "w64", "raw"])
def test_a_disk_that_is_full_in_the_end(cli: Cli, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    options = ["--raw"] if ending == "raw" else []
    command = [sys.executable, "-c", FULL, "record", str(path), "--device", "sim:noisy", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, f"alsamm: {path}: File too large\n")
    if ending != "raw":
        assert frames_in(path) > 10_000
    assert 50_000 < path.stat().st_size <= 100_000
    with sim.Card("again", clock="auto") as card:
        assert cli("play", path, *options, "--device", card.device).code == 0
    assert "recorded:   " in done.stdout


def test_a_disk_that_was_full_before(cli: Cli) -> None:
    for options in ([], ["--raw"]):
        done = cli("record", "/dev/full", "--seconds", "1", *options, "--device", "sim:", "--clock", "auto")
        assert (done.code, done.err) == (1, "alsamm: /dev/full: No space left on device\n")


def test_a_pipe_that_is_closed_meanwhile() -> None:
    command = [*ALSAMM, "record", "-", "--device", "sim:", "--quiet"]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(1000)[:4] == b"RIFF"
        process.stdout.close()
        err = process.stderr.read()
    assert (process.returncode, err) == (1, b"alsamm: nobody reads the output any more (closed pipe)\n")


@pytest.mark.parametrize(("ending", "number"), [("wav", signal.SIGHUP), ("flac", signal.SIGTERM)])
def test_kill_ends_a_recording_and_keeps_it(tmp_path: Path, ending: str, number: signal.Signals) -> None:
    path = tmp_path / f"a.{ending}"
    with started(
        [*ALSAMM, "record", path, "--device", "sim:"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while not path.exists() or not path.stat().st_size:
            time.sleep(0.02)
        time.sleep(0.2)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (1, f"alsamm: ended by {number.name}\n")
    assert f"recorded:   {frames_in(path)} frames" in out


def test_kill_ends_play_in_a_line(wav: Callable[..., Path]) -> None:
    command = [*ALSAMM, "play", str(wav(frames=480_000)), "--device", "sim:", "--clock", "realtime"]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith(b"geometry:"):
            pass
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (1, b"alsamm: ended by SIGTERM\n")


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    """The first is for a card that stands still, so that the read under way does not end."""
    code = (
        "import sys, threading, time\n"
        "from alsamm import cli, sim\n"
        "card = sim.Card('still', clock='realtime')\n"
        "threading.Timer(0.3, card.freeze).start()\n"
        "sys.exit(cli.main(sys.argv[1:]))\n"
    )
    path = tmp_path / "a.wav"
    sizes = ["--period", "192000", "--buffer", "960000"]  # a read lasts 4 s, patience 21 s
    command = [sys.executable, "-c", code, "record", str(path), "--device", "sim:still", *sizes]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not path.exists():
            time.sleep(0.02)
        time.sleep(0.7)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert process.poll() is None
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert time.monotonic() - began < 15  # and not when patience ends
    with WavReader(path) as file:
        assert (file.promised or 0) == len(file.read_all())


def test_nohup_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    command = ["nohup", *ALSAMM, "record", str(path), "--seconds", "0.3", "--device", "sim:"]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        while not path.exists():
            time.sleep(0.02)
        process.send_signal(signal.SIGHUP)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "recorded:   14400 frames" in out
