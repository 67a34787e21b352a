"""``demo``: play through the ring, and compare the frames that arrived with the file's."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

import alsamm
from alsamm.cli.devices import NOT_IN_REAL_TIME, name_for, reached
from alsamm.cli.fitting import Converter
from alsamm.cli.loopback import Listener, far_end
from alsamm.cli.options import Commands, add_command, stream_options
from alsamm.cli.play import Player
from alsamm.cli.reading import STANDARD, open_source
from alsamm.cli.report import tell
from alsamm.conversion import conversion, convert
from alsamm.enums import Direction

if TYPE_CHECKING:
    import argparse

    from alsamm.cli.sound import Sound
    from alsamm.enums import Format
    from alsamm.wav import Frames

__all__ = ["add", "find", "run"]

_EXAMPLES = """
demo song.wav
demo song.wav --sync-ptr               as if the kernel refused to map its pages
"""


def add(commands: Commands) -> None:
    """Declare it."""
    text = "play a sound file through the ring and compare what arrived with what was sent"
    command = add_command(commands, "demo", run, text, _EXAMPLES)
    command.add_argument("file", metavar="FILE")
    stream_options(command)
    command.set_defaults(raw=False, rate=None, channels=None, format=None, resample=False, mix=False, quiet=False)


def run(arguments: argparse.Namespace) -> int:
    """Play and compare; 1 if they differ."""
    if arguments.file == STANDARD:
        raise alsamm.ArgumentError("demo reads its file twice, which nobody can of standard input")
    with ExitStack() as stack:
        source = stack.enter_context(open_source(arguments.file))
        name = name_for(arguments.device, Direction.PLAYBACK, remark="" if arguments.clock else NOT_IN_REAL_TIME)
        device = stack.enter_context(reached(name, arguments.clock or "auto"))
        player = stack.enter_context(Player(arguments, device.name))
        player.open(source)
        pcm, held = player.stream.pcm, player.stream.array_format
        pcm.kernel_fd()  # raises for what has no ring
        hearing = None if device.card is not None else far_end(pcm)
        listener = None
        if hearing is not None:
            listener = stack.enter_context(Listener(hearing, pcm.geometry(), sync_ptr=arguments.sync_ptr))
        player.play(source)
        player.finish()
        if device.card is not None:
            where, arrived = "the software card", device.card.played()
        elif listener is not None:
            where, arrived = str(hearing), listener.finish()
        else:
            tell("arrived", "unknown: what leaves this card cannot be seen from here (sim: and snd-aloop can be)")
            return 0
    wanted = _as_sent(arguments.file, player.card, held)
    start = find(arrived, wanted)
    if start is None:
        tell("arrived", f"{len(arrived)} frames at {where}, among them not the file's {len(wanted)} in one piece")
        tell("equal", "no")
        return 1
    around = np.concatenate([arrived[:start], arrived[start + len(wanted) :]])
    silent = around.tobytes() == player.card.format.silence * (len(around) * player.card.channels)
    tell("arrived", f"{len(wanted)} frames at {where}, with {'silence' if silent else 'something else'} around them")
    tell("equal", "yes: every sample of the file arrived, in order, unchanged")
    return 0


def _as_sent(path: str, card: Sound, held: Format) -> Frames:
    """The file's frames as the card has them."""
    with open_source(path) as again:
        converter = Converter(again.sound, card.channels, card.rate, to_native=card != again.sound)
        empty = np.empty((0, card.channels), held.dtype)
        frames = np.concatenate([empty, *converter.blocks(again.blocks())])
    if held is card.format:
        return frames
    sent = np.empty((len(frames), card.channels, *card.format.dtype.shape), card.format.dtype.base)
    convert(conversion(held.dtype, card.format, dither=False, capture=False)[1], sent, frames, 0)
    return sent


def find(heard: Frames, wanted: Frames) -> int | None:
    """At which frame of ``heard`` the frames ``wanted`` begin; None if they are not there in one piece."""
    if not len(wanted):
        return 0
    size = wanted[0].nbytes
    raw, piece = heard.tobytes(), wanted.tobytes()
    at = raw.find(piece)
    while at >= 0 and at % size:
        at = raw.find(piece, at + 1)
    return None if at < 0 else at // size
