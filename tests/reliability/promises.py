"""What is promised, and where it is tested."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PROMISES", "RUNS", "Promise"]


@dataclass(frozen=True)
class Promise:
    """``tests``: what `make test` runs for it. ``runs``: the long ones, by the names of their figures."""

    text: str
    tests: tuple[str, ...]
    runs: tuple[str, ...] = ()


PROMISES = (
    Promise(
        "Every frame that is written is played, or is reported lost; every frame that is read was captured, in order; "
        "none comes twice.",
        ("tests/unit/test_ledger.py", "tests/model", "tests/kernel/test_end_to_end.py"),
        ("model", "soak", "soak-aloop"),
    ),
    Promise(
        "Pointers, states, errors and sound are what the kernel's rules say, after any sequence of calls, "
        "on each transport.",
        ("tests/model", "tests/contract", "tests/kernel/test_model.py"),
        ("model",),
    ),
    Promise(
        "Frame numbers and pointers go on past the boundary, 2^31, 2^32 and 2^53.",
        ("tests/contract/test_ring.py", "tests/model", "tests/unit/test_model_found.py", "tests/kernel/test_model.py"),
        ("model", "soak"),
    ),
    Promise(
        "An unplugged, suspended, starved, busy or forbidden card ends in the exception or the recovery that is "
        "documented, in time, and leaves the card free: no descriptor, mapping or thread stays.",
        ("tests/kernel/test_faults_unplug.py", "tests/kernel/test_faults_starved.py",
         "tests/kernel/test_faults_suspend.py", "tests/kernel/test_faults_process.py", "tests/unit/test_faults.py"),
        ("faults", "faults-suspend", "faults-6.12", "faults-arm64"),
    ),
    Promise(
        "A process that is killed leaves the card free at once. One that is stopped, forked, interrupted by signals, "
        "or out of descriptors or memory goes on or is told, does not hang, and writes to no file that took a "
        "descriptor's number.",
        ("tests/kernel/test_faults_process.py", "tests/kernel/test_faults_signals.py"),
        ("faults",),
    ),
    Promise(
        "Closing from another thread ends a call that waits, with ClosedError.",
        (
            "tests/kernel/test_faults_close.py",
            "tests/unit/test_before_every_line.py",
            "tests/unit/test_faults_found.py",
        ),
        ("faults",),
    ),
    Promise(
        "Any thread may read what is documented so, beside a writer; two writers on one ring lose frames "
        "and nothing else.",
        ("tests/unit/test_threads.py", "tests/unit/test_parallel.py", "tests/kernel/test_threads.py"),
        ("sanitize-tsan",),
    ),
    Promise(
        "Opening and closing, with errors at any point and in any order, leaves nothing behind.",
        ("tests/unit/test_lifetimes.py", "tests/contract/test_lifetime.py"),
        ("lifetimes",),
    ),
    Promise(
        "No argument, array, file or descriptor makes C read or write what is not its own.",
        ("tests/fuzz", "tests/sanitize", "tests/unit/test_edges_found.py", "tests/unit/test_security.py"),
        ("fuzz", "sanitize-asan", "sanitize-valgrind"),
    ),
    Promise(
        "Structs and ioctl numbers are the kernel's, in 64 and 32 bits, with either width of time.",
        ("tests/abi",),
    ),
)  # fmt: skip

RUNS = {
    "faults": "What was done to a stream on a real driver, and what came of it. *buffers*: from how long to how long "
    "after the fault that was, in lengths of the stream's buffer; 0.00 where there is nothing to wait for. Each case "
    "by itself is in docs/reliability.",
    "faults-suspend": "As faults, of a system that goes to sleep and wakes.",
    "faults-6.12": "As faults, on kernel 6.12.",
    "faults-arm64": "As faults, on arm64, where no page is mapped.",
    "fuzz": "Inputs that nobody thought of, at each edge of the C code, under AddressSanitizer and UBSan. *entry "
    "points*: what Python calls with an argument, and what alsa-lib calls back; the run fails where no target comes to "
    "one, but for those that are excused, with a reason. *edges*: branches of the C code that were reached, not told "
    "by api; *found*: what broke it, a hang too.",
    "lifetimes": "A life opens something on a software card, uses it a little and ends in one of many ways. Before "
    "and after all of them is what the process has: descriptors, maps, threads, Python's blocks, "
    "what malloc has given out (*heap_bytes*), resident memory.",
    "model": "Random operations on software cards and on a model of the kernel's rules; whatever can be seen must be "
    "the same on both after each. *operation*: how often each was made; *state*: after how many steps a stream was "
    "in it.",
    "sanitize-asan": "Most tests under AddressSanitizer with UBSan. *findings*: reports about our C, and one more "
    "where a case failed twice; *planted*: whether the tool finds a fault that is there.",
    "sanitize-tsan": "Tests with threads under ThreadSanitizer; figures as of sanitize-asan.",
    "sanitize-valgrind": "Tests of the C code under valgrind; figures as of sanitize-asan.",
    "soak": "Each sample is its frame's number, so what is heard tells which frame it was. With faults, frames go "
    "missing: *reported lost* are those that the streams told of, *never heard* those that did not come, which the "
    "run itself sees. *moved unseen* is by how much both may differ: frames that the card moved after the kernel "
    "last looked (rule H1). Nothing came twice or out of its turn, or the run had failed.",
    "soak-aloop": "As soak, on the kernel's own loopback.",
}
"""What a long run does, and how its tables are read."""
