"""What a bug report must tell of the machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import cffi
import numpy as np

import alsamm
from alsamm._c import lib, string

__all__ = ["versions"]

_MODELS = ("/sys/class/dmi/id/product_name", "/proc/device-tree/model")


def versions() -> dict[str, str]:
    """Of all that sound passes through, and what machine this is."""
    kernel = os.uname()
    return {
        "alsamm": alsamm.__version__,
        "kernel": f"{kernel.sysname} {kernel.release} {kernel.machine}",
        "alsa-lib": string(lib.snd_asoundlib_version()),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "cffi": cffi.__version__,
        "numpy": np.__version__,
        "distribution": _distribution(),
        "machine": next(filter(None, map(_text, _MODELS)), "unknown"),
    }


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")
    except OSError:
        return "unknown"


def _text(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace").strip("\0\n ")
    except OSError:
        return ""
