"""Numbers in options that have a least and a most."""

from __future__ import annotations

import argparse
from collections.abc import Callable

__all__ = ["number"]


def number(what: str, least: float, most: float) -> Callable[[str], float]:
    """What argparse turns such an option's text into a number with; ``what``: its name and unit, for complaints."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no {what} from {least:g} to {most:g}")
        return value

    return parse
