"""Streams that people write: playback, capture, duplex, on any device."""

from alsamm.stream.aio import AsyncCapture, AsyncPlayback
from alsamm.stream.callback import Stream
from alsamm.stream.callback_values import CallbackAbort, CallbackError, CallbackStatus, CallbackStop, CallbackTime
from alsamm.stream.capture import CaptureStream, capture
from alsamm.stream.clock import ClockModel
from alsamm.stream.duplex import DuplexStream, duplex
from alsamm.stream.playback import PlaybackStream, playback
from alsamm.stream.realtime import Realtime, realtime
from alsamm.stream.resample import DriftResampler, Hold
from alsamm.stream.stats import Stats

__all__ = [
    "AsyncCapture",
    "AsyncPlayback",
    "CallbackAbort",
    "CallbackError",
    "CallbackStatus",
    "CallbackStop",
    "CallbackTime",
    "CaptureStream",
    "ClockModel",
    "DriftResampler",
    "DuplexStream",
    "Hold",
    "PlaybackStream",
    "Realtime",
    "Stats",
    "Stream",
    "capture",
    "duplex",
    "playback",
    "realtime",
]
