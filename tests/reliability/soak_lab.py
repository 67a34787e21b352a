"""``python -m tests.reliability.soak_lab SECONDS``: soak's aloop in a guest, and its figures brought home."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.reliability.figures import FOLDER

_WALL_FOR_A_SECOND = 3


def main() -> int:
    seconds = int(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        command = (
            'ALSAMM_FIGURES="$ALSAMM_LAB_RESULTS" exec "$LAB_PYTHON" -m tests.reliability.soak'
            f" --aloop Loopback --seconds {seconds}"
        )
        lab = [sys.executable, "-m", "tests.kernel", "--icount", "--devices", "aloop", "--results", folder]
        lab += ["--timeout", str(300 + _WALL_FOR_A_SECOND * seconds), "--shell-command", command]
        status = subprocess.run(lab, check=False).returncode
        if status == 0:
            FOLDER.mkdir(parents=True, exist_ok=True)
            print(f"kept: {shutil.copy(Path(folder) / 'soak-aloop.json', FOLDER)}")
    return status


if __name__ == "__main__":
    sys.exit(main())
