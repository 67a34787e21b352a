"""The targets in C: libFuzzer on what C itself checks, under AddressSanitizer and UBSan."""

from __future__ import annotations

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.abi.abis import ALL_SOURCES, COMPILE_ARGS, INCLUDES, ROOT, SOURCES
from tests.fuzz.found import Found

__all__ = ["BUILD", "TARGETS", "build", "fuzz"]

HERE = Path(__file__).resolve().parent
BUILD = ROOT / "build" / "fuzz"

TARGETS = {"convert": 2500, "card": 600, "threads": 300, "alsalib": 400}
"""And the longest input, in bytes."""

CHECKS = "address,undefined,float-cast-overflow"
FLAGS = [*COMPILE_ARGS, "-O1", "-g", "-Werror", "-fno-sanitize-recover=all", *INCLUDES]
ALSALIB = ["-lasound", "-Wl,--wrap=snd_pcm_type"]


def build() -> None:
    """Compile our C and the targets with clang."""
    BUILD.mkdir(parents=True, exist_ok=True)

    def compile_one(source: Path) -> str:
        made = str(BUILD / f"{source.stem}.o")
        command = ["clang", *FLAGS, f"-fsanitize=fuzzer-no-link,{CHECKS}", "-c", str(source), "-o", made]
        subprocess.run(command, check=True)
        return made

    def link(target: str) -> None:
        sources = ALL_SOURCES if target == "alsalib" else SOURCES
        command = ["clang", *FLAGS, f"-fsanitize=fuzzer,{CHECKS}", "-pthread", "-o", str(BUILD / target)]
        command += [str(HERE / f"{target}.c"), *(objects[source] for source in sources)]
        subprocess.run([*command, *(ALSALIB if target == "alsalib" else [])], check=True)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = dict(zip(ALL_SOURCES, pool.map(compile_one, ALL_SOURCES), strict=True))
        list(pool.map(link, TARGETS))


def fuzz(target: str, seconds: int) -> Found:
    """Run one target, first over its committed corpus."""
    grown, found = BUILD / f"{target}.corpus", BUILD / f"{target}.found"
    grown.mkdir(exist_ok=True)
    found.mkdir(exist_ok=True)
    kept = [folder] if (folder := HERE / "corpus" / target).is_dir() else []  # git keeps no empty folder
    before = set(found.iterdir())
    done = subprocess.run(
        [BUILD / target, f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=3000", "-print_final_stats=1",
         "-print_coverage=1", f"-max_len={TARGETS[target]}", f"-artifact_prefix={found}/", grown, *kept],
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    new = sorted(set(found.iterdir()) - before)
    if done.returncode:
        print(done.stderr.partition("COVERAGE:")[0][-6000:])
    runs = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    edges = re.findall(r"cov: (\d+)", done.stderr)
    return Found(
        int(runs[1]) if runs else 0,
        int(edges[-1]) if edges else 0,
        str(new[0].relative_to(ROOT)) if new else f"ended with {done.returncode}" if done.returncode else "",
        frozenset(re.findall(r"(?m)^COVERED_FUNC: .* (\w+) /\S+/alsamm/_c/", done.stderr)),
    )
