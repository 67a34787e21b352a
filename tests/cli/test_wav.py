"""WAV files: all that may be in one is read, and nothing in one can hurt."""

from __future__ import annotations

import contextlib
import os
import struct
import threading
import tracemalloc
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import alsamm
from alsamm.cli import main
from alsamm.enums import Format
from alsamm.wav import FORMATS, WavReader, WavWriter
from tests.cli.conftest import noise

SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
BYTES = st.binary(max_size=300)


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    return struct.pack("<4sI", name, len(body) if size is None else size) + body + b"\0" * (len(body) % 2)


def fmt(
    tag: int = 1, channels: int = 1, rate: int = 8000, *, bits: int = 16, align: int | None = None, more: bytes = b""
) -> bytes:
    align = channels * bits // 8 if align is None else align
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, 0, align, bits) + more)


def riff(*chunks: bytes, kind: bytes = b"RIFF") -> bytes:
    return kind + b"\xff\xff\xff\xff" + b"WAVE" + b"".join(chunks)


def extensible(tag: int, bits: int, channels: int = 1) -> bytes:
    guid = struct.pack("<H", tag) + bytes.fromhex("000000001000800000aa00389b71")
    return fmt(0xFFFE, channels, bits=bits, more=struct.pack("<HHI", 22, bits, 0) + guid)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.wav"


def read(path: Path, data: bytes) -> list[list[int]]:
    path.write_bytes(data)
    with WavReader(path) as file:
        rows: list[list[int]] = file.read_all().tolist()
    return rows


@SAME_FOLDER
@given(
    sample_format=st.sampled_from(FORMATS),
    channels=st.integers(1, 9),
    rate=st.integers(1, 0xFFFFFFFF),
    parts=st.lists(st.integers(0, 3000), max_size=4),
)
def test_what_is_written_is_read(path: Path, sample_format: Format, channels: int, rate: int, parts: list[int]) -> None:
    frames = noise(sample_format, channels, sum(parts))
    with WavWriter(path, sample_format, channels, rate) as file:
        done = 0
        for part in parts:
            assert file.write(frames[done : done + part]) == part
            done += part
    with WavReader(path) as back:
        assert (back.format, back.channels, back.rate) == (sample_format, channels, rate)
        np.testing.assert_array_equal(back.read_all(), frames)
        assert not back.complaint
    assert path.stat().st_size % 2 == 0


@pytest.mark.parametrize("sample_format", [Format.U8, Format.S16_LE, Format.S24_3LE, Format.S32_LE])
def test_the_standard_library_agrees(path: Path, sample_format: Format) -> None:
    frames = noise(sample_format, 2, 77)
    with WavWriter(path, sample_format, 2, 44_100) as file:
        file.write(frames)
    with wave.open(str(path)) as other:
        assert other.getparams()[:4] == (2, sample_format.physical_width // 8, 44_100, 77)
        assert other.readframes(77) == frames.tobytes()


@pytest.mark.parametrize(
    ("tag", "bits", "expected"),
    [
        (1, 8, Format.U8),
        (1, 24, Format.S24_3LE),
        (1, 32, Format.S32_LE),
        (3, 32, Format.FLOAT_LE),
        (3, 64, Format.FLOAT64_LE),
    ],
)
def test_the_extensible_header(path: Path, tag: int, bits: int, expected: Format) -> None:
    path.write_bytes(riff(extensible(tag, bits), chunk(b"data", bytes(24))))
    with WavReader(path) as file:
        assert file.format is expected
        assert len(file.read_all()) == 24 * 8 // bits


def test_other_chunks_are_skipped(path: Path) -> None:
    odd = chunk(b"LIST", b"odd")
    sound = chunk(b"data", b"\1\0\2\0")
    data = riff(odd, chunk(b"bext", bytes(700)), fmt(more=bytes(40)), odd, sound, chunk(b"id3 ", b"junk"))
    assert read(path, data) == [[1], [2]]


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_stream_reaches_to_the_end_of_the_file(path: Path, size: int) -> None:
    assert read(path, riff(fmt(), chunk(b"data", b"\1\0\2\0\3", size))) == [[1], [2], [3]]  # chunk() pads


def test_rf64_tells_the_size_elsewhere(path: Path) -> None:
    ds64 = chunk(b"ds64", struct.pack("<QQQI", 0, 4, 2, 0))
    data = riff(ds64, fmt(), chunk(b"data", b"\1\0\2\0", 0xFFFFFFFF), chunk(b"LIST", b"no sound"), kind=b"RF64")
    assert read(path, data) == [[1], [2]]


def test_a_truncated_file_gives_what_is_there(path: Path) -> None:
    path.write_bytes(riff(fmt(), chunk(b"data", b"\1\0\2\0\3", 4000)))
    with WavReader(path) as file:
        assert file.promised == 2000
        assert file.read_all().tolist() == [[1], [2], [3]]
        assert file.complaint == f"{path} is truncated: its header tells of 2000 frames, 3 are there"


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "no WAV file"),
        (b"RIFF", "no WAV file"),
        (b"OggS" + bytes(100), "no WAV file"),
        (riff(), "no data chunk"),
        (riff(fmt()), "no data chunk"),
        (riff(chunk(b"junk", b"", 0xFFFFFFFF)), "no data chunk"),
        (riff(chunk(b"data", bytes(4))), "no fmt chunk"),
        (riff(chunk(b"fmt ", bytes(15)), chunk(b"data", b"")), "too short"),
        (riff(fmt(), chunk(b"fmt ", b"", 0)), "too short"),
        (riff(fmt(tag=2), chunk(b"data", b"")), "samples of kind 0x2 with 16 bits"),
        (riff(fmt(bits=12), chunk(b"data", b"")), "with 12 bits"),
        (riff(fmt(bits=24, align=4), chunk(b"data", b"")), "in frames of 4 bytes"),
        (riff(fmt(channels=0), chunk(b"data", b"")), "0 channels"),
        (riff(fmt(rate=0), chunk(b"data", b"")), "0 Hz"),
        (riff(fmt(channels=65_535, align=65_534), chunk(b"data", b"")), "65535 channels"),
        (riff(fmt(0xFFFE), chunk(b"data", b"")), "extensible header"),
        (riff(fmt(0xFFFE, more=bytes(24)), chunk(b"data", b"")), "extensible header"),
    ],
)
def test_what_is_no_sound_is_refused(path: Path, data: bytes, complaint: str) -> None:
    path.write_bytes(data)
    with pytest.raises(alsamm.UnsupportedError, match=complaint):
        WavReader(path)


SIZES = st.none() | st.integers(0, 0xFFFFFFFF)
CHUNKS = st.builds(chunk, st.sampled_from([b"fmt ", b"data", b"ds64"]), BYTES, SIZES)
HEADERS = st.builds(
    fmt,
    st.sampled_from([1, 3, 0xFFFE]) | st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
    bits=st.sampled_from([8, 16, 24, 32, 64]) | st.integers(0, 0xFFFF),
    align=st.integers(0, 0xFFFF),
    more=BYTES,
)
# Headers that make sense as far as the reader can tell, so that it goes on to the sound.
SENSIBLE = st.builds(
    fmt, st.just(1), st.integers(1, 4000), st.integers(1, 0xFFFFFFFF), bits=st.sampled_from([8, 16, 32])
)
SOUNDS = st.builds(chunk, st.just(b"data"), BYTES, SIZES)


@SAME_FOLDER
@given(BYTES | st.lists(CHUNKS).map(lambda parts: riff(*parts)) | st.builds(riff, HEADERS | SENSIBLE, SOUNDS))
@example(riff(fmt(channels=8191, bits=64, tag=3), chunk(b"data", bytes(64), 0xFFFFFFF0)))
def test_no_bytes_give_a_traceback_or_eat_memory(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with contextlib.suppress(alsamm.UnsupportedError), WavReader(path) as file:
            assert sum(len(block) for block in file.blocks()) <= len(data)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    assert main(["play", str(path), "--device", "null"]) in (0, 1)


def test_a_file_need_not_be_seekable(path: Path) -> None:
    os.mkfifo(path)
    data = riff(chunk(b"LIST", bytes(100_001)), fmt(), chunk(b"data", b"\1\0\2\0"))
    writer = threading.Thread(target=path.write_bytes, args=(data,))
    writer.start()
    with WavReader(path) as file:
        assert file.read_all().tolist() == [[1], [2]]
    writer.join()


def test_the_header_keeps_up_with_the_sound(path: Path) -> None:
    second = bytes(2 * 8000)
    with WavWriter(path, Format.S16_LE, 1, 8000) as file:
        for n in range(3):
            with wave.open(str(path)) as early:
                assert early.getnframes() == 8000 * n
            file.write(second)


def test_a_file_ends_below_four_gigabytes(path: Path) -> None:
    with WavWriter(path, Format.U8, 1, 8000) as file:
        os.truncate(path, 0xFFFFFFFF - 256 - 10)  # sparse
        file._bytes = 0xFFFFFFFF - 256 - 10
        assert file.write(bytes(100)) == 10
        assert file.write(bytes(100)) == 0
    with WavReader(path) as back:
        assert back.promised == 0xFFFFFFFF - 256


@pytest.mark.parametrize(("channels", "rate"), [(0, 8000), (1 << 15, 8000), (1, 0), (1, 1 << 32)])
def test_what_no_header_can_tell_is_refused(path: Path, channels: int, rate: int) -> None:
    with pytest.raises(alsamm.UnsupportedError):
        WavWriter(path, Format.S16_LE, channels, rate)
    assert not path.exists()


def test_what_no_file_can_keep_is_refused(path: Path) -> None:
    with pytest.raises(alsamm.UnsupportedError, match="S16_BE samples cannot be kept"):
        WavWriter(path, Format.S16_BE, 1, 8000)
    with WavWriter(path, Format.S16_LE, 1, 8000) as file, pytest.raises(alsamm.ArgumentError, match="no whole frames"):
        file.write(b"abc")
