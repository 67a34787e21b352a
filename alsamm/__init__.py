"""Sound through the kernel's own memory: alsa-lib sets a card up, then samples and pointers move without system calls."""

from alsamm._version import VERSION as __version__
from alsamm.alsalib import *  # noqa: F403 -- each folder's __all__ is its public face
from alsamm.alsalib import __all__ as _alsalib
from alsamm.device import Device, Geometry
from alsamm.direct import *  # noqa: F403
from alsamm.direct import __all__ as _direct
from alsamm.enums import *  # noqa: F403
from alsamm.enums import __all__ as _enums
from alsamm.errors import *  # noqa: F403
from alsamm.errors import __all__ as _errors

__all__ = ["Device", "Geometry", "__version__"]
__all__ += [*_alsalib, *_direct, *_enums, *_errors]
