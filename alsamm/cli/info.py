"""``info``: what a device can do."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

import cffi
import numpy as np

import alsamm
from alsamm._c import lib, string
from alsamm.cli.devices import default_name, name_for, opened, opened_by_kernel
from alsamm.cli.options import Commands, add_command
from alsamm.cli.report import tell
from alsamm.enums import Direction

if TYPE_CHECKING:
    import argparse

__all__ = ["add", "run"]

_EXAMPLES = """
info                           the first card
info hw:CARD=PCH,DEV=0         one of many
"""

_USUAL_RATES = (8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000)
_FLAGS = (
    "can_pause",
    "can_resume",
    "can_sync_start",
    "can_disable_period_wakeup",
    "is_batch",
    "is_block_transfer",
    "is_double",
    "is_half_duplex",
    "is_joint_duplex",
)


def add(commands: Commands) -> None:
    """Declare it."""
    text = "tell what a device can do and by which road its pages are reached"
    command = add_command(commands, "info", run, text, _EXAMPLES)
    command.add_argument("device", metavar="DEVICE", nargs="?", help="a PCM's name; by default the first card's")


def run(arguments: argparse.Namespace) -> int:
    """Print what each direction of the device can do. One that it does not have is left out."""
    name = arguments.device or default_name(Direction.PLAYBACK) or name_for(None, Direction.CAPTURE)
    failures: list[alsamm.AlsaError] = []
    for way in Direction:
        try:
            with opened(name, way) as (pcm, _):
                _tell_direction(pcm)
        except alsamm.DeviceNotFoundError as error:  # noqa: PERF203 -- two turns
            failures.append(error)
        except alsamm.DeviceBusyError as error:
            failures.append(error)
            tell(str(way), error)
    if len(failures) == len(Direction):
        raise failures[0]
    _tell_versions()
    return 0


def _tell_direction(pcm: alsamm.PCM) -> None:
    hw = alsamm.HwParams(pcm)
    tell(str(pcm.direction), f"{pcm.name} (type {pcm.type_name}; {pcm.info.name or pcm.info.id})")
    tell("  access", ", ".join(map(str, hw.accesses)))
    tell("  format", ", ".join(map(str, hw.formats)))
    tell("  channels", _interval(hw.range("channels")))
    usual = [str(rate) for rate in _USUAL_RATES if hw.allows(rate=rate)]
    tell("  rate", f"{_interval(hw.range('rate'))} Hz; of the usual ones {', '.join(usual) or 'none'}")
    tell("  period", f"{_interval(hw.range('period_size'))} frames")
    tell("  buffer", f"{_interval(hw.range('buffer_size'))} frames, {_interval(hw.range('periods'))} periods")
    tell("  flags", ", ".join(flag for flag in _FLAGS if getattr(hw, flag)) or "none")
    if not opened_by_kernel(pcm):
        tell("  pages", "none: alsa-lib makes this PCM")
        return
    with alsamm.Status(pcm) as status, alsamm.Control(pcm) as control:
        tell("  pages", f"status {status.transport}, control {control.transport}")


def _interval(interval: alsamm.Interval) -> str:
    return str(interval.min) if interval.min == interval.max else f"{interval.min} to {interval.max}"


def _tell_versions() -> None:
    kernel = os.uname()
    tell("versions", f"alsamm {alsamm.__version__}, {kernel.sysname} {kernel.release} {kernel.machine}, "
         f"alsa-lib {string(lib.snd_asoundlib_version())}, Python {platform.python_version()}, "
         f"cffi {cffi.__version__}, numpy {np.__version__}")  # fmt: skip
