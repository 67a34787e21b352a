"""``demo``: play through the ring, and compare the frames that arrived with the file's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from alsamm.cli.devices import opened
from alsamm.cli.loopback import Listener, far_end
from alsamm.cli.options import Commands, add_command, stream_options
from alsamm.cli.play import configure, device_of, play_file, sound_of
from alsamm.cli.report import tell
from alsamm.cli.widening import widened
from alsamm.enums import Direction
from alsamm.wav import WavReader

if TYPE_CHECKING:
    import argparse

    from alsamm.wav import Frames

__all__ = ["add", "find", "run"]

_EXAMPLES = """
demo song.wav
demo song.wav --sync-ptr               as if the kernel refused to map its pages
"""


def add(commands: Commands) -> None:
    """Declare it."""
    text = "play a WAV file through the ring and compare what arrived with what was sent"
    command = add_command(commands, "demo", run, text, _EXAMPLES)
    command.add_argument("file", metavar="FILE")
    stream_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Play and compare; 1 if they differ."""
    with WavReader(arguments.file) as wav, opened(device_of(arguments), Direction.PLAYBACK) as (pcm, card):
        sound = configure(arguments, wav, pcm)
        pcm.kernel_fd()  # raises for what has no ring
        hearing = None if card is not None else far_end(pcm)
        if card is not None:
            play_file(arguments, wav, pcm, sound)
            arrived = card.played()
        elif hearing is not None:
            with Listener(hearing, pcm.geometry(), sync_ptr=arguments.sync_ptr) as listener:
                play_file(arguments, wav, pcm, sound)
                arrived = listener.finish()
        else:
            play_file(arguments, wav, pcm, sound)
            tell("arrived", "unknown: what leaves this card cannot be seen from here (sim: and snd-aloop can be)")
            return 0
    with WavReader(arguments.file) as again:
        wanted = widened(sound_of(again), sound)(again.read_all())
    where = "the software card" if hearing is None else hearing
    start = find(arrived, wanted)
    if start is None:
        tell("arrived", f"{len(arrived)} frames at {where}, among them not the file's {len(wanted)} in one piece")
        tell("equal", "no")
        return 1
    around = np.concatenate([arrived[:start], arrived[start + len(wanted) :]])
    silent = around.tobytes() == sound.format.silence * (len(around) * sound.channels)
    tell("arrived", f"{len(wanted)} frames at {where}, with {'silence' if silent else 'something else'} around them")
    tell("equal", "yes: every sample of the file arrived, in order, unchanged")
    return 0


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
