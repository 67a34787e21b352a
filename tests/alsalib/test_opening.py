"""Opening and closing, and what is said when it cannot be."""

from __future__ import annotations

import errno
import gc
import os
import pickle
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import alsamm
from alsamm import PCM, Direction, State, sim
from alsamm.alsalib.openers import OPENERS, holders
from tests.alsalib.conftest import setup, state

Open = Callable[..., PCM]


def test_null_opens_everywhere(opened: Open) -> None:
    pcm = opened("null", "PLAYBACK")
    assert (pcm.name, pcm.direction, pcm.type_name, pcm.state) == ("null", Direction.PLAYBACK, "NULL", State.OPEN)
    assert pcm.blocking
    assert pcm.info.card == -1
    assert pcm.info.direction is Direction.PLAYBACK
    assert repr(pcm) == "<PCM 'null' playback: NULL, OPEN>"


def test_a_software_card_opens(playback: PCM) -> None:
    assert playback.type_name == "IOPLUG"
    assert os.fstat(playback.kernel_fd())
    assert os.get_blocking(playback.kernel_fd())


def test_a_non_blocking_pcm_stays_so(card: sim.Card, opened: Open) -> None:
    pcm = opened(card.device, "playback", blocking=False)
    assert not pcm.blocking
    assert not os.get_blocking(pcm.kernel_fd())


@pytest.mark.parametrize("name", ["hw:NoSuchCard", "plughw:CARD=NoSuchCard,DEV=7", "nonsense", "front:NoSuchCard"])
def test_an_unknown_pcm_names_what_there_is(name: str) -> None:
    with pytest.raises(alsamm.DeviceNotFoundError, match=r"no such .*; (there are|near it|no card)") as caught:
        PCM(name, "playback")
    assert isinstance(caught.value, FileNotFoundError)
    assert caught.value.errno in (errno.ENOENT, errno.ENODEV, errno.EINVAL)
    assert (caught.value.func, caught.value.device) == ("snd_pcm_open", name)


def test_a_misspelt_name_is_corrected() -> None:
    with pytest.raises(alsamm.DeviceNotFoundError, match="near it: null"):
        PCM("nulll", "playback")


def test_a_malformed_name() -> None:
    with pytest.raises(alsamm.DeviceNotFoundError, match="cannot make sense of this name, or there is no such card"):
        PCM("hw:0,b,c,d", "playback")


@pytest.mark.parametrize("name", ["", "nu\0ll"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(alsamm.ArgumentError, match="is no PCM name"):
        PCM(name, "playback")


def test_what_is_no_direction() -> None:
    with pytest.raises(alsamm.ArgumentError, match="PLAYBACK, CAPTURE"):
        PCM("null", "sideways")


def test_an_unknown_software_card() -> None:
    with pytest.raises(alsamm.DeviceNotFoundError, match="no such software card"):
        PCM("sim:nobody", "playback")


def test_software_cards_need_their_module() -> None:
    registered = OPENERS.pop("sim")
    try:
        with pytest.raises(alsamm.DeviceNotFoundError, match=r"import alsamm\.sim"):
            PCM("sim:nobody", "playback")
    finally:
        OPENERS["sim"] = registered


def test_a_busy_pcm_raises_rather_than_waits(playback: PCM) -> None:
    with pytest.raises(alsamm.DeviceBusyError) as caught:
        PCM(playback.name, "playback")
    assert caught.value.errno == errno.EBUSY


def test_errors_survive_pickling() -> None:
    with pytest.raises(alsamm.DeviceNotFoundError) as caught:
        PCM("hw:NoSuchCard", "capture")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.device, type(copy)) == (str(caught.value), "hw:NoSuchCard", alsamm.DeviceNotFoundError)


# ---- who has it: a tree as the kernel lays it out ----


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Two cards; process 4711 plays on card 0 device 0, 4712 on device 3, 4713 captures on card 1."""

    def write(path: str, text: str) -> None:
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    running = "state: RUNNING\nowner_pid   : {}\ntrigger_time: 1.0\n"
    write("asound/card0/pcm0p/sub0/status", running.format(4711))
    write("asound/card0/pcm0p/sub1/status", "closed\n")
    write("asound/card0/pcm3p/sub0/status", running.format(4712))
    write("asound/card1/pcm0c/sub0/status", running.format(4713))
    (tmp_path / "asound/PCH").symlink_to("card0")
    write("4711/comm", "pulseaudio\n")
    write("4712/comm", "mpv\n")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "direction", "who"),
    [
        ("hw:0", Direction.PLAYBACK, [(4711, "pulseaudio")]),
        ("plughw:PCH,3", Direction.PLAYBACK, [(4712, "mpv")]),
        ("hw:CARD=PCH,DEV=0", Direction.PLAYBACK, [(4711, "pulseaudio")]),
        ("hw:DEV=3,CARD=0", Direction.PLAYBACK, [(4712, "mpv")]),
        ("hw:1", Direction.CAPTURE, [(4713, "?")]),
        ("hw:0", Direction.CAPTURE, []),
        ("default", Direction.PLAYBACK, [(4711, "pulseaudio"), (4712, "mpv")]),
        ("front:PCH", Direction.PLAYBACK, [(4711, "pulseaudio"), (4712, "mpv")]),
        ("hw:../../etc", Direction.PLAYBACK, [(4711, "pulseaudio")]),
        ("hw:0,*", Direction.CAPTURE, []),
        ("hw:7", Direction.PLAYBACK, []),
    ],
)
def test_who_has_it(proc: Path, name: str, direction: Direction, who: list[tuple[int, str]]) -> None:
    assert holders(name, direction, proc) == who


def test_nobody_knows_without_proc(tmp_path: Path) -> None:
    assert holders("hw:0", Direction.PLAYBACK, tmp_path / "nowhere") == []


# ---- the end ----


def test_close_twice_then_every_use_says_closed(opened: Open) -> None:
    pcm = opened("null", "playback")
    setup(pcm)
    pcm.close()
    pcm.close()
    assert pcm.closed
    assert repr(pcm) == "<PCM 'null' playback: closed>"
    uses: list[Callable[[], Any]] = [
        lambda: pcm.state,
        lambda: pcm.info,
        lambda: pcm.handle,
        lambda: pcm.type_name,
        pcm.geometry,
        pcm.status,
        pcm.delay,
        pcm.avail,
        pcm.prepare,
        pcm.start,
        pcm.drop,
        pcm.drain,
        pcm.pause,
        pcm.resume,
        pcm.reset,
        pcm.hwsync,
        pcm.wait,
        pcm.unlink,
        pcm.fileno,
        pcm.poll_descriptors,
        pcm.kernel_fd,
        pcm.hw_params,
        pcm.sw_params,
        pcm.hw_free,
        pcm.setup,
        lambda: pcm.rewind(1),
        lambda: pcm.forward(1),
        lambda: pcm.writei(b""),
    ]
    for use in uses:
        with pytest.raises(alsamm.ClosedError, match="null: closed"):
            use()


def test_with_closes_at_once_even_by_an_exception(card: sim.Card) -> None:
    pcm = PCM(card.device, "playback")

    def work() -> None:
        with pcm:
            setup(pcm)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert pcm.closed
    with PCM(card.device, "playback") as again:
        assert state(again) is State.OPEN


def test_forgetting_to_close_warns_and_closes(card: sim.Card) -> None:
    forgotten = [PCM(card.device, "playback")]
    with pytest.warns(ResourceWarning, match="was never closed"):
        forgotten.clear()
    PCM(card.device, "playback").close()


def test_a_pcm_that_failed_to_open_does_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(alsamm.DeviceNotFoundError):
            PCM("hw:NoSuchCard", "playback")
        gc.collect()


def test_a_forked_child_must_open_its_own(playback: PCM) -> None:
    setup(playback)
    child = os.fork()
    if child == 0:  # no pytest here: the status tells
        try:
            playback.state  # noqa: B018
            os._exit(1)
        except alsamm.ClosedError as error:
            told = "after a fork" in str(error)
        playback.close()
        os._exit(0 if told and playback.closed else 2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert state(playback) is State.PREPARED


def test_many_threads_open_and_list_at_once() -> None:
    """The configuration is thrown away at every failed open while others read it."""
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(10):
                with PCM("plug:null", "playback") as pcm:
                    setup(pcm)
                with pytest.raises(alsamm.DeviceNotFoundError):
                    PCM("hw:NoSuchCard", "playback")
                alsamm.pcms()
        except BaseException as error:  # noqa: BLE001 -- told below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_alsa_libs_words_go_to_logging(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level("DEBUG", "alsamm.alsalib"), pytest.raises(alsamm.DeviceNotFoundError):
        PCM("hw:NoSuchCard", "playback")
    assert "NoSuchCard" in caplog.text
    assert capfd.readouterr().err == ""
