"""The site: ``make docs`` builds it from this folder and from the docstrings, and every warning is an error."""

from __future__ import annotations

import sys
from pathlib import Path

import alsamm

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for extensions/

project = "alsamm"
copyright = "2026, the alsamm authors"  # noqa: A001 -- Sphinx's word
author = "the alsamm authors"
version = release = alsamm.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "extensions.links",
    "extensions.signatures",
    "extensions.command_line",
    "extensions.complete",
]
source_suffix = {".md": "markdown"}

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

smartquotes = False  # '""' is a string in docstrings

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "undoc-members": True}  # what has no docstring is an error: complete.py
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
maximum_signature_line_length = 100
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

# There is no network where this is built, so names of Python's and numpy's own are not looked up.
nitpick_ignore_regex = [
    ("py:.*", r"(np|npt|numpy|collections|typing|typing_extensions|types|enum|os|asyncio|fractions|pathlib)\..*"),
    ("py:.*", r"(abc|array|builtins|ctypes|contextlib|io)\..*|ndarray|dtype|DTypeLike|CData"),
    # What only names a type within the package.
    ("py:class", r"(.*\.)?(Awaitable|Clock|Configurable|Configured|Numbers|Pages|PcmStream|Reserved|Wishes)|_T"),
    ("py:class", r"(.*\.)?(Capture|Playback|Timeline)IO"),
]

html_theme = "furo"
html_title = f"alsamm {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
highlight_language = "text"  # of blocks that say no language
pygments_style = "friendly"
pygments_dark_style = "github-dark"
