"""``python -m tests.fuzz``: inputs that nobody thought of, at each edge of the C code, under ASan and UBSan.

Which layer is the edge, and so where each target attacks:

- C itself refuses numbers of samples, formats, states, descriptors, offsets and lengths to map, positions, and arrays
  of any shape and strides: ``convert`` and ``card``, in C (libFuzzer).
- Python refuses what C cannot know, which is how much lies behind a pointer, and what is no number at all: ``api``, by
  the public names.

An input that breaks a target is kept in build/fuzz; copied to tests/fuzz/corpus it is tried first from then on.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.fuzz import api, native
from tests.reliability.figures import keep


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--targets", default=",".join([*native.TARGETS, "api"]), help="comma-separated")
    parser.add_argument("--keep", action="store_true", help="write the figures to docs/reliability")
    options = parser.parse_args()
    targets = options.targets.split(",")
    if set(targets) & set(native.TARGETS):
        native.build()
    rows, broken = [], 0
    for target in targets:
        began = time.monotonic()
        result = native.fuzz(target, options.seconds) if target in native.TARGETS else api.fuzz(options.seconds)
        seconds = time.monotonic() - began
        broken += bool(result["found"])
        row = {"target": target, **{name: str(value) for name, value in result.items()}, "seconds": f"{seconds:.0f}"}
        print(", ".join(f"{name} {value}" for name, value in row.items() if value), flush=True)
        rows.append(row)
    if options.keep:
        keep("fuzz", "make fuzz", {"runs": sum(int(row["runs"]) for row in rows), "broken": broken}, rows)
    return broken > 0


if __name__ == "__main__":
    sys.exit(main())
