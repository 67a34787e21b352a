"""A PCM that takes everything at once and plays nothing, under a name that PortAudio shows."""

from __future__ import annotations

import os

from tests.bench import build

__all__ = ["NAME", "configure"]

# PortAudio lists cards and the PCMs of alsa-lib's configuration, but for some names, of which `null` itself is one.
NAME = "bench_null"
_CONFIGURATION = f"</usr/share/alsa/alsa.conf>\npcm.{NAME} {{ type null }}\n"


def configure() -> None:
    """For this process, before it opens any PCM and before sounddevice is imported: PortAudio looks only then."""
    build.FOLDER.mkdir(exist_ok=True)
    path = build.FOLDER / "asound.conf"
    path.write_text(_CONFIGURATION)
    os.environ["ALSA_CONFIG_PATH"] = str(path)
