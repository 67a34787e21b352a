"""``python -m tests.kernel``: run the contract suite and the end-to-end proof, or a command, in a guest."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from tests.kernel import devices as lab_devices
from tests.kernel import guest, images, table
from tests.reliability import figures
from tools import roots

_PROJECT = Path(__file__).resolve().parents[2]
_TESTS = "tests/contract,tests/kernel/test_end_to_end.py"
_KEPT_RUNS = 12
_TAIL = 40
_STILL_AFTER = 60
_COMPLAINTS = ("WARNING: ", "BUG: ", "Oops", "Kernel panic", "Internal error")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.kernel", description=__doc__)
    parser.add_argument("--arch", choices=("amd64", "arm64"), default="amd64")
    parser.add_argument("--kernel", default="6.1", metavar="SERIES", help="series of the Debian kernel: 6.1 or 6.12")
    parser.add_argument("--devices", default="", metavar="A,B", help="only these; by default all that the guest has")
    parser.add_argument("--tests", default=_TESTS, metavar="A,B", help="files, folders or options, for pytest")
    parser.add_argument("-k", dest="expression", metavar="EXPR", help="only the tests that fit, as in pytest")
    parser.add_argument("--icount", action="store_true", help="guest time counts instructions: for CPU figures")
    parser.add_argument("--sleeps", action="store_true", help="the tests suspend the guest, after which 9p is dead")
    parser.add_argument(
        "--figures", action="store_true", help="put the tables that the tests keep into docs/reliability"
    )
    parser.add_argument("--timeout", type=float, default=900, metavar="SECONDS", help="for the whole guest")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--shell-command", metavar="COMMAND", help="run this in the guest instead of the suite")
    what.add_argument("--shell", action="store_true", help="a shell in the guest, on this terminal")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="put the suite's junit file here")
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="keep the run's files here")
    parser.add_argument("--checkout", type=Path, default=_PROJECT, metavar="FOLDER", help="another tree to test")
    parser.add_argument("--refresh", action="store_true", help="fetch kernel and root anew")
    parser.add_argument("--list-devices", action="store_true", help="print the guest's devices and stop")
    return parser


def _suite(tests: str, expression: str | None, *, icount: bool, sleeps: bool) -> str:
    """The script that runs ``tests`` on the devices that the guest found."""
    words = [
        f'exec "$LAB_PYTHON" -m pytest {" ".join(map(shlex.quote, tests.split(",")))} --devices="$LAB_DEVICES"',
        # After a sleep no file can be opened, be it a source for a traceback.
        "--tb=line -rfE" if sleeps else '--junitxml="$ALSAMM_LAB_RESULTS/contract.xml"',
        "-v --color=no -p no:cacheprovider",
        f"-o faulthandler_timeout={_STILL_AFTER}",
    ]
    if not icount:
        words.append("-p tests.witness")
    if expression is not None:
        words.append(f"-k {shlex.quote(expression)}")
    return " ".join(words)


def _results_folder(asked: Path | None, arch: str, kernel: str) -> Path:
    """A new folder for a run; of older runs in the cache a few are kept."""
    if asked is not None:
        if asked.exists() and any(asked.iterdir()):
            raise images.LabError(f"{asked} is not empty")
        asked.mkdir(parents=True, exist_ok=True)
        return asked.resolve()
    runs = roots.cache_folder() / "runs"
    runs.mkdir(exist_ok=True)
    for old in sorted(runs.iterdir(), key=lambda path: path.stat().st_mtime)[: -_KEPT_RUNS + 1]:
        shutil.rmtree(old, ignore_errors=True)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return Path(tempfile.mkdtemp(prefix=f"{arch}-{kernel}-{stamp}-", dir=runs)).resolve()


def _stop(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _tail(path: Path) -> str:
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    return "\n".join(f"    {line}" for line in lines[-_TAIL:])


def _complaints(console: Path) -> list[str]:
    """What the kernel complained of, to be shown even when all tests passed."""
    lines = console.read_text(errors="replace").splitlines() if console.exists() else []
    return [line for line in lines if any(word in line for word in _COMPLAINTS)]


def _report(arguments: argparse.Namespace, task: guest.Task, outcome: guest.Outcome) -> list[str]:
    """Print what came of the run; the reasons why it failed, none if it did not."""
    failures = [outcome.problem] if outcome.problem else []
    names = [device.name for device in task.devices]
    junit = task.results / "contract.xml"
    print()
    for line in _complaints(task.results / "console.log"):
        print(f"lab: the kernel says: {line}")
    if junit.exists():
        results = table.Table(table.read_junit(junit, names), names, outcome.missing)
        print(results.render())
        if arguments.junit is not None:
            arguments.junit.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(junit, arguments.junit)
        if results.is_failed:
            failures.append("tests failed")
        if results.untested and arguments.expression is None and arguments.shell_command is None:
            failures.append(f"no test ran on {', '.join(results.untested)}")
    elif arguments.shell_command is None and not arguments.shell and not arguments.sleeps:
        failures.append("the suite left no junit file")
    failures += [f"MISSING DEVICE: {name}" for name in outcome.missing]
    if outcome.status and not failures:
        failures.append(f"the guest's status is {outcome.status}")
    if arguments.figures and not failures:
        _keep_figures(task.results)
    if outcome.status is None:
        print(f"lab: the end of the guest's console:\n{_tail(task.results / 'console.log')}")
    return failures


def _keep_figures(results: Path) -> None:
    """Put the tables that the run's tests kept where those of the host are (tests/reliability/figures.py)."""
    folder = Path(os.environ.get("ALSAMM_FIGURES", figures.FOLDER))
    folder.mkdir(parents=True, exist_ok=True)
    for path in (results / "figures").glob("*.json"):
        shutil.copyfile(path, folder / path.name)
    said = (results / "guest.log").read_text(errors="replace") if (results / "guest.log").exists() else ""
    for name, text in re.findall(r"^lab: figures (\S+) (.*)$", said, re.MULTILINE):
        (folder / name).write_text(json.dumps(json.loads(text), indent=2) + "\n")


def _run(arguments: argparse.Namespace) -> int:
    asked = [name for name in arguments.devices.split(",") if name]
    chosen = lab_devices.select(arguments.arch, asked)
    if arguments.junit is not None:
        arguments.junit.unlink(missing_ok=True)
    image = images.prepare(arguments.arch, arguments.kernel, refresh=arguments.refresh)
    results = _results_folder(arguments.results, arguments.arch, arguments.kernel)
    command = "exec bash -i" if arguments.shell else arguments.shell_command
    task = guest.Task(
        image=image,
        devices=chosen,
        command=command
        or _suite(arguments.tests, arguments.expression, icount=arguments.icount, sleeps=arguments.sleeps),
        checkout=arguments.checkout.resolve(),
        results=results,
        timeout=float("inf") if arguments.shell else arguments.timeout,
        interactive=arguments.shell,
        needs_extension=command is None,
        icount=arguments.icount,
        sleeps=arguments.sleeps,
    )
    print(f"lab: {image.arch} guest, Linux {image.version}; this run's files: {results}", flush=True)
    outcome = guest.run(task)
    failures = _report(arguments, task, outcome)
    for failure in failures:
        print(f"lab: FAILED: {failure}")
    if not failures:
        print(f"lab: ok: {image.arch} guest, Linux {image.version}")
    print(f"lab: {outcome.seconds:.0f} s", flush=True)
    return 1 if failures else 0


def main() -> int:
    """Run the lab; the exit status is 0 only if everything asked for was there and passed."""
    arguments = _parser().parse_args()
    if arguments.list_devices:
        print("\n".join(device.name for device in lab_devices.of_arch(arguments.arch)))
        return 0
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGHUP, _stop)
    try:
        return _run(arguments)
    except (roots.RootError, lab_devices.UnknownDeviceError) as error:
        print(f"lab: FAILED: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
