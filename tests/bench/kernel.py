"""``make bench-kernel``: CPU time of a second of sound on real drivers, alsamm and its peers; writes docs/benchmarks.

The lab's guest counts instructions instead of time (``--icount``), so that the figures repeat, whatever this machine is
doing meanwhile. A missed target fails nothing; a subject that cannot be measured does.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench import kernel_page
from tests.bench.kernel_guest import PERIODS, RESULTS
from tools.roots import cache_folder

_DOCS = Path(__file__).resolve().parents[2] / "docs" / "benchmarks"
_ALL = ",".join(PERIODS)
_TIMEOUT_SECONDS = 1200


def _arguments(given: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.kernel",
        description=__doc__,
        epilog="Passed on to the guest: --periods 64,256 --subjects aplay,pyalsaaudio --seconds 4.",
    )
    parser.add_argument("--kernel", default="6.1", metavar="SERIES", help="series of the Debian kernel: 6.1 or 6.12")
    parser.add_argument("--devices", default=_ALL, metavar="A,B")
    parser.add_argument("--out", type=Path, default=_DOCS, metavar="FOLDER", help="for kernel.md and kernel.svg")
    return parser.parse_known_args(given)


def _run_lab(arguments: argparse.Namespace, for_guest: list[str], results: Path) -> int:
    command = f'exec "$LAB_PYTHON" -m tests.bench.kernel_guest {shlex.join(for_guest)}'
    lab = [sys.executable, "-m", "tests.kernel", "--icount", "--kernel", arguments.kernel]
    lab += ["--devices", arguments.devices, "--timeout", str(_TIMEOUT_SECONDS), "--results", str(results)]
    return subprocess.run([*lab, "--shell-command", command], check=False).returncode


def main(given: list[str]) -> int:
    arguments, for_guest = _arguments(given)
    if (for_guest or arguments.devices != _ALL) and arguments.out == _DOCS:
        print("only a part is to be measured: say where to put it (--out FOLDER)", file=sys.stderr)
        return 2
    runs = cache_folder() / "runs"  # where the lab deletes old ones
    runs.mkdir(exist_ok=True)
    results = Path(tempfile.mkdtemp(prefix="bench-", dir=runs))
    if code := _run_lab(arguments, for_guest, results):
        return code
    found = kernel_page.Results.of(json.loads((results / RESULTS).read_text()))
    print(kernel_page.targets_table(found))
    for remark in found.remarks():
        print(remark)
    kernel_page.write(found, arguments.out)
    print(f"written: {arguments.out}/kernel.md, kernel.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
