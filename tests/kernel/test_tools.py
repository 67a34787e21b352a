"""The command line's tools on real drivers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from alsamm.cli import main

SIZES = ("--period", "1024", "--buffer", "8192")  # snd-aloop moves by ticks of 4 ms (rule P11)


class Done(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


Cli = Callable[..., Done]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    def run(*arguments: str) -> Done:
        code = main(arguments)
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return run


@pytest.mark.needs("loop")
def test_latency_over_a_loopback_is_exact_every_time(device: dict[str, Any], cli: Cli) -> None:
    """It is the buffer, full of silence when both start on one trigger: the noise comes back so many frames later.

    ``exact`` says that from that frame on every sample that was recorded is the one that was played.
    """
    done = cli("latency", device["playback"] + ",SUBDEV=4", "--times", "20", "--within", "0.05", "--json", *SIZES)
    print(done)
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert told["device"].endswith("DEV=1,SUBDEV=4")
    assert [(run["frames"], run["exact"], run["channels"]) for run in told["runs"]] == 20 * [(8192.0, True, [1, 2])]
    assert {run["offset"] for run in told["runs"]} == {8192}
    assert told["jitter"] == told["beyond_min"] == told["beyond_max"] == 0
