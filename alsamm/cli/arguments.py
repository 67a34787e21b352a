"""What can be typed after ``alsamm``: the commands, each of which declares its own options."""

from __future__ import annotations

import argparse

from alsamm import __version__
from alsamm.cli import bench, completion, demo, info, latency, listing, loop, monitor, play, record, tone, top
from alsamm.cli.options import Parser

__all__ = ["COMMANDS", "parser"]

COMMANDS = (listing, info, play, record, tone, demo, monitor, loop, latency, top, bench, completion)
"""Modules with ``add(commands)``, which declares the command, and ``run(arguments)``, which gives the exit code."""

_EXAMPLES = """\
examples:
  alsamm                                  the sound cards, with the default marked
  alsamm info hw:CARD=PCH,DEV=0           what a device can do, and how it is reached
  alsamm play song.wav                    on the first card
  alsamm play song.wav --device plughw:1  converted by alsa-lib to what the card takes
  alsamm record take.wav --seconds 10     without --seconds: until Ctrl-C
  alsamm tone 440 --channel 1             one loudspeaker at a time
  alsamm demo song.wav                    play, and compare what arrived with what was sent
  alsamm monitor                          live: levels, the ring with both pointers, the card's clock
  alsamm latency hw:0 --report out.html   through a cable from the output to the input
  alsamm top                              live: every PCM that is open on this machine

Without --device the first card is used; where there is none, a card in software, which "sim:" names too.

exit codes: 0 done; 1 it failed, told in one line on stderr; 2 options that make no sense; 130 Ctrl-C.
"""


def parser() -> Parser:
    """The parser; what it gives has ``run``, the command."""
    top = Parser(
        prog="alsamm",
        description="Sound through the mapped memory of a Linux sound card.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"alsamm {__version__}")
    top.set_defaults(run=listing.run, parser=top, json=False, all=False)
    commands = top.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    for module in COMMANDS:
        module.add(commands)
    return top
