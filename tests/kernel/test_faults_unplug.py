"""A card that is taken away, and comes again."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

import alsamm
from tests.kernel.faultkit import SOON, Place, course, keep_row, until
from tests.kernel.faultphases import begin

_PORTS = Path("/sys/class/virtio-ports")


def device_of(place: Place) -> Path:
    """What the card is in /sys: a USB interface, a PCI function, a platform device."""
    number = Path(f"/proc/asound/{place.card}").resolve().name
    return Path(f"/sys/class/sound/{number}/device").resolve()


@contextlib.contextmanager
def deauthorized(place: Place) -> Generator[Callable[[], object]]:
    """What has the kernel put the card out; it is there again afterwards, and plays."""
    authorized = device_of(place).parent / "authorized"
    with _coming_again(place, lambda: authorized.write_text("1")):
        yield lambda: authorized.write_text("0")


@contextlib.contextmanager
def pulled(place: Place) -> Generator[Callable[[], object]]:
    """What pulls the plug, as a hand would: its transfers fail before the driver is told. It comes again as above."""
    monitor = next(port for port in _PORTS.iterdir() if (port / "name").read_text().strip() == "alsamm.monitor").name

    def ask(command: str) -> None:
        Path(f"/dev/{monitor}").write_text(command + "\n")

    with _coming_again(place, lambda: ask(f"device_add {place.plug}")):
        yield lambda: ask(f"device_del {place.name}")


@contextlib.contextmanager
def _coming_again(place: Place, plug_in: Callable[[], object]) -> Generator[None]:
    try:
        yield
    finally:
        until(lambda: not place.is_there, f"{place.card} is gone")
        plug_in()
        _is_back(place)
    place.plays()


def _is_back(place: Place) -> None:
    until(lambda: place.is_there, f"{place.card} is listed afresh")
    until(lambda: not _refused(place), f"{place.card} can be opened")


def _refused(place: Place) -> bool:
    """udev, or its absence, takes a moment."""
    try:
        alsamm.PCM(place.pcm("playback"), "playback").close()
    except alsamm.DeviceNotFoundError:
        return True
    return False


@pytest.mark.needs("plug")
@pytest.mark.shown("usb")
@pytest.mark.parametrize("unplugged", [pulled, deauthorized])
def test_unplugged(
    place: Place, way: str, phase: str, unplugged: Callable[[Place], AbstractContextManager[Callable[[], object]]]
) -> None:
    with unplugged(place) as pull, course(place, way) as made:
        begin(made, phase)
        moment = time.monotonic()
        pull()
        if phase == "idle":
            made.begin_with(made.road.serve)
        made.let_go()
        after = made.end_since(moment)
        assert isinstance(made.error, alsamm.DeviceLostError), made.error
        keep_row(f"{unplugged.__name__}, {phase}", way, place.name, "DeviceLostError", after)
        assert after < SOON


@pytest.mark.shown("hda", "aloop", "dummy")
@pytest.mark.roads("mapped", "periods", "callback", "C callback")
def test_driver_unbound(place: Place, road: str) -> None:
    """As by ``echo … > unbind``: the kernel waits until all have closed it, and takes it away from them at once."""
    device = device_of(place)
    driver = (device / "driver").resolve()
    unbinding = None
    try:
        with course(place, road) as made:
            made.begin()
            assert subprocess.run(["modprobe", "-r", driver.name], check=False, capture_output=True).returncode != 0
            made.goes_on()  # the kernel refuses what is in use
            moment = time.monotonic()
            unbinding = subprocess.Popen(["/bin/sh", "-c", f"echo {device.name} > {driver}/unbind"])
            after = made.end_since(moment)
            assert isinstance(made.error, alsamm.DeviceLostError), made.error
            keep_row("driver unbound", road, place.name, "modprobe -r refused; DeviceLostError", after)
            assert after < SOON
    finally:
        if unbinding is not None:
            assert unbinding.wait(30) == 0
        _bind_again(place, device, driver)
    place.plays()


def _bind_again(place: Place, device: Path, driver: Path) -> None:
    socket = device.parent / "authorized"
    if socket.exists():
        # snd-usb-audio keeps the interfaces that it had claimed besides, and would make a card without PCMs: from anew.
        socket.write_text("0")
        socket.write_text("1")
    else:
        (driver / "bind").write_text(device.name)
        # HDA's driver makes it in a work of the kernel's, later.
        until(lambda: any((device / "sound").glob("card*/id")), f"{device.name} is a card again")
        name = next((device / "sound").glob("card*/id"))
        if name.read_text().strip() != place.card:  # snd-ens1370 forgets its id= after a first card
            name.write_text(place.card)
    _is_back(place)
