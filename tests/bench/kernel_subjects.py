"""Who plays in ``make bench-kernel``: alsamm's three ways and its peers, each an endless stream of the same sound."""

from __future__ import annotations

import ctypes
import importlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

import alsamm

RATE = 48_000
CHANNELS = 2
FORMAT = "S16_LE"


@dataclass(frozen=True)
class Job:
    """What a subject is to play, and where: always substream 0 of device 0 of a card."""

    card: str
    period: int
    buffer: int
    sound: np.ndarray[Any, np.dtype[Any]]
    """Some seconds, for who takes all at once; the others repeat its first period."""
    sound_file: Path
    xruns: memoryview
    """Of one number, which the measuring process sees too."""
    complaints: Path
    """What a subject that is a program of its own writes to stderr."""

    @property
    def device(self) -> str:
        return f"hw:CARD={self.card},DEV=0,SUBDEV=0"

    @property
    def substream(self) -> Path:
        return Path(f"/proc/asound/{self.card}/pcm0p/sub0")

    @property
    def block(self) -> np.ndarray[Any, np.dtype[Any]]:
        return self.sound[: self.period]

    def count_xrun(self) -> None:
        self.xruns[0] += 1


@dataclass(frozen=True)
class Subject:
    """``play`` streams until its process is killed."""

    key: str
    name: str
    how: str
    play: Callable[[Job], None]


def tone(seconds: float) -> np.ndarray[Any, np.dtype[Any]]:
    """A sine, stereo."""
    one = 8_000 * np.sin(np.arange(round(seconds * RATE)) * (2 * np.pi * 440 / RATE))
    return np.repeat(one.astype("<i2")[:, None], CHANNELS, axis=1)


def _alsamm(job: Job, stream: Callable[[alsamm.MmapPlayback], object]) -> NoReturn:
    with alsamm.PCM(job.device, "playback") as pcm:
        pcm.setup(format=FORMAT, channels=CHANNELS, rate=RATE, period_size=job.period, buffer_size=job.buffer)
        with alsamm.MmapPlayback(pcm) as ring:
            while True:
                try:
                    stream(ring)
                except alsamm.XrunError:  # noqa: PERF203 -- around seconds of sound
                    job.count_xrun()
                    ring.prepare()


def _by_block(job: Job) -> None:
    block = job.block

    def stream(ring: alsamm.MmapPlayback) -> NoReturn:
        while True:
            ring.wait()
            ring.write(block)

    _alsamm(job, stream)


def _by_view(job: Job) -> None:
    block = job.block

    def stream(ring: alsamm.MmapPlayback) -> NoReturn:
        while True:
            ring.wait()
            with ring.reserve(job.period) as view:
                view[:] = block

    _alsamm(job, stream)


def _blocking(job: Job) -> None:
    _alsamm(job, lambda ring: ring.write_all(job.sound))


def _half_a_ring(job: Job) -> None:
    def stream(ring: alsamm.MmapPlayback) -> None:
        ring.avail_min = job.buffer // 2
        ring.write_all(job.sound)

    _alsamm(job, stream)


def _aplay(job: Job, *options: str) -> None:
    words = ["aplay", "-q", "-D", job.device, "-t", "raw", "-f", FORMAT, "-c", str(CHANNELS), "-r", str(RATE)]
    words += [f"--period-size={job.period}", f"--buffer-size={job.buffer}", *options, str(job.sound_file)]
    complaints = os.open(job.complaints, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(complaints, 2)
    os.execvp(words[0], words)


def _aplay_mmap(job: Job) -> None:
    _aplay(job, "--mmap")


def _pyalsaaudio(job: Job) -> None:
    alsaaudio = importlib.import_module("alsaaudio")
    pcm = alsaaudio.PCM(
        type=alsaaudio.PCM_PLAYBACK,
        mode=alsaaudio.PCM_NORMAL,
        device=job.device,
        rate=RATE,
        channels=CHANNELS,
        format=alsaaudio.PCM_FORMAT_S16_LE,
        periodsize=job.period,
        periods=job.buffer // job.period,
    )
    block = job.block.tobytes()
    while True:
        if pcm.write(block) < 0:
            job.count_xrun()


def _sounddevice_stream(job: Job, **more: Any) -> Any:
    sounddevice = importlib.import_module("sounddevice")
    # Else PortAudio takes few long periods for a long buffer; sounddevice has no word for it.
    ctypes.CDLL("libportaudio.so.2").PaAlsa_SetNumPeriods(job.buffer // job.period)
    # PortAudio knows cards by its own numbers; the name begins with the card's and ends in its device.
    fits = [
        index
        for index, device in enumerate(sounddevice.query_devices())
        if device["name"].startswith(f"{job.card}:") and device["name"].endswith(",0)")
    ]
    return sounddevice.OutputStream(
        samplerate=RATE,
        blocksize=job.period,
        device=fits[0],
        channels=CHANNELS,
        dtype="int16",
        latency=(job.buffer - job.period) / RATE,  # PortAudio adds a period
        **more,
    )


def _sounddevice_blocking(job: Job) -> None:
    block = job.block
    with _sounddevice_stream(job) as stream:
        while True:
            if stream.write(block):
                job.count_xrun()


def _sounddevice_callback(job: Job) -> None:
    block = job.block

    def fill(out: Any, _frames: int, _time: Any, status: Any) -> None:
        if status.output_underflow:
            job.count_xrun()
        out[:] = block

    with _sounddevice_stream(job, callback=fill):
        threading.Event().wait()


BY_BLOCK, BLOCKING, HALF = "alsamm-block", "alsamm-blocking", "alsamm-half"

SUBJECTS = (
    Subject(BY_BLOCK, "alsamm, by block", "`ring.wait()`, `ring.write(block)`", _by_block),
    Subject("alsamm-view", "alsamm, by view", "`ring.wait()`, `ring.reserve(period)`, `view[:] = block`", _by_view),
    Subject(BLOCKING, "alsamm, blocking", "`ring.write_all(seconds)`, one call for all", _blocking),
    Subject(
        HALF,
        "alsamm, blocking, woken at half",
        "the same with `ring.avail_min` at half the ring, so that poll wakes it half as often or less",
        _half_a_ring,
    ),
    Subject("aplay", "aplay", "a raw file in tmpfs, which it reads a period at a time", _aplay),
    Subject("aplay-mmap", "aplay --mmap", "the same", _aplay_mmap),
    Subject("pyalsaaudio", "pyalsaaudio", "`pcm.write(block)`, bytes", _pyalsaaudio),
    Subject("sounddevice", "sounddevice, blocking", "`stream.write(block)`, an array", _sounddevice_blocking),
    Subject("sounddevice-callback", "sounddevice, callback", "`out[:] = block`", _sounddevice_callback),
)
