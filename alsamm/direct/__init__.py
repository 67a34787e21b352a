"""Kernel memory: the status and control pages, the ring, and the streams over them."""

from alsamm.direct.capture import CaptureIter, MmapCapture
from alsamm.direct.control import Control
from alsamm.direct.pages import Transports
from alsamm.direct.playback import MmapPlayback
from alsamm.direct.samples import RawSamples
from alsamm.direct.status import Status
from alsamm.direct.sync_ptr import SyncPtrStatus

__all__ = [
    "CaptureIter",
    "Control",
    "MmapCapture",
    "MmapPlayback",
    "RawSamples",
    "Status",
    "SyncPtrStatus",
    "Transports",
]
