"""top: read from the texts of a real kernel, taken in the lab, and from what goes wrong with them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alsamm.cli.procfs import Owner, substreams
from alsamm.cli.top import Watch, table
from alsamm.enums import Direction
from tests.cli.conftest import Cli, started

CAPTURED = Path(__file__).parent / "proc-6.1.0-56-amd64.txt"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    root = tmp_path / "proc"
    for part in CAPTURED.read_text().split("==> ")[1:]:
        name, _, text = part.partition("\n")
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def status(proc: Path, **fields: str) -> None:
    """Change the status of what plays on the loopback."""
    file = proc / "asound/card0/pcm0p/sub0/status"
    lines = [line.partition(":") for line in file.read_text().splitlines()]
    file.write_text("".join(f"{key}:{' ' + fields.get(key.strip(), old.strip())}\n" for key, _, old in lines))


def test_what_a_real_kernel_tells(cli: Cli, proc: Path) -> None:
    done = cli("top", "--proc", proc)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0] == "7 open, 5 running, xruns seen: 1"
    assert [line.split()[:3] for line in lines[2:]] == [
        ["hw:Loopback,0,0", "play", "RUNNING"],
        ["hw:Loopback,1,0", "rec", "RUNNING"],
        ["hw:HDA,0,0", "play", "RUNNING"],
        ["hw:HDA,0,0", "rec", "RUNNING"],
        ["hw:AC97,0,0", "play", "PREPARED"],
        ["hw:ES1370,0,0", "play", "XRUN"],
        ["hw:USB,0,0", "play", "RUNNING"],
    ]
    assert " ".join(lines[2].split()) == (
        "hw:Loopback,0,0 play RUNNING S16_LE 2x48000 1024/16384 ##### 96% 15808 0 159 python root"
    )
    assert " ".join(lines[7].split()) == ("hw:ES1370,0,0 play XRUN U8 1x48000 512/2048 ..... 0% 0 1 159 python root")


def test_those_that_nobody_has(cli: Cli, proc: Path) -> None:
    closed = [line for line in cli("top", "--all", "--proc", proc).out.splitlines() if line.endswith("closed")]
    assert len(closed) == 7
    assert closed[0].split() == ["hw:Loopback,0,1", "play", "closed"]


def test_for_programs(cli: Cli, proc: Path) -> None:
    pcms = json.loads(cli("top", "--json", "--proc", proc).out)["pcms"]
    assert len(pcms) == 7
    usb = pcms[-1]
    assert {key: usb[key] for key in ("direction", "state", "fill", "delay", "hw_ptr", "appl_ptr", "avail")} == {
        "direction": "playback", "state": "RUNNING", "fill": 16_096, "delay": 16_816,
        "hw_ptr": 258_336, "appl_ptr": 274_432, "avail": 288,
    }  # fmt: skip
    assert usb["owner"] == {"pid": 159, "program": "python", "user": "root"}


def test_xruns_and_starts_are_counted_from_look_to_look(proc: Path) -> None:
    watch = Watch()

    def looked(**fields: str) -> tuple[int, int]:
        status(proc, **fields)
        watch.look(substreams(proc))
        key = "hw:Loopback,0,0 playback"
        return watch.xruns[key], watch.starts[key]

    assert looked() == (0, 0)
    assert looked(hw_ptr="90000") == (0, 0)
    assert looked(state="XRUN", trigger_time="30.0") == (1, 0)
    assert looked(hw_ptr="90001") == (1, 0)  # the same one
    assert looked(state="RUNNING", trigger_time="31.0") == (1, 1)
    assert looked(trigger_time="32.0") == (1, 2)  # what happened between two looks
    assert looked(state="XRUN", trigger_time="33.0") == (2, 2)
    assert looked(state="RUNNING", trigger_time="34.0", owner_pid="77") == (0, 0)  # somebody else


def test_an_owner_is_the_process_of_the_thread(proc: Path) -> None:
    """The kernel tells the thread that opened the PCM."""
    status(proc, owner_pid="170")
    assert substreams(proc)[0].owner == Owner(170, None, None)
    thread = proc / "170"
    thread.mkdir()
    (thread / "status").write_text("Name:\tworker\nTgid:\t159\nPid:\t170\nUid:\t4242\t4242\t4242\t4242\n")
    assert substreams(proc)[0].owner == Owner(159, "python", "4242")


def test_a_late_stream_is_no_fuller_than_full(proc: Path) -> None:
    status(proc, avail="20000")
    assert substreams(proc)[0].fill == 0
    status(proc, avail="-5")
    assert substreams(proc)[0].fill == 16_384


@pytest.mark.parametrize("gone", ["hw_params", "status", "", "../../id", "../../../../159"])
def test_what_vanishes_between_two_reads(cli: Cli, proc: Path, gone: str) -> None:
    path = (proc / "asound/card0/pcm0p/sub0" / gone).resolve()
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    done = cli("top", "--proc", proc)
    assert (done.code, done.err) == (0, "")
    assert "hw:HDA,0,0" in done.out


@settings(max_examples=25, deadline=None)
@given(
    text=st.text(max_size=200),
    file=st.sampled_from(["status", "hw_params", "../../id", "../../../../159/status", "../../../../159/comm"]),
)
def test_no_text_is_too_strange(tmp_path_factory: pytest.TempPathFactory, text: str, file: str) -> None:
    folder = tmp_path_factory.mktemp("p")
    sub = folder / "asound/card0/pcm0p/sub0"
    sub.mkdir(parents=True)
    (folder / "159").mkdir()
    (sub / "status").write_text("state: RUNNING\nowner_pid   : 159\navail: 5\n")
    (sub / "hw_params").write_text("buffer_size: 7\n")
    (sub / file).resolve().write_text(text)
    watch = Watch()
    watch.look(substreams(folder))
    assert len(table(watch)) == 3
    shutil.rmtree(folder)


def test_why_there_is_none(cli: Cli, tmp_path: Path) -> None:
    def why() -> str:
        done = cli("top", "--proc", tmp_path)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
        return done.err

    assert "this kernel has no sound, or its modules are not loaded" in why()
    (tmp_path / "asound").mkdir()
    assert "no sound card here has a PCM" in why()
    (tmp_path / "asound/pcm").write_text("00-00: Loopback PCM : Loopback PCM : playback 8 : capture 8\n")
    assert "CONFIG_SND_VERBOSE_PROCFS" in why()


def test_nothing_open(cli: Cli, proc: Path) -> None:
    for file in proc.rglob("status"):
        file.write_text("closed\n")
    assert cli("top", "--proc", proc).out == "0 open, 0 running, xruns seen: 0\n"


def test_live_on_a_terminal(proc: Path) -> None:
    leader, terminal = os.openpty()
    command = [sys.executable, "-m", "alsamm", "top", "--proc", str(proc), "--seconds", "0.5", "--every", "0.1"]
    done = subprocess.run(
        command, stdout=terminal, stderr=subprocess.PIPE, timeout=60, check=False, env={**os.environ, "COLUMNS": "140"}
    )
    shown = os.read(leader, 100_000).decode()
    os.close(leader)
    os.close(terminal)
    assert (done.returncode, done.stderr) == (0, b"")
    assert shown.count("7 open, 5 running") >= 2
    assert "hw:USB,0,0" in shown


def test_on_a_terminal_without_rich_it_is_printed_once(proc: Path) -> None:
    leader, terminal = os.openpty()
    code = "import sys; sys.modules['rich'] = None; from alsamm.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "top", "--proc", str(proc)]
    done = subprocess.run(command, stdout=terminal, stderr=subprocess.PIPE, timeout=60, check=False)
    shown = os.read(leader, 100_000).decode()
    os.close(leader)
    os.close(terminal)
    assert (done.returncode, done.stderr) == (0, b"alsamm: a live table needs rich: pip install 'alsamm[cli]'\n")
    assert shown.count("7 open, 5 running") == 1


def test_ctrl_c(proc: Path) -> None:
    leader, terminal = os.openpty()
    command = [sys.executable, "-m", "alsamm", "top", "--proc", str(proc)]
    with started(command, stdout=terminal, stderr=subprocess.PIPE, text=True) as process:
        os.close(terminal)
        shown = b""
        while b" open, " not in shown:
            shown += os.read(leader, 10_000)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    os.close(leader)
    assert (process.returncode, err) == (130, "")


def test_it_is_sorted_by_numbers(proc: Path) -> None:
    (proc / "asound/card1").rename(proc / "asound/card10")
    (proc / "asound/card0/pcm0p/sub1").rename(proc / "asound/card0/pcm0p/sub11")
    found = substreams(proc)
    places = [(each.card, each.device, each.direction, each.subdevice) for each in found]
    assert places == sorted(places)
    assert (places[1], places[-1][:3]) == ((0, 0, Direction.PLAYBACK, 11), (10, 0, Direction.CAPTURE))


@pytest.mark.parametrize("option", [("--every", "0"), ("--seconds", "x"), ("--loud",)])
def test_nonsense(cli: Cli, option: tuple[str, ...]) -> None:
    done = cli("top", *option)
    assert (done.code, done.err.count("\n")) == (2, 1)
