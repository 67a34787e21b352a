"""``make bench``: run the suites, print the table of targets, write docs/benchmarks.

Arguments go to pytest (``-k write``); then only a part is measured, and docs/benchmarks stays as it is. A target that
is missed fails nothing, for whoever runs this may have another machine or a busy one; a suite that cannot run does.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.bench import page
from tests.bench.build import FOLDER
from tests.bench.results import Results
from tests.bench.targets import TARGETS

_HERE = Path(__file__).parent
# That a suite which failed has measured nothing: its own failure says why.
_NO_ERROR = "default::pytest_benchmark.logger.PytestBenchmarkWarning"


def main(arguments: list[str]) -> int:
    FOLDER.mkdir(exist_ok=True)
    found = FOLDER / "results.json"
    found.unlink(missing_ok=True)
    options = ["-q", "-W", _NO_ERROR, "--benchmark-quiet", f"--benchmark-json={found}"]
    command = [sys.executable, "-m", "pytest", str(_HERE), *options]
    code = subprocess.run([*command, *arguments], check=False).returncode
    if not found.exists():
        return code or 1
    results = Results.read(found)
    print(page.targets_table(results))
    missed = [target for target in TARGETS if target.is_met(results) is False]
    for target in missed:
        _, limit, measured, _ = target.cells(results)
        print(f"missed: {target.ratio or target.case}: {measured}, at most {limit}")
    if not missed:
        print("all that was measured is within its target")
    if code == 0 and not arguments:
        page.write(results)
        print(f"written: {page.DOCS}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
