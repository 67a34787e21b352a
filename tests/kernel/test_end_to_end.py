"""The command line on the real drivers of a lab guest: what is played is what arrives, sample for sample.

The devices are those of conftest.py. A device that is missing fails its cases.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alsamm import PCM, HwParams
from alsamm.cli import main
from alsamm.wav import WavReader, WavWriter
from tests.kernel.speaker import PADDING_FRAMES, Speaker

# The kernel's snd-aloop silences a piece of what it copies last before a drain ends (its clear_capture_buf starts where
# that copy began), and QEMU's USB device forgets its last milliseconds when it is closed. `play` ends with silence for
# their sake; aplay does not, so it gets a sound that does.
SOUND = Path("/usr/share/sounds/alsa/Front_Center.wav")  # mono, S16_LE, 48 kHz
LIKE_SOUND = ("-f", "S16_LE", "-c", "1", "-r", "48000")
PATIENCE = 120.0
MAPS = platform.machine() in {"x86_64", "i686"}  # rule C2

Facts = dict[str, Any]


@pytest.fixture
def padded(tmp_path: Path) -> Path:
    """SOUND and half a second of silence."""
    path = tmp_path / "padded.wav"
    with WavReader(SOUND) as like, WavWriter(path, like.format, like.channels, like.rate) as file:
        file.write(like.read_all())
        file.write(np.zeros((like.rate // 2, 1), "<i2"))
    return path


def run(*arguments: str | Path) -> tuple[int, str, str]:
    """Run a command in this process, for a new Python takes seconds under emulation; exit code, output, complaints."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return code, out.getvalue(), err.getvalue()


def alsamm(*arguments: str | Path) -> str:
    """Run a command that must succeed; its output."""
    code, out, err = run(*arguments)
    assert code == 0, f"{arguments}: {code}\n{out}\n{err}"
    return out


def value(output: str, key: str) -> str:
    found = re.search(rf"^{key}: +(.*)$", output, re.MULTILINE)
    assert found, f"no {key} in\n{output}"
    return found[1]


def check_transport(output: str, device: Facts, mode: list[str]) -> None:
    """Rules C2 to C4: what this machine and this driver map."""
    if mode or not MAPS:
        expected = "SYNC_PTR"
    elif device["driver"] == "snd-usb-audio":
        expected = "status mapped, control SYNC_PTR"
    else:
        expected = "mapped"
    assert value(output, "transport") == expected


def frames_of(path: Path) -> np.ndarray[Any, np.dtype[Any]]:
    with WavReader(path) as file:
        return file.read_all()


def assert_heard(heard: bytes, sent: bytes) -> None:
    if sent in heard:
        return
    # Where it went wrong says more than that it did.
    start = heard.find(sent.lstrip(b"\0")[:256])
    pairs = zip(heard[start:], sent.lstrip(b"\0"), strict=False)
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)) if start >= 0 else 0
    pytest.fail(f"{len(sent)} bytes sent, {len(heard)} heard; found at {start}, the same for {same} bytes")


def wait_running(device: Facts, process: subprocess.Popen[bytes]) -> None:
    """Until the capture end of the loop moves, whoever opened it."""
    status = Path(f"/proc/asound/{device['card']}/pcm1c/sub0/status")
    deadline = time.monotonic() + PATIENCE
    while "RUNNING" not in status.read_text():
        assert process.poll() is None, f"ended with {process.returncode}"
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextlib.contextmanager
def background(*command: str | Path) -> Generator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def stop(process: subprocess.Popen[bytes]) -> str:
    """Ctrl-C, when what is on its way has come; what it said."""
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE)
    return output.decode()


@pytest.mark.needs("loop")
def test_play_is_what_arecord_hears(device: Facts, mode: list[str], tmp_path: Path) -> None:
    heard = tmp_path / "heard.raw"
    arecord = ("arecord", "-q", "-D", device["capture"], *LIKE_SOUND, "-t", "raw", "--buffer-size=96000", heard)
    with background(*arecord) as recorder:
        wait_running(device, recorder)
        output = alsamm("play", SOUND, "--device", device["playback"], *mode)
        said = stop(recorder)
    assert "overrun" not in said
    check_transport(output, device, mode)
    assert value(output, "xruns") == "0"
    assert_heard(heard.read_bytes(), frames_of(SOUND).tobytes())


@pytest.mark.needs("loop")
def test_files_follow_each_other_without_a_gap(device: Facts, tmp_path: Path) -> None:
    heard = tmp_path / "heard.raw"
    arecord = ("arecord", "-q", "-D", device["capture"], *LIKE_SOUND, "-t", "raw", "--buffer-size=96000", heard)
    with background(*arecord) as recorder:
        wait_running(device, recorder)
        output = alsamm("play", SOUND, SOUND, "--seconds", "0.5", "--device", device["playback"])
        said = stop(recorder)
    assert "overrun" not in said
    assert value(output, "xruns") == "0"
    assert_heard(heard.read_bytes(), 2 * frames_of(SOUND)[:24_000].tobytes())


@pytest.mark.needs("loop")
def test_record_hears_what_aplay_plays(device: Facts, mode: list[str], padded: Path, tmp_path: Path) -> None:
    heard = tmp_path / "heard.wav"
    like = ("--format", "S16_LE", "--channels", "1", "--rate", "48000")
    command = (sys.executable, "-m", "alsamm", "record", heard, "--device", device["capture"], *like, *mode)
    with background(*command) as recorder:
        wait_running(device, recorder)
        subprocess.run(["aplay", "-q", "-D", device["playback"], padded], check=True, timeout=PATIENCE)
        said = stop(recorder)
    assert recorder.returncode == 0, said
    check_transport(said, device, mode)
    assert value(said, "xruns") == "0"
    take = frames_of(heard)
    assert value(said, "recorded").startswith(f"{len(take)} frames")
    assert_heard(take.tobytes(), frames_of(SOUND).tobytes())


@pytest.mark.needs("loop")
def test_demo_compares_through_the_loop(device: Facts, mode: list[str]) -> None:
    output = alsamm("demo", SOUND, "--device", device["playback"], *mode)
    check_transport(output, device, mode)
    assert value(output, "equal").startswith("yes")


@pytest.mark.needs("speaker")
def test_play_reaches_the_speaker(device: Facts, mode: list[str], tmp_path: Path) -> None:
    silence = tmp_path / "silence.wav"
    sound = frames_of(SOUND)
    with WavReader(SOUND) as like, WavWriter(silence, like.format, 1, like.rate) as file:
        file.write(np.zeros((2 * PADDING_FRAMES, 1), "<i2"))
    speaker = Speaker(device["speaker"])
    output = alsamm("play", SOUND, "--device", device["playback"], *mode)
    alsamm("play", silence, "--device", device["playback"])  # pushes the end of the sound out of QEMU's buffer
    check_transport(output, device, mode)
    assert value(output, "widening").startswith("mono copied to 2 channels")
    if not speaker.hears(np.repeat(sound, 2, axis=1).tobytes()):
        assert_heard(speaker.heard(), np.repeat(sound, 2, axis=1).tobytes())


@pytest.mark.needs("playback")
def test_demo_plays_on_every_card_and_says_what_it_cannot_see(device: Facts) -> None:
    output = alsamm("demo", SOUND, "--device", device["playback"])
    check_transport(output, device, [])
    assert value(output, "sent").startswith(f"{len(frames_of(SOUND))} frames")
    if device["driver"] == "snd-aloop":
        assert value(output, "equal").startswith("yes")
    else:
        assert value(output, "arrived").startswith("unknown")
        assert "equal" not in output


@pytest.mark.needs("capture")
def test_record_on_every_card(device: Facts, tmp_path: Path) -> None:
    take = tmp_path / "take.wav"
    output = alsamm("record", take, "--seconds", "0.25", "--device", device["capture"])
    check_transport(output, device, [])
    with WavReader(take) as file:
        assert len(file.read_all()) == -(-file.rate // 4)
    assert value(output, "recorded").startswith(f"{-(-file.rate // 4)} frames")


def test_list_and_info_know_the_card(device: Facts) -> None:
    names = [device[way] for way in ("playback", "capture") if device[way]]
    listed = json.loads(alsamm("list", "--json"))
    assert {pcm["name"] for card in listed["cards"] for pcm in card["pcms"]} >= set(names)
    plain = alsamm("list")
    for name in names:
        assert name in plain
        told = alsamm("info", name)
        pages = value(told, "  pages")
        if not MAPS:
            assert pages == "status SYNC_PTR, control SYNC_PTR"
            why = "ENXIO. the kernel has these pages on x86, PowerPC and Alpha only; this is aarch64 (rule C2)"
            assert f"status page: the kernel answers {why}" in told
            assert f"control page: the kernel answers {why}" in told
        elif device["driver"] == "snd-usb-audio":
            assert pages == "status mapped, control SYNC_PTR"
            assert "control page: the kernel answers ENXIO. SYNC_APPLPTR: the driver must hear of every commit" in told
        else:
            assert pages == "status mapped, control mapped"
            assert "the kernel answers" not in told
        assert re.search(r"^  layout: +MMAP_\w+, \w+: channel 0 from byte 0", told, re.MULTILINE)
        assert value(told, "  time") == "stamps of REALTIME, MONOTONIC, MONOTONIC_RAW"


@pytest.mark.needs("playback")
def test_list_tells_what_a_free_device_can_do_and_who_has_a_busy_one(device: Facts) -> None:
    name = device["playback"]

    def entry() -> Facts:
        listed = json.loads(alsamm("list", "--json"))
        pcms = [pcm for card in listed["cards"] for pcm in card["pcms"]]
        return next(pcm for pcm in pcms if (pcm["name"], pcm["direction"]) == (name, "playback"))

    free = entry()
    with PCM(name, "playback") as pcm:
        hw = HwParams(pcm)
        assert free["able"]["formats"] == list(map(str, hw.formats))
        assert tuple(free["able"]["rate"]) == hw.range("rate")
        held = entry()
        assert held["free"] == free["free"] - 1
        assert [holder["pid"] for holder in held["holders"]] == [os.getpid()]
        assert f"in use by process {os.getpid()} (" in alsamm("list")


@pytest.mark.needs("playback")
def test_a_rate_that_no_card_has_is_refused_in_one_line(device: Facts, tmp_path: Path) -> None:
    odd = tmp_path / "odd.wav"
    with WavReader(SOUND) as like, WavWriter(odd, like.format, 1, 3_000_000_000) as file:
        file.write(bytes(200))
    code, _, complaint = run("play", odd, "--device", device["playback"])
    assert code == 1
    assert re.fullmatch(r"alsamm: [^\n]*rate 3000000000 Hz cannot be had; the card does [^\n]+\n", complaint)
