"""``python -m tests.reliability``: docs/reliability.md from what the long runs wrote."""

from __future__ import annotations

from tests.reliability.page import PAGE, render

PAGE.write_text(render())
print(PAGE)
