"""What the software card plays and hears."""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from alsamm import errors
from alsamm._c import ffi, lib
from alsamm.enums import Access, Format
from alsamm.sim import Card
from tests.unit.simkit import Raw, raw

if TYPE_CHECKING:
    from pathlib import Path

LINEAR = [member for member in Format if member.linear]


@pytest.mark.parametrize("sample_format", LINEAR, ids=str)
def test_played_has_the_formats_dtype(sample_format: Format) -> None:
    with raw(geometry={"sample_format": sample_format, "channels": 3}) as pcm:
        width = sample_format.physical_width // 8
        code, ring = pcm.map_data(256 * 3 * width)
        assert code == 0
        pattern = np.random.default_rng(1).integers(0, 255, 256 * 3 * width, "u1").tobytes()
        ffi.memmove(ring, pattern, len(pattern))
        pcm.commit(256)
        pcm.op("start")
        pcm.card.advance(100)
        played = pcm.card.played()
        assert played.shape == (100, 3, *((3,) if width == 3 else ()))
        assert played.tobytes() == pattern[: 100 * 3 * width]


@pytest.mark.parametrize("options", [{}, {"separate_channels": True}, {"dma_bytes": 1 << 16}])
def test_non_interleaved_is_played_interleaved(options: dict[str, Any]) -> None:
    with raw(geometry={"access": Access.MMAP_NONINTERLEAVED, "channels": 4}, **options) as pcm:
        info = ffi.new("struct alsamm_channel_info *")
        for channel in range(4):
            lib.alsamm_get_channel_info(pcm.fd, channel, info)
            start = info.first // 8
            code, base = pcm.map_data(start + 512, info.offset)
            assert code == 0
            ring = np.frombuffer(ffi.buffer(base, start + 512), "i2")[start // 2 :]
            ring[:] = np.arange(256) + 1000 * channel
        pcm.commit(256)
        pcm.op("start")
        pcm.card.advance(200)
        expected = np.arange(200)[:, None] + 1000 * np.arange(4)
        assert (pcm.card.played() == expected).all()


def test_played_survives_prepare_and_close_but_not_a_new_configuration() -> None:
    with Card("kept") as card:
        with pytest.raises(errors.StateError):
            card.played()
        pcm = Raw(card)
        for turn in range(2):
            if turn == 0:
                pcm.configure()
            pcm.op("prepare")
            pcm.commit(64)
            pcm.op("start")
            card.advance(64)
        assert len(card.played()) == 128
        pcm.close()
        assert len(card.played()) == 128
        pcm = Raw(card)
        pcm.configure()
        assert len(card.played()) == 0
        pcm.close()


def test_feed_then_silence() -> None:
    geometry = {"sample_format": Format.U8, "channels": 2}
    with raw(capture=True, geometry=geometry) as pcm:
        tone = np.arange(200, dtype="u1").reshape(-1, 2)
        pcm.card.feed(tone[:30])
        pcm.card.feed(tone[30:])
        pcm.op("start")
        pcm.card.advance(128)
        ring = pcm.ring("u1", 2)
        assert (ring[:100] == tone).all()
        assert (ring[100:128] == 0x80).all(), "silence of U8, not zeros"
        assert (ring[128:] == 0).all()
        with pytest.raises(errors.ArgumentTypeError):
            pcm.card.feed(tone.astype("i2"))
        with pytest.raises(errors.ArgumentError):
            pcm.card.feed(tone.reshape(-1, 4))
        with pytest.raises(errors.ArgumentError):
            pcm.card.feed(tone[:, 0])


def loop_pair(card: Card, **geometry: Any) -> tuple[Raw, Raw]:
    out, heard = Raw(card), Raw(card, capture=True)
    for pcm in (out, heard):
        assert pcm.configure(**geometry) == 0
        assert pcm.op("prepare") == 0
        pcm.software(stop_threshold=pcm.truth.boundary)
    return out, heard


@pytest.mark.parametrize("lead", [0, 1, 50, 64, 100])
def test_loop_is_exact_to_the_frame(lead: int) -> None:
    with Card("loop", loop=True) as card:
        out, heard = loop_pair(card, period=64, buffer=1024)
        out.ring()[:, 0] = np.arange(1, 1025)
        out.commit(1024)
        heard.op("start")
        card.advance(lead)
        out.op("start")
        card.advance(700)
        ring = heard.ring()[:, 0]
        assert (ring[:lead] == 0).all(), "playback did not run yet"
        assert (ring[lead : lead + 700] == np.arange(1, 701)).all()
        out.op("drop")
        card.advance(30)
        assert (ring[lead + 700 : lead + 730] == 0).all()
        out.close()
        heard.close()


def test_realtime_linked_loop_is_exact_to_the_frame() -> None:
    with Card("loop", loop=True, clock="realtime", speed=5.0) as card:
        out, heard = loop_pair(card, period=64, buffer=4096)
        out.ring()[:, 0] = np.arange(1, 4097)
        out.commit(4096)
        assert heard.op("link", out.fd) == 0
        assert heard.op("start") == 0
        while out.truth.position < 3000:
            assert heard.poll(1000)[0] == 1
            heard.op("hwsync")
            heard.commit(64)
        card.freeze()
        done = heard.truth.position
        assert done == out.truth.position
        assert (heard.ring()[: min(done, 4096), 0] == np.arange(1, min(done, 4096) + 1)).all()
        out.close()
        heard.close()


def test_streams_that_disagree_do_not_loop() -> None:
    with Card("loop", loop=True) as card:
        out, heard = Raw(card), Raw(card, capture=True)
        out.configure(channels=1)
        heard.configure(channels=2)
        for pcm in (out, heard):
            pcm.op("prepare")
        out.ring()[:] = 5
        out.commit(256)
        out.op("start")
        heard.op("start")
        card.advance(64)
        assert (heard.ring(channels=2) == 0).all()
        out.close()
        heard.close()


@pytest.mark.parametrize("sample_format", [Format.U8, Format.S16_LE, Format.S24_3LE, Format.S32_LE], ids=str)
def test_wav_there_and_back(tmp_path: Path, sample_format: Format) -> None:
    width = sample_format.physical_width // 8
    sound = bytes(np.random.default_rng(2).integers(0, 255, 200 * 2 * width, "u1"))
    with wave.open(str(tmp_path / "in.wav"), "wb") as file:
        file.setparams((2, width, 48_000, 0, "NONE", ""))
        file.writeframes(sound)
    with Card("wav", loop=True) as card:
        heard = Raw(card, capture=True)
        heard.configure(channels=2, sample_format=sample_format)
        card.feed(tmp_path / "in.wav")
        heard.op("prepare")
        heard.op("start")
        card.advance(200)
        code, ring = heard.map_data(512 * width)
        assert code == 0
        assert bytes(ffi.buffer(ring, 400 * width)) == sound
        out = Raw(card)
        out.configure(channels=2, sample_format=sample_format)
        out.op("prepare")
        code, memory = out.map_data(512 * width)
        ffi.memmove(memory, sound, len(sound))
        out.commit(200)
        out.op("start")
        card.play_to(tmp_path / "out.wav")
        card.advance(192)
        out.close()
        heard.close()
    with wave.open(str(tmp_path / "out.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, width, 48_000)
        assert file.readframes(1000) == sound[: 192 * 2 * width]


def test_what_a_wav_file_cannot_hold(tmp_path: Path) -> None:
    unholdable = pytest.raises(errors.UnsupportedError, match="S24_LE")
    with raw(geometry={"sample_format": Format.S24_LE}) as pcm, unholdable:
        pcm.card.save(tmp_path / "x.wav")
    with raw(capture=True) as pcm:
        (tmp_path / "x.wav").write_bytes(b"RIFFxxxxWAVE")
        with pytest.raises(errors.UnsupportedError):
            pcm.card.feed(tmp_path / "x.wav")
        with wave.open(str(tmp_path / "y.wav"), "wb") as file:
            file.setparams((2, 2, 48_000, 0, "NONE", ""))
        with pytest.raises(errors.ArgumentError, match="2 channels"):
            pcm.card.feed(tmp_path / "y.wav")


def test_without_recording() -> None:
    with raw(record=False) as pcm:
        pcm.commit(64)
        pcm.op("start")
        pcm.card.advance(64)
        with pytest.raises(errors.StateError):
            pcm.card.played()
