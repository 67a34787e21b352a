"""Rules A5 and B of docs/kernel-rules.md, as they stand there, against the header: each number by an assertion in C."""

from __future__ import annotations

import pytest

from tests.abi.abis import ABIS, compile_c, ioctls, structs

each_abi = pytest.mark.parametrize("abi", ABIS)

HEADERS = """
#include <stddef.h>
#include <sys/ioctl.h>
#include <time.h>
#include <sound/asound.h>
"""


def assertions(abi: str) -> list[str]:
    lines = [
        f'_Static_assert(SNDRV_PCM_IOCTL_{name} == {number:#x}u, "{name}");' for name, number in ioctls(abi).items()
    ]
    for name, (size, fields) in structs(abi).items():
        lines.append(f'_Static_assert(sizeof(struct snd_pcm_{name}) == {size}, "{name}");')
        lines += [
            f'_Static_assert(offsetof(struct snd_pcm_{name}, {field}) == {at}, "{name}.{field}");'
            for field, at in fields.items()
        ]
    return lines


@each_abi
def test_the_rules_are_the_header_s(abi: str) -> None:
    compile_c(abi, "-fsyntax-only", "-x", "c", "-", stdin=HEADERS + "\n".join(assertions(abi)))


def test_the_rules_tell_of_all_that_this_project_asks() -> None:
    """26 ioctls and seven structs; the parser would else find less and all would be well."""
    for abi in ABIS:
        assert len(ioctls(abi)) == 26
        sizes = {name: len(fields) for name, (_, fields) in structs(abi).items()}
        assert set(sizes) == {
            "mmap_status", "mmap_control", "sync_ptr", "channel_info", "sw_params", "status", "hw_params",
        }  # fmt: skip
        assert all(count >= 2 for name, count in sizes.items() if name != "hw_params")


@each_abi
@pytest.mark.parametrize("wrong", [0, -1])
def test_a_wrong_number_does_not_pass(abi: str, wrong: int) -> None:
    lines = assertions(abi)
    lines[wrong] = lines[wrong].replace("==", "!=")
    with pytest.raises(AssertionError, match="static assertion failed"):
        compile_c(abi, "-fsyntax-only", "-x", "c", "-", stdin=HEADERS + "\n".join(lines))


def test_where_avail_min_lies_for_64_bit_time_in_32_bits() -> None:
    """Rule B1: at 4, where the header has it by a slip that became the ABI; and SYNC_PTR's number does not tell."""
    assert structs("time64")["mmap_control"] == (12, {"appl_ptr": 0, "avail_min": 4})
    assert ioctls("time64")["SYNC_PTR"] == ioctls("64-bit")["SYNC_PTR"] != ioctls("time32")["SYNC_PTR"]
