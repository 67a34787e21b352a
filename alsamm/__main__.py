"""``python -m alsamm``."""

import sys

from alsamm.cli import main

sys.exit(main())
