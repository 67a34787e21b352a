"""Draw all of them into this folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from docs.pictures import cost, duplex, ring, states, timing, transports
from docs.pictures.svg import Drawing

__all__ = ["PICTURES", "main"]

FOLDER = Path(__file__).parent
PICTURES: dict[str, Callable[[], Drawing]] = {
    "ring": ring.draw,
    "states": states.draw,
    "transports": transports.draw,
    "write": cost.draw,
    "latency": timing.draw_latency,
    "xrun": timing.draw_xrun,
    "duplex": duplex.draw,
}


def main() -> int:
    """Draw, and tell which."""
    for name, draw in PICTURES.items():
        path = FOLDER / f"{name}.svg"
        path.write_text(str(draw()))
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
