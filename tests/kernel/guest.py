"""One run of a guest: QEMU's command line, what is handed to the guest, and the status it hands back."""

from __future__ import annotations

import codecs
import ctypes
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.kernel import devices as lab_devices
from tests.kernel import extension, initramfs
from tests.kernel.devices import Device
from tests.kernel.images import Image
from tools.roots import need

GUEST_RESULTS = "/run/lab/results"
_HERE = Path(__file__).parent
_QEMU = {
    "amd64": ("qemu-system-x86_64", "qemu-system-x86", ["-M", "q35"], "max", "console=ttyS0"),
    "arm64": (
        "qemu-system-aarch64",
        "qemu-system-arm",
        ["-M", "virt"],
        "max,pauth-impdef=on",
        "console=ttyAMA0",
    ),
}
_IN_TIME = ["-accel", "tcg,thread=multi", "-smp", "2"]
# One CPU, each instruction a nanosecond of the guest's time; while the CPU idles, time leaps to the next timer.
# Without ERMS nobody copies by `rep movsb`, which would count a nanosecond for each byte.
_ICOUNT_CPU = {"amd64": ",-erms", "arm64": ""}
_ICOUNT = ["-accel", "tcg,thread=single", "-smp", "1", "-icount", "shift=0,sleep=off", "-rtc", "clock=vm"]
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Task:
    """What is to be run in a guest: ``command`` is a shell script, run in the checkout."""

    image: Image
    devices: Sequence[Device]
    command: str
    checkout: Path
    results: Path
    timeout: float
    interactive: bool = False
    needs_extension: bool = False
    icount: bool = False
    sleeps: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a run ended. ``status`` is the command's, None if the guest never handed one back."""

    status: int | None
    problem: str
    missing: Sequence[str]
    seconds: float


def run(task: Task) -> Outcome:
    """Boot the guest, run the command, and return when QEMU has ended or was killed."""
    program, package, machine, cpu, console = _QEMU[task.image.arch]
    if task.icount:
        cpu += _ICOUNT_CPU[task.image.arch]
    qemu = need(program, package)
    _hand_over(task)
    arguments = [qemu, *machine, "-cpu", cpu, *_fixed_arguments(task)]
    arguments += ["-append", f"{console} {_kernel_arguments(task)}"]
    (task.results / "lab" / "qemu-command").write_text(shlex.join(arguments) + "\n")
    started = time.monotonic()
    problem = _run_qemu(arguments, task)
    status = _told_status(task.results) if task.sleeps else _read_status(task.results)
    if status is None and not problem:
        problem = "the guest ended without handing back a status: it crashed, or QEMU did"
    missing = _read_lines(task.results / "missing")
    extension.keep(task.results)
    return Outcome(status, problem, missing, time.monotonic() - started)


def _hand_over(task: Task) -> None:
    """Write what the guest reads: see guest.sh."""
    lab = task.results / "lab"
    lab.mkdir(parents=True, exist_ok=True)
    image = task.image
    (lab / "initrd").write_bytes(initramfs.build(image.busybox, image.module_tree, _HERE / "init"))
    shutil.copyfile(_HERE / "guest.sh", lab / "guest.sh")
    (lab / "command.sh").write_text(task.command + "\n")
    (lab / "modprobe").write_text("".join(f"{line}\n" for line in lab_devices.modprobe_lines(task.devices)))
    expected = [" ".join([device.name, *device.pcm_nodes()]) for device in task.devices]
    (lab / "expect").write_text("".join(f"{line}\n" for line in expected))
    (lab / "env").write_text(
        "".join(f"export {name}={shlex.quote(text)}\n" for name, text in _environment(task).items())
    )
    lab_devices.write_description(task.devices, task.results / "devices.json", GUEST_RESULTS)
    extension.hand_over(image, task.checkout, lab)


def _environment(task: Task) -> Mapping[str, str]:
    told = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/run/lab/home",
        "TMPDIR": "/run/lab/tmp",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "ALSAMM_LAB": "1",
        "ALSAMM_LAB_ARCH": task.image.arch,
        "ALSAMM_LAB_KERNEL": task.image.version,
        "ALSAMM_LAB_RESULTS": GUEST_RESULTS,
        "ALSAMM_LAB_DEVICES": f"{GUEST_RESULTS}/devices.json",
        "LAB_PYTHON": "python3",
        "LAB_CHECKOUT": str(task.checkout),
        "LAB_SPEAKERS": " ".join(device.card for device in task.devices if device.wav),
        "LAB_EPOCH": str(int(time.time())),
        "LAB_COPY": "" if task.image.is_host_root else "1",
        "LAB_STRICT": "1" if task.needs_extension else "",
        "LAB_INTERACTIVE": "1" if task.interactive else "",
        "LAB_SLEEPS": "1" if task.sleeps else "",
        "ALSAMM_FIGURES": f"{'/run/lab/tmp' if task.sleeps else GUEST_RESULTS}/figures",
    }
    if task.image.is_host_root:
        told["LAB_PYTHON"] = sys.executable
        told["PATH"] = f"{Path(sys.executable).parent}:{told['PATH']}"
    if task.interactive:
        told["TERM"] = os.environ.get("TERM", "dumb")
    return told


def _kernel_arguments(task: Task) -> str:
    # Panics end the guest at once (QEMU has -no-reboot), and an oops is a panic.
    words = ["panic=-1", "oops=panic", "mitigations=off", "random.trust_cpu=on", "rdinit=/init"]
    words.append("lab.modules=1" if task.image.is_host_root else "lab.checkout=1")
    return " ".join(words)


def _shared(tag: str, path: Path, *, writable: bool = False) -> list[str]:
    readonly = "" if writable else ",readonly=on"
    backend = f"local,id={tag},path={str(path).replace(',', ',,')},security_model=none,multidevs=remap{readonly}"
    return ["-fsdev", backend, "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]


def _fixed_arguments(task: Task) -> list[str]:
    image = task.image
    arguments = [*(_ICOUNT if task.icount else _IN_TIME), "-m", "2048", "-no-reboot", "-nodefaults"]
    arguments += ["-no-user-config", "-display", "none", "-serial", "file:console.log"]
    arguments += ["-kernel", str(image.vmlinuz), "-initrd", "lab/initrd"]
    arguments += lab_devices.qemu_arguments(task.devices)
    arguments += _shared("root", image.root) + _shared("results", task.results, writable=True)
    if image.is_host_root:
        arguments += _shared("modules", image.modules / "lib" / "modules")
    else:
        arguments += _shared("checkout", task.checkout)
    # QEMU's monitor, as a port of the guest's: by it a test pulls a plug (test_faults_unplug.py).
    socket = "path=monitor.sock"
    arguments += ["-chardev", f"socket,id=monitor,{socket},server=on,wait=off", "-mon", "chardev=monitor"]
    arguments += ["-chardev", f"socket,id=asked,{socket}"]
    port = "virtconsole,chardev=lab" if task.interactive else "virtserialport,chardev=lab,name=alsamm.lab"
    arguments += ["-chardev", "stdio,id=lab,signal=off", "-device", "virtio-serial-pci", "-device", port]
    return [*arguments, "-device", "virtserialport,chardev=asked,name=alsamm.monitor"]


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _apart() -> None:
    """Ctrl-C is for us. Not a session of its own, to which Linux would give as much of the CPUs as to all of ours,
    whatever the guest's ``nice`` (sched_autogroup, sched(7)): the tests beside it then waited for up to a second."""
    os.setpgid(0, 0)
    _die_with_parent()


def _run_qemu(arguments: Sequence[str], task: Task) -> str:
    """Run QEMU to its end; what went wrong, or an empty text. Never leaves it running."""
    with (
        (task.results / "qemu.log").open("wb") as errors,
        subprocess.Popen(
            arguments,
            cwd=task.results,
            # An open pipe that stays empty: at the end of its input QEMU would close the guest's channel.
            stdin=None if task.interactive else subprocess.PIPE,
            stdout=None if task.interactive else subprocess.PIPE,
            stderr=errors,
            preexec_fn=_die_with_parent if task.interactive else _apart,  # noqa: PLW1509 - there are no threads here
        ) as qemu,
    ):
        try:
            if task.interactive:
                _wait_with_terminal(qemu)
            elif not _relay(qemu, task):
                return f"the guest was still running after {task.timeout:.0f} s and was killed"
            status = qemu.wait()
        finally:
            if qemu.poll() is None:
                qemu.kill()
    if status != 0:
        return f"QEMU ended with status {status}: {(task.results / 'qemu.log').read_text(errors='replace').strip()}"
    return ""


def _relay(qemu: subprocess.Popen[bytes], task: Task) -> bool:
    """Copy the guest's output to stdout and guest.log as it comes; False when time ran out."""
    assert qemu.stdout is not None
    source = qemu.stdout.fileno()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    deadline = time.monotonic() + task.timeout
    with (task.results / "guest.log").open("wb") as log:
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if not select.select([source], [], [], left)[0]:
                continue
            data = os.read(source, 65536)
            if not data:
                break
            log.write(data)
            log.flush()
            sys.stdout.write(decoder.decode(data))
            sys.stdout.flush()
    try:
        qemu.wait(max(1.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


def _wait_with_terminal(qemu: subprocess.Popen[bytes]) -> None:
    """Let QEMU have the terminal until it ends; put the terminal back as it was."""
    kept = termios.tcgetattr(0) if os.isatty(0) else None
    try:
        qemu.wait()
    finally:
        if kept is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, kept)


def _read_lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def _told_status(results: Path) -> int | None:
    """What the guest said last, where it could write no file."""
    said = re.findall(r"^lab: status (\d+)\s*$", (results / "guest.log").read_text(errors="replace"), re.MULTILINE)
    return int(said[-1]) if said else None


def _read_status(results: Path) -> int | None:
    words = _read_lines(results / "status")
    return int(words[0]) if words and words[0].isdigit() else None
