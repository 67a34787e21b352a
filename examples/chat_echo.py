"""A parrot: listens, and answers each utterance with what it heard, while another task tells the level.

python examples/chat_echo.py --device hw:0 --seconds 60

Shows streams in asyncio: three tasks in one thread, none of which holds up the others. Speaking while it answers cuts
the answer short: cancelling a write loses no frame that was written, and the stream goes on. Use headphones, or it
hears itself.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

import alsamm

LOUD, PAUSE, BEFORE = 0.02, 0.3, 0.05  # of full scale; seconds of silence that end an utterance; kept from before it


class Parrot:
    """What the tasks share."""

    def __init__(self, mic: alsamm.AsyncCapture, out: alsamm.AsyncPlayback) -> None:
        self.mic, self.out = mic, out
        self.level = 0.0
        self.answer: asyncio.Task[None] | None = None

    async def listen(self) -> None:
        """Cut what is heard into utterances."""
        rate, period = self.mic.stream.rate, self.mic.stream.period_size
        pause, before = round(PAUSE * rate / period), round(BEFORE * rate / period)
        heard: list[Any] = []
        quiet = pause
        async for block in self.mic:
            self.level = float(np.sqrt(np.square(block / 32768).mean()))
            loud = self.level > LOUD
            if loud and quiet >= pause and self.answer is not None:
                self.answer.cancel()
            heard.append(block)
            quiet = 0 if loud else quiet + 1
            if quiet == pause and len(heard) > pause:
                print(f"heard {len(heard) * period / rate:.2f} s", flush=True)
                self.answer = asyncio.create_task(self.say(np.concatenate(heard)))
                heard = []
            elif quiet >= pause:
                heard = heard[-before:]

    async def say(self, sound: Any) -> None:
        """Play it to its end, or as far as it gets."""
        try:
            await self.out.write(sound)
            await self.out.drain()
            print("answered", flush=True)
        except asyncio.CancelledError:
            self.out.stream.drop()
            print(f"interrupted after {self.out.frames_done} of {len(sound)} frames", flush=True)
        self.out.stream.prepare()

    async def tell(self) -> None:
        """Show the level, once a second."""
        while True:
            await asyncio.sleep(1)
            print(f"level {20 * np.log10(max(self.level, 1e-6)):.0f} dBFS", flush=True)


async def chat(device: str, capture: str | None, seconds: float | None) -> None:
    """Run the tasks until one fails or time is over; then cancel them."""
    async with alsamm.capture(capture or device, latency=0.1) as mic, alsamm.playback(device, latency=0.1) as out:
        parrot = Parrot(mic, out)
        tasks = [asyncio.create_task(work) for work in (parrot.listen(), parrot.tell())]
        try:
            done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            if parrot.answer is not None:
                tasks.append(parrot.answer)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Chat until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="hw:0")
    parser.add_argument("--capture", help="the device to hear from, if it is another one")
    parser.add_argument("--seconds", type=float, help="stop then")
    options = parser.parse_args(arguments)
    with suppress(KeyboardInterrupt):
        asyncio.run(chat(options.device, options.capture, options.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
