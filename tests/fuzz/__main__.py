"""``python -m tests.fuzz``: inputs that nobody thought of, at each edge of the C code, under ASan and UBSan.

Which layer is the edge, and so where each target attacks:

- C itself refuses numbers of samples, formats, states, descriptors, offsets and lengths to map, positions, and arrays
  of any shape and strides: ``convert`` and ``card``, in C (libFuzzer).
- The same while threads sleep and wake, a native callback's and a realtime card's: ``threads``, in C.
- What alsa-lib hands on and calls back: ``alsalib``, in C.
- Python refuses what C cannot know, which is how much lies behind a pointer, and what is no number at all: ``api``, by
  the public names.

An input that breaks a target, or hangs it, is kept in build/fuzz; copied to tests/fuzz/corpus it is tried first from
then on. An entry point of our C that no target comes to fails the run (entries.py); build/fuzz/entry-points.txt has
them all.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.fuzz import api, entries, native
from tests.fuzz.found import Found
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
    rows, results = [], {}
    for target in targets:
        began = time.monotonic()
        result = native.fuzz(target, options.seconds) if target in native.TARGETS else api.fuzz(options.seconds)
        results[target] = result
        rows.append({
            "target": target, "runs": str(result.runs), "edges": str(result.edges), "found": result.broke,
            "seconds": f"{time.monotonic() - began:.0f}",
        })  # fmt: skip
        print(", ".join(f"{name} {value}" for name, value in rows[-1].items() if value), flush=True)
    broken = sum(bool(result.broke) for result in results.values())
    figures = {"runs": sum(result.runs for result in results.values()), "broken": broken}
    missed = 0
    if not broken and set(native.TARGETS) <= set(targets):
        missed = tell_entries(results)
        figures |= {"entry points": len(entries.entry_points()), "entry points excused": len(entries.EXCUSED)}
    if options.keep:
        keep("fuzz", "make fuzz", figures, rows)
    return broken + missed > 0


def tell_entries(results: dict[str, Found]) -> int:
    """Write which target comes to which entry point, and tell of what is wrong with that. Gives how many."""
    found = entries.targets_of(results)
    lines = [f"{name}: {', '.join(targets) or entries.EXCUSED.get(name, 'nobody')}" for name, targets in found.items()]
    (native.BUILD / "entry-points.txt").write_text("\n".join(lines) + "\n")
    missed = [name for name, targets in found.items() if not targets and name not in entries.EXCUSED]
    excused = [name for name in entries.EXCUSED if found.get(name) != []]
    for name in missed:
        print(f"{name}: no target comes to it")
    for name in excused:
        print(f"{name}: excused for nothing")
    print(f"entry points {len(found)}, {len(entries.EXCUSED)} of them excused, {len(missed)} missed")
    return len(missed) + len(excused)


if __name__ == "__main__":
    sys.exit(main())
