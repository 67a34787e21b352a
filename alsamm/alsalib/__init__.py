"""Set-up through alsa-lib: open a PCM, find out what it can do, configure it."""

from alsamm.alsalib.cards import Card, cards, pcms
from alsamm.alsalib.hw_params import HwParams
from alsamm.alsalib.openers import OPENERS, Opened
from alsamm.alsalib.pcm import PCM
from alsamm.alsalib.quantity import Interval
from alsamm.alsalib.status import PcmInfo, PcmStatus
from alsamm.alsalib.sw_params import SwParams

__all__ = [
    "OPENERS",
    "PCM",
    "Card",
    "HwParams",
    "Interval",
    "Opened",
    "PcmInfo",
    "PcmStatus",
    "SwParams",
    "cards",
    "pcms",
]
