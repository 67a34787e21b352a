"""``info``: all that a device can do, and how it is reached."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import alsamm
from alsamm.cli.devices import default_name, name_for, opened
from alsamm.cli.options import Commands, add_command, device_argument
from alsamm.cli.pages import PageAnswer, pages_of
from alsamm.cli.report import say, tell
from alsamm.cli.space import interval, space_of, who_holds
from alsamm.cli.versions import versions
from alsamm.direct.mapping import channels_of
from alsamm.enums import Access, ClockType, Direction, Format

if TYPE_CHECKING:
    import argparse

__all__ = ["add", "run"]

_EXAMPLES = """
info                           the first card
info hw:CARD=PCH,DEV=0         one of many
info hw:0 --json               for programs
"""
_FLAGS = (
    "can_pause",
    "can_resume",
    "can_sync_start",
    "can_overrange",
    "can_mmap_sample_resolution",
    "can_disable_period_wakeup",
    "is_batch",
    "is_block_transfer",
    "is_double",
    "is_half_duplex",
    "is_joint_duplex",
    "is_monotonic",
    "audio_wallclock",
)
_RINGS = (Access.MMAP_INTERLEAVED, Access.MMAP_NONINTERLEAVED)


def add(commands: Commands) -> None:
    """Declare it."""
    text = "tell what a device can do, by which road its pages are reached, and why"
    command = add_command(commands, "info", run, text, _EXAMPLES)
    device_argument(command, "a PCM's name; by default the first card's")
    command.add_argument("--json", action="store_true", help="for programs")


def run(arguments: argparse.Namespace) -> int:
    """Print what each direction of the device can do. One that it does not have is left out."""
    name = arguments.device or default_name(Direction.PLAYBACK)
    if name is None:
        name = "sim:" if arguments.json else name_for(None, Direction.CAPTURE)
    failures: list[alsamm.AlsaError] = []
    found: dict[str, Any] = {}
    for way in Direction:
        try:
            with opened(name, way) as (pcm, _):
                found[str(way)] = _about(pcm)
        except alsamm.DeviceNotFoundError as error:  # noqa: PERF203 -- two turns
            failures.append(error)
        except alsamm.DeviceBusyError as error:
            failures.append(error)
            found[str(way)] = {"error": str(error), "holders": who_holds(name, way)}
    if len(failures) == len(Direction):
        raise failures[0]
    found["versions"] = versions()
    if arguments.json:
        say(json.dumps(found, indent=2))
    else:
        _say(found)
    return 0


def _about(pcm: alsamm.PCM) -> dict[str, Any]:
    hw, info = alsamm.HwParams(pcm), pcm.info
    about: dict[str, Any] = {
        "name": pcm.name,
        "type": pcm.type_name,
        "description": info.name or info.id,
        "subdevices": info.subdevices_count,
        "free": info.subdevices_avail,
        **space_of(pcm),
        "flags": [flag for flag in _FLAGS if getattr(hw, flag)],
    }
    if not pcm.is_kernel:
        return about
    pages = pages_of(pcm)
    about["driver_info"] = f"{pages.info:#010x}"
    about["protocol"] = ".".join(map(str, pages.protocol))
    about["pages"] = {"status": pages.status._asdict(), "control": pages.control._asdict(), "samples": pages.samples}
    try:
        about["layout"] = {str(access): _layout(pcm, access) for access in hw.accesses if access in _RINGS}
        about["timestamps"] = _clocks(pcm)
    except alsamm.AlsaError as error:
        about["unconfigured"] = str(error)
    return about


def _configure(pcm: alsamm.PCM, access: Access) -> None:
    """As near to what is usual as it can be; for this process alone, and given up when the PCM is closed."""
    hw = alsamm.HwParams(pcm)
    hw.access = access
    formats = hw.formats
    hw.format = Format.S16_LE if Format.S16_LE in formats else formats[0]
    hw.nearest(channels=2)
    hw.nearest(rate=48_000)
    hw.nearest(period_size=1024)
    hw.nearest(buffer_size=4096)
    pcm.configure(hw)


def _layout(pcm: alsamm.PCM, access: Access) -> str:
    """Where a sample lies (rule F1), in words."""
    _configure(pcm, access)
    geometry = pcm.geometry()
    channels = channels_of(pcm.kernel_fd(), geometry, pcm.name)
    where = ", ".join(f"channel {n} from byte {each.first}" for n, each in enumerate(channels))
    step = {each.step for each in channels}
    steps = f"a step of {step.pop()} bytes" if len(step) == 1 else f"steps of {sorted(step)} bytes"
    offsets = sorted({each.offset for each in channels})
    mapping = "one mapping" if len(offsets) == 1 else f"{len(offsets)} mappings, at {', '.join(map(hex, offsets))}"
    return f"{geometry.format}: {where}, with {steps}, in {mapping}"


def _clocks(pcm: alsamm.PCM) -> list[str]:
    """Whose time its timestamps can be."""
    accesses = alsamm.HwParams(pcm).accesses
    _configure(pcm, accesses[0])
    can: list[str] = []
    for kind in ClockType:
        sw = pcm.sw_params()
        with suppress(alsamm.AlsaError):
            sw.tstamp_type = kind
            pcm.configure(sw=sw)
            can.append(str(kind))
    return can


def _say(found: dict[str, Any]) -> None:
    for way in map(str, Direction):
        if way in found:
            _say_direction(way, found[way])
    say("for a bug report:")
    for name, value in found["versions"].items():
        say(f"  {name + ':':<14}{value}")
    for way in map(str, Direction):
        if "pages" in found.get(way, {}):
            say(f"  {way + ':':<14}{found[way]['name']}, {found[way]['transport']}, driver info "
                f"{found[way]['driver_info']}, protocol {found[way]['protocol']}")  # fmt: skip


def _say_direction(way: str, about: dict[str, Any]) -> None:
    if "error" in about:
        tell(way, about["error"])
        return
    tell(way, f"{about['name']} (type {about['type']}; {about['description']})")
    tell("  access", ", ".join(about["accesses"]))
    tell("  format", ", ".join(about["formats"]))
    tell("  channels", interval(about["channels"]))
    usual = ", ".join(map(str, about["usual_rates"])) or "none"
    tell("  rate", f"{interval(about['rate'])} Hz; of the usual ones {usual}")
    tell("  period", f"{interval(about['period_size'])} frames, {interval(about['period_time_us'])} us")
    tell("  buffer", f"{interval(about['buffer_size'])} frames, {interval(about['buffer_time_us'])} us, "
         f"{interval(about['periods'])} periods")  # fmt: skip
    tell("  flags", ", ".join(about["flags"]) or "none")
    if "pages" not in about:
        tell("  pages", "none: alsa-lib makes this PCM")
        return
    pages = about["pages"]
    tell("  pages", f"status {_road(pages['status'])}, control {_road(pages['control'])}")
    for page in ("status", "control"):
        answer = PageAnswer(**pages[page])
        if not answer.mapped:
            tell("  why", f"{page} page: the kernel answers {answer.answer}. {answer.why}")
    tell("  samples", pages["samples"])
    for access, where in about.get("layout", {}).items():
        tell("  layout", f"{access}, {where}")
    if "unconfigured" in about:
        tell("  layout", f"unknown, for it cannot be configured: {about['unconfigured']}")
    if "timestamps" in about:
        tell("  time", f"stamps of {', '.join(about['timestamps'])}")


def _road(page: dict[str, Any]) -> str:
    return "mapped" if page["mapped"] else "SYNC_PTR"
