"""What ``latency`` writes for others to read: Markdown or HTML, with a picture."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from alsamm.cli.histogram import as_svg

if TYPE_CHECKING:
    from alsamm.cli.round_trip import Run

__all__ = ["write"]

_TITLE = "Round trip"
_HEADINGS = ("run", "round trip (frames)", "beyond the offset", "snd_pcm_delay", "gain (dB)", "confidence")
_STYLE = (
    "body{font-family:sans-serif;max-width:60em;margin:2em auto;padding:0 1em}svg{max-width:100%;height:auto}"
    "table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #bbb;padding:.3em .6em;text-align:right}"
    "td:first-child,th:first-child,.facts td{text-align:left}"
)

Rows = Sequence[tuple[str, str]]


def write(place: Path, facts: Rows, runs: Sequence[Run], *, rate: int) -> Path:
    """Write it; gives the file. A name that ends in ``.md`` or ``.html``, else a folder, for ``latency.md``.

    HTML is one file; beside Markdown lies the picture, of the same name. Raises OSError; UnsupportedError without
    matplotlib.
    """
    file = place if place.suffix in (".md", ".html") else place / "latency.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    heard = [run for run in runs if run.heard]
    picture = None
    if heard:
        marks = {"the offset says": float(heard[-1].offset)}
        if heard[-1].delay is not None:
            marks["snd_pcm_delay says"] = float(heard[-1].delay)
        picture = as_svg([run.best.place for run in heard], rate=rate, marks=marks)
    table = [_cells(number, run) for number, run in enumerate(runs, 1)]
    if file.suffix == ".html":
        _put(file, _html(facts, table, picture))
        return file
    if picture is not None:
        _put(file.with_suffix(".svg"), picture)
    _put(file, _markdown(facts, table, file.with_suffix(".svg").name if picture else None))
    return file


def _put(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        error.filename = str(file)  # a full disk's does not tell it
        raise


def _cells(number: int, run: Run) -> list[str]:
    if not run.heard:
        return [str(number), "not heard", "", "", "", f"{run.best.confidence:.1f}"]
    found = run.best
    return [
        str(number),
        f"{found.frame}" if found.exact else f"{found.place:.2f}",
        f"{run.beyond:+.2f}",
        "" if run.delay is None else str(run.delay),
        f"{found.decibels:+.1f}{' inverted' if found.gain < 0 else ''}",
        f"{found.confidence:.1f}",
    ]


def _markdown(facts: Rows, table: Sequence[Sequence[str]], picture: str | None) -> str:
    lines = [f"# {_TITLE}", ""]
    if picture is not None:
        lines += [f"![how often which round trip came]({picture})", ""]
    lines += [*_piped(("", ""), facts), "", *_piped(_HEADINGS, table)]
    return "\n".join(lines) + "\n"


def _piped(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in (headings, ["---"] * len(headings), *rows)]


def _html(facts: Rows, table: Sequence[Sequence[str]], picture: str | None) -> str:
    drawn = "" if picture is None else picture[picture.index("<svg") :]
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{_TITLE}</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style></head>\n<body><h1>{_TITLE}</h1>\n{drawn}\n"
        f"<div class=facts>{_cells_of(facts)}</div>\n{_cells_of(table, _HEADINGS)}\n</body></html>\n"
    )


def _cells_of(rows: Sequence[Sequence[str]], headings: Sequence[str] = ()) -> str:
    head = "".join(f"<th>{html.escape(text)}</th>" for text in headings)
    body = "\n".join(f"<tr>{''.join(f'<td>{html.escape(text)}</td>' for text in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>\n{body}</table>"
