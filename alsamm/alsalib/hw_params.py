"""The hardware parameters of a PCM: the space of all that it can do, narrowed until one configuration is left."""

from __future__ import annotations

import errno
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from alsamm import errors
from alsamm._c import FAILURES, failure, ffi, lib
from alsamm.alsalib.hw_flags import Configurable, HwFlags
from alsamm.alsalib.quantity import LIMIT, Interval, Numbers, Quantity, QuantityName, only, quantity
from alsamm.checks import whole_number
from alsamm.enums import Access, Format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from typing_extensions import Unpack

    from alsamm._c._native import CData

__all__ = ["HwParams"]

_USUAL_RATES = (5512, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000, 176400, 192000,
                352800, 384000, 705600, 768000)  # fmt: skip
_LISTED = 64  # so many values are tried one by one for a message

_TIMED: dict[str, QuantityName] = {"period": "period_size", "buffer": "buffer_size"}
_SHOWN: tuple[QuantityName, ...] = ("channels", "rate", "period_size", "buffer_size")

_CONFIGURING = MappingProxyType({**FAILURES, errno.EINVAL: errors.ParameterError})

_C = TypeVar("_C", Access, Format)


class Wishes(Numbers, total=False):
    """Anything of a configuration, by name."""

    access: Access | str
    format: Format | str


class HwParams(HwFlags):
    """All that a PCM can do (snd_pcm_hw_params_any), to be narrowed and given to PCM.configure.

    Each quantity - ``access``, ``format``, ``channels``, ``rate`` (Hz), ``period_size`` and ``buffer_size`` (frames),
    ``period_time_us`` and ``buffer_time_us``, ``periods`` - is a property. **Setting it is exact**, or ParameterError
    that says what could be had, given what has been set before; nothing is rounded in silence. Where any value will do,
    the methods narrow and give back what was granted::

        hw.nearest(rate=44_100)             # -> 48000
        hw.at_least(period_size=64)         # no smaller one from here on; also at_most
        hw.largest("buffer_size")           # also smallest

    ``range("rate")``, ``formats``, ``accesses`` and ``allows(rate=44_100, channels=6)`` tell what is left. Reading a
    property whose value is not decided yet raises StateError. What is still open when PCM.configure comes is chosen as
    alsa-lib does: the first access and format, the fewest channels, the lowest rate, the largest buffer, the smallest
    period. Then all properties tell what was granted.

    Errors of all that changes: ParameterError, ArgumentError for unknown names, ArgumentTypeError for what is no
    number, ClosedError once the PCM is closed.

    Synchronization: none; one thread at a time.
    """

    def __init__(self, pcm: Configurable) -> None:
        super().__init__(pcm, _malloc())
        self._set: dict[str, str] = {}  # all that was decided, for messages
        self._exact: dict[QuantityName, int] = {}  # what was asked for by setting it
        code = pcm.call(lib.snd_pcm_hw_params_any, self._params)
        if code < 0:
            raise errors.ParameterError(-code, "no configuration at all is possible", "snd_pcm_hw_params_any", pcm.name)

    # ---- what is possible ----

    @property
    def accesses(self) -> list[Access]:
        """The ways of access that are possible still."""
        return [each for each in Access if self._test("access", each, self._params)]

    @property
    def formats(self) -> list[Format]:
        """The sample formats that are possible still."""
        return [each for each in Format if self._test("format", each, self._params)]

    def range(self, name: QuantityName) -> Interval:
        """The least and the greatest that are possible still; not all between them need be: see ``allows``."""
        what = quantity(name)
        self._require_open()
        return what.interval(self._params)

    def allows(self, **wishes: Unpack[Wishes]) -> bool:
        """Whether all of these could be set now, exactly and together: ``allows(format="S16_LE", rate=44_100)``."""
        trial = self.copy()
        try:
            for name, value in wishes.items():
                trial._set_one(name, value)  # noqa: SLF001 -- of the same class
        except errors.ParameterError:
            return False
        return True

    # ---- narrowing ----

    def nearest(self, **number: Unpack[Numbers]) -> int:
        """Decide for what is possible and nearest, ``nearest(rate=44_100)``; gives it (set_*_near)."""
        what, value = only(number)
        return self._decided(what, self._move(what, "near", self._near(what, min(max(value, 0), LIMIT // 2 - 1))))

    def _near(self, what: Quantity, value: int) -> int:
        """The nearer of the two around it: of a list of rates alsa-lib takes the upper one, however far."""
        tried = [self._pcm.call(what.move, self.copy().params, how, value) for how in ("max", "min")]
        return min((there for code, there in tried if code >= 0), key=lambda there: abs(there - value), default=value)

    def at_least(self, **number: Unpack[Numbers]) -> int:
        """From here on no less: ``at_least(period_size=64)``; gives the least that is possible (set_*_min)."""
        return self._bound(*only(number), "min", "at least")

    def at_most(self, **number: Unpack[Numbers]) -> int:
        """From here on no more: ``at_most(buffer_size=4096)``; gives the most that is possible (set_*_max)."""
        return self._bound(*only(number), "max", "at most")

    def smallest(self, name: QuantityName) -> int:
        """Decide for the least that is possible; gives it (snd_pcm_hw_params_set_*_first)."""
        what = quantity(name)
        return self._decided(what, self._move(what, "first", 0))

    def largest(self, name: QuantityName) -> int:
        """Decide for the greatest that is possible; gives it (snd_pcm_hw_params_set_*_last)."""
        what = quantity(name)
        return self._decided(what, self._move(what, "last", 0))

    def copy(self) -> HwParams:
        """An independent copy of the space as it is now."""
        other = HwParams.__new__(HwParams)
        HwFlags.__init__(other, self._pcm, _malloc())
        other._set, other._exact = dict(self._set), dict(self._exact)  # noqa: SLF001 -- of the same class
        lib.snd_pcm_hw_params_copy(other.params, self._params)
        return other

    # ---- the quantities ----

    @property
    def access(self) -> Access:
        """How samples are handed over; set by member or name, such as ``"MMAP_INTERLEAVED"``."""
        return self._chosen("access", lib.snd_pcm_hw_params_get_access, Access)

    @access.setter
    def access(self, value: Access | str) -> None:
        self._choose("access", lib.snd_pcm_hw_params_set_access, Access.of(value))

    @property
    def format(self) -> Format:
        """What a sample is; set by member or name, such as ``"S16_LE"``."""
        return self._chosen("format", lib.snd_pcm_hw_params_get_format, Format)

    @format.setter  # noqa: A003 -- ALSA's word
    def format(self, value: Format | str) -> None:
        self._choose("format", lib.snd_pcm_hw_params_set_format, Format.of(value))

    @property
    def channels(self) -> int:
        """How many samples make a frame."""
        return self._get("channels")

    @channels.setter
    def channels(self, value: int) -> None:
        self._put("channels", value)

    @property
    def rate(self) -> int:
        """Frames a second, Hz; rounded where the card's clock divides unevenly: ``rate_ratio`` is exact."""
        return self._get("rate")

    @rate.setter
    def rate(self, value: int) -> None:
        self._put("rate", value)

    @property
    def period_size(self) -> int:
        """Frames from one interrupt to the next."""
        return self._get("period_size")

    @period_size.setter
    def period_size(self, value: int) -> None:
        self._put("period_size", value)

    @property
    def period_time_us(self) -> int:
        """Microseconds from one interrupt to the next, rounded down."""
        return self._get("period_time_us")

    @period_time_us.setter
    def period_time_us(self, value: int) -> None:
        self._put("period_time_us", value)

    @property
    def periods(self) -> int:
        """Interrupts in a turn of the buffer, rounded down where it is no whole number of periods."""
        return self._get("periods")

    @periods.setter
    def periods(self, value: int) -> None:
        self._put("periods", value)

    @property
    def buffer_size(self) -> int:
        """Frames of the whole ring."""
        return self._get("buffer_size")

    @buffer_size.setter
    def buffer_size(self, value: int) -> None:
        self._put("buffer_size", value)

    @property
    def buffer_time_us(self) -> int:
        """Microseconds of the whole ring, rounded down."""
        return self._get("buffer_time_us")

    @buffer_time_us.setter
    def buffer_time_us(self, value: int) -> None:
        self._put("buffer_time_us", value)

    def refused(self, code: int) -> errors.AlsaError:
        """The error for a configuration that the card refused as a whole."""
        message = "" if code != -errno.EINVAL else f"the card refused this configuration{self._given()}"
        return failure(code, "snd_pcm_hw_params", self._pcm.name, _CONFIGURING, message)

    def verify(self) -> None:
        """Raise ParameterError where what was set is not what came out: plugins accept what they then round."""
        # Where a time is set alsa-lib may leave it standing beside a size that does not make it.
        try:
            rate = self.rate_ratio
        except errors.StateError:  # a plugin that does not tell it
            rate = Fraction(self.rate)
        micros = {f"{what}_time_us": round(self._get(size) * 10**6 / rate) for what, size in _TIMED.items()}
        for name, wanted in self._exact.items():
            if (granted := micros.get(name, self._get(name))) != wanted:
                could = f"{granted} is what comes of it"
                raise self._refused("", quantity(name).show(wanted), could, f"set_{quantity(name).stem}")

    def __repr__(self) -> str:
        try:
            lists = [f"access={_some(self.accesses)}", f"format={_some(self.formats)}"]
        except errors.ClosedError:
            lists = ["closed"]
        numbers = [f"{name}={_interval(self._interval(quantity(name)), '..')}" for name in _SHOWN]
        return f"<{type(self).__name__} of {self._pcm.name!r}: {', '.join(lists + numbers)}>"

    # ---- inside ----

    def _require_open(self) -> None:
        self._pcm.handle  # noqa: B018 -- raises ClosedError

    def _test(self, name: str, member: Access | Format, params: CData) -> bool:
        test = lib.snd_pcm_hw_params_test_access if name == "access" else lib.snd_pcm_hw_params_test_format
        return self._pcm.call(test, params, member) >= 0

    def _chosen(self, name: str, getter: Callable[[CData, CData], int], kind: type[_C]) -> _C:
        out = ffi.new(f"snd_pcm_{name}_t *")
        self._require_open()
        if getter(self._params, out) < 0:
            left = self.accesses if kind is Access else self.formats
            raise errors.StateError(f"{self._pcm.name}: {name} is not decided yet: {_alternatives(left)}")
        return kind(out[0])

    def _choose(self, name: str, setter: Callable[[CData, CData, int], int], member: Access | Format) -> None:
        code = self._pcm.call(setter, self._params, member)
        if code < 0:
            left = self.accesses if name == "access" else self.formats
            raise self._refused(name, f"{name} {member}", f"the card has {_alternatives(left)}", f"set_{name}")
        self._set[name] = str(member)

    def _get(self, name: QuantityName) -> int:
        self._require_open()
        code, value = quantity(name).get(self._params)
        if code < 0:
            left = _interval(self._interval(quantity(name)))
            raise errors.StateError(f"{self._pcm.name}: {name} is not decided yet: {left}")
        return value

    def _put(self, name: QuantityName, value: int) -> None:
        what, number = quantity(name), whole_number(name, value)
        if not 0 <= number < LIMIT or self._pcm.call(what.set, self._params, number) < 0:
            raise self._refused(name, what.show(number), self._could(what, number), f"set_{what.stem}")
        self._decided(what, number)
        self._exact[name] = number

    def _bound(self, what: Quantity, number: int, how: Literal["min", "max"], words: str) -> int:
        in_range = number < LIMIT if how == "min" else number >= 0
        code, granted = self._try(what, how, min(max(number, 0), LIMIT - 1)) if in_range else (-errno.EINVAL, 0)
        if code < 0:
            could = self._does(what)
            raise self._refused(what.name, f"{words} {what.show(number)}", could, f"set_{what.stem}_{how}")
        return granted

    def _move(self, what: Quantity, how: Literal["near", "first", "last"], value: int) -> int:
        code, granted = self._try(what, how, value)
        if code < 0:
            could = self._does(what)
            raise self._refused(what.name, f"{what.name}, {how},", could, f"set_{what.stem}_{how}")
        return granted

    def _try(self, what: Quantity, how: Literal["near", "first", "last", "min", "max"], value: int) -> tuple[int, int]:
        """As Quantity.move, but what fails changes nothing."""
        trial = self.copy()
        code, granted = self._pcm.call(what.move, trial.params, how, value)
        if code >= 0:
            lib.snd_pcm_hw_params_copy(self._params, trial.params)
        return code, granted

    def _set_one(self, name: str, value: Any) -> None:
        if name not in ("access", "format"):
            quantity(name)  # knows the name, or raises
        setattr(self, name, value)

    def _decided(self, what: Quantity, value: int) -> int:
        self._set[what.name] = str(value)
        return value

    def _interval(self, what: Quantity) -> Interval:
        return what.interval(self._params)

    def _does(self, what: Quantity) -> str:
        return f"the card does {_interval(self._interval(what))}{what.suffix}"

    def _could(self, what: Quantity, value: int) -> str:
        """What could be had instead."""
        pcm, left = self._pcm, self._interval(what)
        text = self._does(what)
        if not left.min < value < left.max:
            return text
        if left.max - left.min < _LISTED:
            can = [number for number in range(left.min, left.max + 1) if pcm.call(what.test, self._params, number)]
            return f"the card does {_listed(can)}{what.suffix}"
        if what.name == "rate":
            usual = [rate for rate in _USUAL_RATES if left.min <= rate <= left.max]
            can = [rate for rate in usual if pcm.call(what.test, self._params, rate)]
            return text if can == usual else f"{text}, of the usual rates {_listed(can) or 'none'}"
        code, nearest = pcm.call(what.move, self.copy().params, "near", value)
        return text if code < 0 else f"{text}, nearest {nearest}"

    def _refused(self, name: str, wish: str, could: str, func: str) -> errors.ParameterError:
        if name in self._set:
            could = f"{name} was set to {self._set[name]} before"
        message = f"{wish} cannot be had; {could}{self._given(name)}"
        return errors.ParameterError(errno.EINVAL, message, f"snd_pcm_hw_params_{func}", self._pcm.name)

    def _given(self, beside: str = "") -> str:
        """What had been set before, ``beside`` the one that it is about."""
        given = [f"{name} {value}" for name, value in self._set.items() if name != beside]
        return f" (with {', '.join(given)})" if given else ""


def _malloc() -> CData:
    out = ffi.new("snd_pcm_hw_params_t **")
    if lib.snd_pcm_hw_params_malloc(out) < 0:
        raise MemoryError
    return ffi.gc(out[0], lib.snd_pcm_hw_params_free)


def _interval(interval: Interval, between: str = " to ") -> str:
    return str(interval.min) if interval.min == interval.max else f"{interval.min}{between}{interval.max}"


def _alternatives(members: Iterable[Access | Format]) -> str:
    return ", ".join(str(member) for member in members) or "none"


def _some(members: Sequence[Access | Format], most: int = 6) -> str:
    rest = [f"{len(members) - most} more"] if len(members) > most else []
    return "|".join([str(member) for member in members[:most]] + rest)


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(str(number) for number in numbers)
