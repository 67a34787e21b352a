"""``python -m tests.sanitize``: our C under AddressSanitizer with UBSan, ThreadSanitizer and valgrind.

Of each tool it is shown first that it finds planted faults; then the tests run under it. Tools, tests and what is left
out, with the reason: tools.py. Fails for a failing test and for each report about our C.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.reliability.figures import keep
from tests.sanitize.reports import findings
from tests.sanitize.tools import LEFT_OUT, SMOKE, TOOLS, Tool
from tests.sanitize.tree import ROOT, build, compile_planted


def find_planted(tool: Tool, tree: Path, log: Path) -> None:
    """Raises SystemExit for a fault that the tool lets pass."""
    library = compile_planted(tool, tree)
    for fault in tool.faults:
        empty(log)
        command = [*tool.command(log), "-m", "tests.sanitize.planted", fault, str(library)]
        subprocess.run(command, cwd=tree, env=tool.environment(tree, log), check=False, stderr=subprocess.DEVNULL)
        if not any("planted" in report for report in findings(log)):
            raise SystemExit(f"{tool.name} does not find a planted {fault}: nothing that it says is worth anything")
    print(f"{tool.name}: finds {', '.join(tool.faults)} where planted", flush=True)


def run_tests(tool: Tool, tree: Path, log: Path, tests: tuple[str, ...]) -> tuple[int, int]:
    """pytest's code and how many cases passed. What fails is run once more, for here everything takes longer."""
    empty(log)
    ignored = [f"--deselect={case}" for case in (*LEFT_OUT, *tool.left_out)]
    command = [*tool.command(log), "-m", "pytest", "-q", "-p", "tests.sanitize.watch", *ignored, *tests]
    code, passed = run_pytest(command, tree, tool.environment(tree, log))
    if code == 1:
        code, later = run_pytest([*command, "--last-failed"], tree, tool.environment(tree, log))
        passed += later
    return code, passed


def run_pytest(command: list[str], tree: Path, environment: dict[str, str]) -> tuple[int, int]:
    pytest = subprocess.Popen(command, cwd=tree, env=environment, stdout=subprocess.PIPE, text=True)
    last = ""
    assert pytest.stdout is not None
    for line in pytest.stdout:
        print(line, end="", flush=True)
        last = line.strip() or last
    passed = re.search(r"(\d+) passed", last)
    return pytest.wait(), int(passed[1]) if passed else 0


def empty(log: Path) -> None:
    shutil.rmtree(log, ignore_errors=True)
    log.mkdir(parents=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sanitize", description=__doc__)
    parser.add_argument("--tools", default=",".join(TOOLS), help="comma-separated")
    parser.add_argument("--smoke", action="store_true", help="a minute's worth: rings and the software card")
    parser.add_argument("--keep", action="store_true", help="write the figures to docs/reliability")
    parser.add_argument("tests", nargs="*", help="others than the tool's own")
    options = parser.parse_args()
    found = 0
    for tool in (TOOLS[name] for name in options.tools.split(",")):
        began = time.monotonic()
        tree = build(tool)
        log = ROOT / "build" / "sanitize" / f"{tool.name}.log"
        find_planted(tool, tree, log)
        code, passed = run_tests(tool, tree, log, tuple(options.tests) or (SMOKE if options.smoke else tool.tests))
        reports = findings(log)
        for report in reports:
            print(f"---- {tool.name}\n{report}")
        if code:
            reports.append(f"{tool.name}: pytest ended with {code}")
        found += len(reports)
        minutes = (time.monotonic() - began) / 60
        print(f"{tool.name}: {passed} cases passed; {len(reports)} findings; {minutes:.1f} minutes", flush=True)
        if options.keep:
            figures = {"cases passed": passed, "findings": len(reports), "minutes": round(minutes, 1)}
            rows = [{"fault": fault, "planted": "found"} for fault in tool.faults]
            keep(f"sanitize-{tool.name}", "make sanitize", figures, rows)
    return found > 0


if __name__ == "__main__":
    sys.exit(main())
