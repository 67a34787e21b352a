"""The sound cards of the lab: what QEMU plugs in, which driver takes it, and what it is called.

The names are those of ``--devices``. Card ids are given to the drivers as module options, in the
order in which they find their cards, so that ``hw:CARD=...`` never depends on what else is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_NONE_AUDIO = "silent"
_SPEAKER_RATE = 48_000
WAV_HEADER_BYTES = 44
"""What QEMU's wav backend writes before the first sample (S16_LE, stereo, 48 kHz)."""


class UnknownDeviceError(ValueError):
    """A name in ``--devices`` that this guest does not have."""


@dataclass(frozen=True)
class Device:
    """One device of a guest: a PCM of a card, made by a driver.

    ``playback`` and ``capture`` are the PCM device numbers, None where there is none. ``qemu``
    holds QEMU's ``-device`` strings, ``{name}``, ``{audio}`` and ``{slot}`` being filled in.
    """

    name: str
    card: str
    driver: str
    playback: int | None
    capture: int | None
    qemu: tuple[str, ...] = ()
    wav: bool = False
    arches: tuple[str, ...] = ("amd64", "arm64")

    @property
    def _audio(self) -> str:
        return f"wav-{self.name}" if self.wav else _NONE_AUDIO

    def qemu_arguments(self, slot: int) -> list[str]:
        """What the QEMU command line says of this device; ``slot`` fixes the order of probing."""
        arguments: list[str] = []
        if self.wav:
            arguments += ["-audiodev", self._wav_audiodev()]
        for text in self.qemu:
            filled = text.format(name=self.name, audio=self._audio, slot=f"{slot:#x}")
            arguments += ["-device", filled]
        return arguments

    def _wav_audiodev(self) -> str:
        return f"wav,id={self._audio},path={self.name}.wav,out.frequency={_SPEAKER_RATE},out.channels=2,out.format=s16"

    def pcm_name(self, number: int | None) -> str | None:
        """The alsa-lib name of PCM ``number`` of this card."""
        return None if number is None else f"hw:CARD={self.card},DEV={number}"

    def pcm_nodes(self) -> list[str]:
        """Below /proc/asound, what exists once this device is there."""
        nodes: list[str] = []
        if self.playback is not None:
            nodes.append(f"{self.card}/pcm{self.playback}p")
        if self.capture is not None:
            nodes.append(f"{self.card}/pcm{self.capture}c")
        return nodes

    def description(self, results: str) -> dict[str, object]:
        """What devices.json tells the tests; ``results`` is where the guest sees the results."""
        told: dict[str, object] = {
            "card": self.card,
            "driver": self.driver,
            "playback": self.pcm_name(self.playback),
            "capture": self.pcm_name(self.capture),
        }
        if self.driver == "snd-usb-audio":
            told["plug"] = self.qemu[0].format(name=self.name, audio=self._audio)
        if self.wav:
            told["speaker"] = {
                "path": f"{results}/{self.name}.wav",
                "offset": WAV_HEADER_BYTES,
                "format": "S16_LE",
                "channels": 2,
                "rate": _SPEAKER_RATE,
            }
        return told


_HDA = "intel-hda,id={name},addr={slot}"
_USB = "usb-audio,id={name},audiodev={audio},bus=xhci.0"  # in the first port that is free
_AMD64 = ("amd64",)

DEVICES: tuple[Device, ...] = (
    Device("dummy", "Dummy", "snd-dummy", 0, 0, arches=_AMD64),
    Device("dummy-nonint", "Dummy", "snd-dummy", 1, 1, arches=_AMD64),
    Device("aloop", "Loopback", "snd-aloop", 0, 1),
    Device("hda", "HDA", "snd-hda-intel", 0, 0, (_HDA, "hda-duplex,audiodev={audio},bus={name}.0")),
    Device(
        "hda-wav",
        "HDAWav",
        "snd-hda-intel",
        0,
        None,
        # With its timer this codec drops 8 KiB whenever the host is late; without it the file sets the pace.
        (_HDA, "hda-output,audiodev={audio},bus={name}.0,use-timer=off"),
        wav=True,
    ),
    Device("ac97", "AC97", "snd-intel8x0", 0, 0, ("AC97,audiodev={audio},addr={slot}",), arches=_AMD64),
    Device("es1370", "ES1370", "snd-ens1370", 0, 0, ("ES1370,audiodev={audio},addr={slot}",), arches=_AMD64),
    Device("usb", "USB", "snd-usb-audio", 0, None, (_USB,)),
    Device("usb-wav", "USBWav", "snd-usb-audio", 0, None, (_USB,), wav=True),
)

_OPTIONS = {
    # fake_buffer's default maps every page of the ring onto one page; devices 2 and 3 have no mmap.
    "snd-dummy": "fake_buffer=0 pcm_devs=4",
    "snd-intel8x0": "ac97_clock=48000",
}
_ONE_CARD_ID = {"snd-intel8x0"}
_NEEDS = {"snd-usb-audio": ("xhci_pci",)}


def of_arch(arch: str) -> list[Device]:
    """Every device that the guest of ``arch`` can have."""
    return [device for device in DEVICES if arch in device.arches]


def select(arch: str, names: Sequence[str]) -> list[Device]:
    """The devices called ``names``, in the order of :data:`DEVICES`; all of them if none is named."""
    had = {device.name: device for device in of_arch(arch)}
    unknown = [name for name in names if name not in had]
    if unknown:
        raise UnknownDeviceError(f"no device {', '.join(unknown)} in the {arch} guest; it has {', '.join(had)}")
    return [device for name, device in had.items() if not names or name in names]


def qemu_arguments(devices: Iterable[Device]) -> list[str]:
    """QEMU's arguments for all ``devices``."""
    arguments = ["-audiodev", f"none,id={_NONE_AUDIO}"]
    usb = [device for device in devices if device.driver == "snd-usb-audio"]
    if usb:
        arguments += ["-device", "qemu-xhci,id=xhci,addr=0x8"]
    for device in usb:
        arguments += device.qemu_arguments(0)
    pci = [device for device in devices if device.qemu and device not in usb]
    for slot, device in enumerate(pci, start=0x10):
        arguments += device.qemu_arguments(slot)
    return arguments


def modprobe_lines(devices: Iterable[Device]) -> list[str]:
    """The arguments of each modprobe, drivers in order, ids in the order of probing."""
    cards: dict[str, list[str]] = {}
    for device in devices:
        ids = cards.setdefault(device.driver, [])
        if device.card not in ids:
            ids.append(device.card)
    lines: list[str] = []
    for driver, ids in cards.items():
        lines += _NEEDS.get(driver, ())
        given = ids[:1] if driver in _ONE_CARD_ID else ids
        lines.append(f"{driver} id={','.join(given)} {_OPTIONS.get(driver, '')}".rstrip())
    return lines


def write_description(devices: Iterable[Device], path: Path, guest_results: str) -> None:
    """Write devices.json, by which the tests find the devices."""
    told = {device.name: device.description(guest_results) for device in devices}
    path.write_text(json.dumps(told, indent=2) + "\n")
