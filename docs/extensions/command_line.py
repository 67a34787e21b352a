"""``{command-line}``: every command's own --help, asked for when the site is built, so that it is never another's."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING
from unittest import mock

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from alsamm.cli.arguments import parser

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class CommandLine(SphinxDirective):
    """A section for each command."""

    def run(self) -> list[nodes.Node]:
        """Ask the parsers."""
        with mock.patch.dict(os.environ, {"COLUMNS": "92"}):
            return [self._section(each) for each in _all(parser())]

    def _section(self, command: argparse.ArgumentParser) -> nodes.Node:
        section = nodes.section(ids=[nodes.make_id(command.prog)], names=[command.prog])
        section += nodes.title(text=command.prog)
        section += nodes.literal_block(text=command.format_help().rstrip(), language="text")
        return section


def _all(top: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield top
    for action in top._actions:  # noqa: SLF001 -- argparse has no other way to ask for its commands
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 -- likewise
            seen: list[argparse.ArgumentParser] = []
            for command in action.choices.values():
                if command not in seen:  # one may have several names
                    seen.append(command)
                    yield from _all(command)


def setup(app: Sphinx) -> dict[str, bool]:
    """For Sphinx."""
    app.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True}
