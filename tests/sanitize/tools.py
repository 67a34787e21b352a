"""The tools that watch our C at work: how each is built in, what it is told, and which tests run under it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["LEFT_OUT", "SMOKE", "TOOLS", "Tool"]

HOST = ("tests/unit", "tests/alsalib", "tests/contract", "tests/cli", "tests/examples")

# Files and cases, under every tool, and why.
_TIMED = "holds a realtime card against the clock, which a program that runs so slowly does not keep up with"
LEFT_OUT = {
    "tests/contract/test_system_calls.py": "strace counts the tool's own calls",
    "tests/unit/test_realtime.py": "locks memory, which the sanitizers make do nothing",
    "tests/unit/test_realtime_memory.py": "likewise",
    "tests/unit/test_gil.py": "times how long a call keeps the GIL",
    "tests/unit/test_whole_blocks.py": "a signal that must come within milliseconds",
    "tests/unit/test_reliability.py::test_the_page_is_that_of_the_figures": "the tool before has just written others",
    "tests/unit/test_callback_found.py": _TIMED,
    "tests/unit/test_streams_found.py": _TIMED,
    "tests/unit/test_two_cards.py": _TIMED,
    "tests/examples/test_examples.py::test_it_does_what_it_says[callback]": _TIMED,
}

SMOKE = ("tests/unit/test_ring.py", "tests/unit/test_sim_card.py", "tests/unit/test_sim_states.py",
         "tests/unit/test_sim_mapping.py", "tests/unit/test_sim_registry.py", "tests/unit/test_block_io.py",
         "tests/unit/test_edges_found.py")  # fmt: skip


@dataclass(frozen=True)
class Tool:
    """One tool. ``flags`` are the compiler's, ``preload`` what must be there before Python, ``prefix`` what runs it.

    ``faults`` are those of planted.c that it must find. ``{log}`` stands for the folder of its reports.
    """

    name: str
    faults: tuple[str, ...]
    flags: tuple[str, ...] = ("-g",)
    preload: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    options: dict[str, str] = field(default_factory=dict)
    tests: tuple[str, ...] = HOST
    left_out: dict[str, str] = field(default_factory=dict)
    """Files and cases besides those that are left out under every tool, and why."""
    symbol: str = ""
    """What its instrumentation calls; empty where it needs none."""

    def environment(self, tree: Path, log: Path) -> dict[str, str]:
        """For a process that is to be watched."""
        libraries = [
            subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout
            for name in self.preload
        ]
        return {
            **os.environ,
            "PYTHONPATH": str(tree),
            "PYTHONMALLOC": "malloc",  # so that each object of Python's is a piece of memory of its own
            "PYTHONDONTWRITEBYTECODE": "1",
            "ALSAMM_REPORTS": str(log),
            "LD_PRELOAD": " ".join(library.strip() for library in libraries),
            **{name: value.format(log=log) for name, value in self.options.items()},
        }

    def command(self, log: Path) -> list[str]:
        """What begins a command line, as far as the interpreter."""
        return [*(part.format(log=log) for part in self.prefix), sys.executable]


TOOLS = {
    tool.name: tool
    for tool in (
        Tool(
            "asan",
            faults=("overflow", "undefined", "leak"),
            flags=(
                "-g", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all",
                "-fsanitize=address,undefined,float-cast-overflow,float-divide-by-zero",
            ),
            preload=("libasan.so", "libubsan.so"),
            options={
                "ASAN_OPTIONS": "log_path={log}/asan:detect_stack_use_after_return=1:allocator_may_return_null=1"
                ":detect_leaks=1:leak_check_at_exit=0:malloc_context_size=8",
                "UBSAN_OPTIONS": "print_stacktrace=1",
            },
            symbol="__asan_report",
        ),
        Tool(
            "tsan",
            faults=("race",),
            # Fences alone it does not understand (direct_read's, an anchor's), but those order atomic accesses.
            flags=("-g", "-fno-omit-frame-pointer", "-fsanitize=thread", "-Wno-tsan"),
            preload=("libtsan.so",),
            options={"TSAN_OPTIONS": "log_path={log}/tsan:exitcode=0:history_size=4:die_after_fork=0"},
            left_out={
                "tests/unit/test_sim_registry.py::test_calls_beside_opening_and_closing[number]": "means that race",
                "tests/unit/test_faults.py": "closes descriptors in a stream's back, which is a race to them",
                "tests/unit/test_faults_found.py": "likewise",
                "tests/unit/test_threads.py::test_two_threads_on_one_ring_lose_frames_and_nothing_else": "a misuse",
                "tests/unit/test_lifetimes.py": "RLIMIT_AS, which ThreadSanitizer's own memory is beyond",
            },
            tests=("tests/contract", "tests/unit"),
            symbol="__tsan_func_entry",
        ),
        Tool(
            "valgrind",
            faults=("overflow", "uninitialised", "unset"),
            prefix=(
                "valgrind", "--quiet", "--tool=memcheck", "--num-callers=12", "--error-exitcode=0",
                "--log-file={log}/valgrind.%p", "--suppressions=/usr/lib/valgrind/python3.supp",
                "--fair-sched=yes",  # it runs one thread at a time, and a copy would be over before the other's turn
                "--track-origins=yes",  # so that a value of ours that Python uses is told as ours
            ),
            # 30 times slower: what moves samples and pointers.
            tests=(
                "tests/unit/test_sim_sync_ptr.py", "tests/unit/test_sim_mapping.py", "tests/unit/test_sim_states.py",
                "tests/unit/test_ring.py", "tests/unit/test_direct.py", "tests/unit/test_convert.py",
            ),
        ),
    )
}  # fmt: skip
