"""Nothing public is left out of the reference, and nothing in it is without words."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sphinx.util import logging

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

MODULES = ("alsamm", "alsamm.sim", "alsamm.testing", "alsamm.wav")
_CONSTANTS = ("__version__",)
_log = logging.getLogger(__name__)


def _told(_: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """One member of the reference: it has a docstring, or is an enumeration's, whose name says it."""
    del options
    if what not in ("attribute", "data") and not any(lines):
        _log.warning("%s %s (%s) has no docstring", what, name, type(thing).__name__)


def _complete(_: Sphinx, env: BuildEnvironment) -> None:
    """All that ``__all__`` names is there."""
    there = env.domains["py"].data["objects"]
    for module in MODULES:
        for name in importlib.import_module(module).__all__:
            if name not in _CONSTANTS and f"{module}.{name}" not in there:
                _log.warning("%s.%s is not in the reference", module, name)


def setup(app: Sphinx) -> dict[str, bool]:
    """For Sphinx."""
    app.connect("autodoc-process-docstring", _told)
    app.connect("env-check-consistency", _complete)
    return {"parallel_read_safe": True}
