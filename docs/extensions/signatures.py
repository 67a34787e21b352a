"""Signatures as users read them: the names that the package gives types for itself are told as what they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_PRIVATE = {
    r"\b_Array\b": "ndarray",
    r"\bnp\.ndarray\[Any, np\.dtype\[Any\]\]": "ndarray",
    r"\b(npt\.)?NDArray\[Any\]": "ndarray",
    r"\bFrames\b": "ndarray",
    r"\bnp\.dtype\[(Any|np\.generic)\]": "dtype",
    r"\bRange\b": "tuple[int, int] | int",
    r"\b(PlaybackIO|CaptureIO)\b": "Any",
    r"(?<=[^']\b)CData\b": "Any",
    r"\bPolicy\b": "'recover' | 'raise' | Callable[[Interruption], None]",
}


def _plain(*arguments: Any) -> tuple[str | None, str | None]:
    """The signature and what comes back, rewritten."""
    signature, returned = arguments[-2:]
    told = _PRIVATE | ({r"(?<![.\w])Card\b": "alsamm.sim.Card"} if "alsamm.testing" in arguments[2] else {})
    for pattern, plain in told.items():
        signature = signature and re.sub(pattern, plain, signature)
        returned = returned and re.sub(pattern, plain, returned)
    return signature, returned


def setup(app: Sphinx) -> dict[str, bool]:
    """For Sphinx."""
    app.connect("autodoc-process-signature", _plain)
    return {"parallel_read_safe": True}
