"""What a run found, read from the JSON that pytest-benchmark wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alsamm.cli.turns import Timing

__all__ = ["Results", "Timing"]


@dataclass(frozen=True)
class Results:
    """``contests``: timings by contest and contestant. The others as the tests of their names put them."""

    contests: dict[str, dict[str, Timing]]
    services: dict[str, dict[str, float]]
    system_calls: dict[str, dict[str, Any]]
    allocations: list[dict[str, int]]
    portaudio: str

    @classmethod
    def read(cls, path: Path) -> Results:
        found = [benchmark["extra_info"] for benchmark in json.loads(path.read_text())["benchmarks"]]
        return cls(
            contests={
                info["contest"]: {name: Timing(**timing) for name, timing in info["contestants"].items()}
                for info in found
                if "contest" in info
            },
            services=next((info["services"] for info in found if "services" in info), {}),
            system_calls={
                info["system_calls"]["transport"]: info["system_calls"] for info in found if "system_calls" in info
            },
            allocations=[info["allocations"] for info in found if "allocations" in info],
            portaudio=next((info["portaudio"] for info in found if "portaudio" in info), "not asked"),
        )

    def ns(self, contest: str, contestant: str) -> float | None:
        """None: not measured in this run."""
        timing = self.contests.get(contest, {}).get(contestant)
        return None if timing is None else timing.ns

    def ratio(self, contest: str, subject: str, peer: str) -> float | None:
        one, other = self.ns(contest, subject), self.ns(contest, peer)
        return None if one is None or other is None else one / other
