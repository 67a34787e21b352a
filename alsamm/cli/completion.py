"""``completion``: scripts by which shells complete what is typed."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import alsamm
from alsamm.cli.options import Commands, add_command
from alsamm.cli.report import say
from alsamm.sim.opener import PREFIX

__all__ = ["add", "run"]

_EXAMPLES = """
completion bash > ~/.local/share/bash-completion/completions/alsamm
completion zsh > "${fpath[1]}/_alsamm"
completion fish > ~/.config/fish/completions/alsamm.fish
completion devices                      the names that the scripts offer for devices, as of now
"""

_SHELLS = ("bash", "zsh", "fish")
_DEVICES = "devices"
_DEVICE_ARGUMENTS = ("device", "capture")
_FILE_ARGUMENTS = ("file", "files", "report", "proc")
# Names of PCMs have colons and equal signs in them, at which bash would cut words.
_BASH_WORDS = 'COMP_WORDBREAKS="${COMP_WORDBREAKS//[:=]/}"\n'


def add(commands: Commands) -> None:
    """Declare it."""
    text = "print a script that completes commands, options and the names of devices"
    command = add_command(commands, "completion", run, text, _EXAMPLES)
    command.add_argument("shell", choices=(*_SHELLS, _DEVICES), metavar="SHELL", help=", ".join(_SHELLS))


def run(arguments: argparse.Namespace) -> int:
    """Print it. Raises UnsupportedError without shtab (extra ``cli``)."""
    if arguments.shell == _DEVICES:
        for name in [*alsamm.pcms(), f"{PREFIX}:"]:
            say(name)
        return 0
    try:
        import shtab  # noqa: PLC0415 -- an extra, imported only where it is used
    except ImportError:
        raise alsamm.UnsupportedError("completion needs shtab: pip install 'alsamm[cli]'") from None
    from alsamm.cli.arguments import parser  # noqa: PLC0415 -- which imports this module

    top = parser()
    devices = shtab.cmd(f"{top.prog} completion {_DEVICES}")
    for action in _actions(top):
        if action.dest in _DEVICE_ARGUMENTS:
            action.complete = devices
        elif action.dest in _FILE_ARGUMENTS:
            action.complete = shtab.FILE
    say(shtab.complete(top, arguments.shell, preamble=_BASH_WORDS if arguments.shell == "bash" else ""))
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[Any]:
    """All options and arguments, those of the commands too. argparse has no public way to them; shtab goes this one."""
    for action in parser._actions:  # noqa: SLF001
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in action.choices.values():
                yield from _actions(command)
