"""Compile ``alsamm._c._native``: alsa-lib's set-up calls and our own shim, in cffi's API mode.

Read by setuptools through ``cffi_modules`` in setup.py. The declarations stand once: ``alsa.cdef`` says what is taken
from alsa-lib, ``shim.h`` and ``sim.h`` are read by cffi here and by the C compiler there.
"""

from __future__ import annotations

import re
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent
C = HERE / "alsamm" / "_c"
HEADERS = ("shim.h", "sim.h")
SOURCES = (
    "alsalib.c",
    "array.c",
    "blocking.c",
    "convert.c",
    "interruptions.c",
    "kernel.c",
    "mapping.c",
    "native.c",
    "native_loop.c",
    "pages.c",
    "realtime.c",
    "recovery.c",
    "ring.c",
    "samples.c",
    "wait.c",
    "sim_actions.c",
    "sim_card.c",
    "sim_clock.c",
    "sim_dma.c",
    "sim_file.c",
    "sim_format.c",
    "sim_ioctl.c",
    "sim_mapping.c",
    "sim_params.c",
    "sim_plugin.c",
    "sim_registry.c",
    "sim_stream.c",
    "sim_transfer.c",
    "sim_wait.c",
)

PREAMBLE = """
#include <poll.h>
#include <alsa/asoundlib.h>
#include "gil.h"
#include "shim.h"
#include "sim.h"

void alsamm_route_messages(void);
int alsamm_hide_ring_from_children(snd_pcm_t *pcm);
"""

# The interpreter's own flags may be missing or replaced by CFLAGS, and the hot path is only fast when it is inlined.
# Of those for arithmetic the first keeps a product and a sum two roundings on every machine, as the samples' conversion
# is defined; the others, for nobody here reads errno or exceptions of arithmetic, let loops over floats become vectors.
# Offsets have 64 bits, for the pages lie at 2 GiB (rule C1), which is negative in 32.
COMPILE_ARGS = [
    "-O3",
    "-std=gnu11",
    "-D_FILE_OFFSET_BITS=64",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fvisibility=hidden",
    "-Wall",
    "-Wextra",
]


def declarations(header: Path) -> str:
    """The header as cffi takes it: a macro's value is left to the C compiler."""
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.DOTALL)
    lines = [
        line for line in text.splitlines() if not re.match(r"#\s*(ifndef|ifdef|endif|include|define \w+_H$)", line)
    ]
    return re.sub(r"(?m)^#define (\w+) .+$", r"#define \1 ...", "\n".join(lines))


ffibuilder = FFI()
ffibuilder.cdef((C / "alsa.cdef").read_text())
for name in HEADERS:
    ffibuilder.cdef(declarations(C / name))
ffibuilder.set_source(
    "alsamm._c._native",
    PREAMBLE,
    sources=[str((C / name).relative_to(HERE)) for name in SOURCES],
    include_dirs=[str(C)],
    depends=[str(path.relative_to(HERE)) for path in sorted(C.glob("*.h"))],
    libraries=["asound"],
    extra_compile_args=COMPILE_ARGS,
    extra_link_args=["-pthread"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
