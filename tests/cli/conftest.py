"""What the command line is tried with: sound files, and the two ways to call it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from alsamm.cli import main
from alsamm.enums import Format
from alsamm.wav import Frames, WavWriter


class Done(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str

    def told(self, key: str) -> str:
        lines = [line.partition(":")[2].strip() for line in self.out.splitlines() if line.startswith(f"{key}:")]
        assert len(lines) == 1, f"{key} in {self.out}"
        return lines[0]


Cli = Callable[..., Done]


@contextlib.contextmanager
def started(command: Sequence[str | Path], **options: Any) -> Generator[subprocess.Popen[Any]]:
    """A process that a case which fails does not wait for: it may go on for ever."""
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """In this process."""

    def run(*arguments: str | Path) -> Done:
        code = main([str(word) for word in arguments])
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return run


@pytest.fixture
def process() -> Cli:
    """As a user types it."""

    def run(*arguments: str | Path) -> Done:
        command = [sys.executable, "-m", "alsamm", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def wav(tmp_path: Path) -> Callable[..., Path]:
    """A file of noise that is the same every time."""

    def make(sample_format: Format = Format.S16_LE, channels: int = 2, rate: int = 48_000, frames: int = 5000) -> Path:
        path = tmp_path / f"{sample_format}-{channels}-{rate}.wav"
        with WavWriter(path, sample_format, channels, rate) as file:
            file.write(noise(sample_format, channels, frames))
        return path

    return make


def noise(sample_format: Format, channels: int, frames: int) -> Frames:
    random = np.random.default_rng(7)
    if sample_format.is_float:
        return random.uniform(-1, 1, (frames, channels)).astype(sample_format.dtype)
    raw = random.integers(0, 256, frames * channels * sample_format.physical_width // 8, "u1")
    return raw.view(sample_format.dtype.base).reshape((frames, channels, *sample_format.dtype.shape))
