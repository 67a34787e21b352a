"""A caller's samples into a PCM's own, and back; ``_c/convert.h`` has the rule."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from alsamm import errors
from alsamm._c import check, ffi, lib
from alsamm.enums import Format

__all__ = ["conversion", "convert"]

_Array = np.ndarray[Any, np.dtype[Any]]

_CONVERTIBLE = ("float32", "float64", "int16", "int32")


def conversion(dtype: object, own: Format, *, dither: bool, capture: bool) -> tuple[Format, Any]:
    """The format of the samples that a caller hands over as numpy's ``dtype``, for a PCM of the format ``own``.

    With it the ``struct alsamm_converter`` that turns them into the PCM's, for capture the PCM's into them; None where
    they are copied as they are. ``dtype`` None: the PCM's own samples.

    Raises ArgumentTypeError for a dtype that cannot be converted, ArgumentError for dither where it has no use,
    UnsupportedError for a format that cannot be converted.

    Synchronization: none needed; a converter is not written to any more.
    """
    held = own if dtype is None else _format_of(dtype, own)
    if held != own or (dtype is not None and held.is_float):  # for a NaN is no silence to any card
        return held, _converter(held, own, dither=dither, capture=capture)
    if dither:
        raise errors.ArgumentError(f"dither: {held.name} samples are copied as they are, there is nothing to round")
    return held, None


def convert(converter: Any, to: _Array, source: _Array, first: int) -> None:
    """Turn ``source`` into ``to``: arrays (frames, channels) of any strides, packed samples with a last axis of three.

    ``first``: the number of the first frame in its stream, which alone decides the dither, so that a stream may be cut
    anywhere. ``to`` is written to; both are of the formats that the converter was made for, and of one length.

    Synchronization: one caller at a time for each target.
    """
    frames, channels = source.shape[:2]
    first %= 1 << 40  # so that the number of a sample fits a C long; dither repeats after months
    target, origin = (ffi.cast("char *", array.__array_interface__["data"][0]) for array in (to, source))
    if to.flags.c_contiguous and source.flags.c_contiguous:
        samples = frames * channels
        steps = (array.nbytes // max(1, samples) for array in (to, source))  # numpy's may be 0 for a lone channel
        _run(converter, target, next(steps), origin, next(steps), samples, first * channels, 1)
        return
    for c in range(channels):
        at, of = target + c * to.strides[1], origin + c * source.strides[1]
        _run(converter, at, to.strides[0], of, source.strides[0], frames, first * channels + c, channels)


def _run(converter: Any, *arguments: Any) -> None:
    check(lib.fast_convert(converter, *arguments), "fast_convert")


def _format_of(dtype: object, own: Format) -> Format:
    try:
        wanted = np.dtype(dtype)  # type: ignore[call-overload] # pyright: ignore -- asked just here
    except TypeError as error:
        raise errors.ArgumentTypeError(str(error)) from None
    if wanted.isnative and wanted.name in _CONVERTIBLE:
        return Format.from_dtype(wanted)
    if wanted == own.dtype:
        return own
    names = ", ".join(_CONVERTIBLE)
    raise errors.ArgumentTypeError(f"dtype {wanted.str}: {names} can be converted to and from {own.name}")


def _converter(held: Format, own: Format, *, dither: bool, capture: bool) -> Any:
    source, target = (own, held) if capture else (held, own)
    if dither and (target.is_float or target.width > 16 or (not source.is_float and source.width <= target.width)):  # noqa: PLR2004 -- bits
        raise errors.ArgumentError(f"dither is for 16 bits or fewer, from more than that; not for {source} to {target}")
    converter = ffi.new("struct alsamm_converter *")
    for sample, format_ in ((getattr(converter, "from"), source), (converter.to, target)):
        sample.bytes = format_.physical_width // 8
        sample.bits = format_.width
        sample.is_float = format_.is_float
        sample.is_signed = format_.signed
        sample.swapped = sample.bytes > 1 and format_.big_endian != (sys.byteorder == "big")
    converter.dither = dither
    if lib.fast_converter(converter, -1) < 0:
        raise errors.UnsupportedError(f"samples cannot be converted from {source} to {target}")
    return converter
