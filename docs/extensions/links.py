"""Links that nobody types: rule numbers lead to the kernel's rules, names of the package to their reference."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

import alsamm
from alsamm import errors

from .complete import MODULES

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_RULES = "kernel-rules"
_RULE = re.compile(r"^([A-Z]\d+b?)\. ")
_CITING = re.compile(r"\brules?\s[A-Z]\d")
_CITED = re.compile(r"(?:(?<=rule\s)|(?<=rules\s)|(?<=[\db],\s)|(?<=[\db]-)|(?<=\d\sand\s))[A-Z]\d+b?\b")
_PUBLIC = {
    **{name: f"alsamm.{name}" for name in alsamm.__all__},
    **{name: name for name in MODULES[1:]},  # not each `alsamm`
    "sim.Card": "alsamm.sim.Card",
}
_ERROR = re.compile(rf"\b(?:{'|'.join(errors.__all__)})\b")
_log = logging.getLogger(__name__)


class Rules(SphinxTransform):
    """Each rule in the list of rules can be pointed at, as ``kernel-rules.md#rule-h6``."""

    default_priority = 210

    def apply(self, **_: Any) -> None:
        """Name the list items by their numbers."""
        if self.env.docname != _RULES:
            return
        for item in self.document.findall(nodes.list_item):
            if found := _RULE.match(item.astext()):
                item["ids"].append(f"rule-{found[1].lower()}")


class Links(SphinxTransform):
    """Turns what is named into links to it."""

    default_priority = 220
    _UNTOUCHED: ClassVar = (nodes.title, nodes.reference, nodes.literal_block, nodes.literal, addnodes.pending_xref)

    def apply(self, **_: Any) -> None:
        """Rules and exceptions in running text; the package's names in inline code; and a look at addresses."""
        for literal in list(self.document.findall(nodes.literal)):
            name = literal.astext().removesuffix("()")
            target = _PUBLIC.get(name) or _PUBLIC.get(name.removeprefix("alsamm."))
            if target and not _within(literal, (nodes.title, nodes.reference, addnodes.pending_xref)):
                literal.parent.replace(literal, _to_object(target, literal.deepcopy(), self.env.docname))
        for element in list(self.document.findall(nodes.TextElement)):
            _join(element)
        for text in list(self.document.findall(nodes.Text)):
            if _within(text, (*self._UNTOUCHED, addnodes.desc_signature)):
                continue
            pieces = [*_split(text.astext(), self.env.docname)]
            if any(not isinstance(piece, nodes.Text) for piece in pieces):
                text.parent.replace(text, pieces)
        for reference in self.document.findall(nodes.reference):
            address = urlsplit(reference.get("refuri", ""))
            if address.scheme and not (address.scheme == "https" and "." in address.netloc and " " not in address.path):
                _log.warning("no https address: %s", reference["refuri"], location=reference)


def _join(element: nodes.TextElement) -> None:
    """MyST gives each line a node of its own, and a rule's number may stand in the line after."""
    joined: list[nodes.Node] = []
    for child in element.children:
        if isinstance(child, nodes.Text) and joined and isinstance(joined[-1], nodes.Text):
            joined[-1] = nodes.Text(joined[-1] + child)
        else:
            joined.append(child)
    if len(joined) < len(element.children):
        element.clear()
        element.extend(joined)


def _within(node: nodes.Node, kinds: tuple[type[nodes.Node], ...]) -> bool:
    parent = node.parent
    while parent is not None:
        if isinstance(parent, kinds):
            return True
        parent = parent.parent
    return False


def _split(text: str, docname: str) -> Iterator[nodes.Node]:
    """Text, and links in the place of what is named in it."""
    found = [
        (*match.span(), _to_object(f"alsamm.{match[0]}", nodes.literal(text=match[0]), docname))
        for match in _ERROR.finditer(text)
    ]
    if docname != _RULES and _CITING.search(text):
        found += [(*match.span(), _to_rule(match[0], docname)) for match in _CITED.finditer(text)]
    at = 0
    for begin, end, link in sorted(found, key=lambda each: each[0]):
        if begin > at:
            yield nodes.Text(text[at:begin])
        yield link
        at = end
    if at < len(text):
        yield nodes.Text(text[at:])


def _to_object(target: str, shown: nodes.Node, docname: str) -> nodes.Node:
    return addnodes.pending_xref(
        "",
        shown,
        refdomain="py",
        reftype="mod" if target in MODULES else "obj",
        reftarget=target,
        refdoc=docname,
        refwarn=True,
    )


def _to_rule(number: str, docname: str) -> nodes.Node:
    wanted = f"rule-{number.lower()}"
    return addnodes.pending_xref(
        "",
        nodes.inline(text=number),
        refdomain="",
        reftype="rule",
        reftarget=wanted,
        refdoc=docname,
        refwarn=True,
        refexplicit=True,
    )


def _resolve(app: Sphinx, env: Any, node: nodes.Element, contnode: nodes.Element) -> nodes.Element | None:
    if node.get("reftype") != "rule":
        return None
    if node["reftarget"] not in _known_rules(env):
        return None  # Sphinx warns
    address = app.builder.get_relative_uri(node["refdoc"], _RULES)
    return nodes.reference("", "", contnode, internal=True, refuri=f"{address}#{node['reftarget']}")


def _known_rules(env: Any) -> set[str]:
    known: set[str] = getattr(env, "alsamm_rules", set())
    if not known:
        items = env.get_doctree(_RULES).findall(nodes.list_item)
        known = env.alsamm_rules = {name for item in items for name in item["ids"]}
    return known


def setup(app: Sphinx) -> dict[str, bool]:
    """For Sphinx."""
    app.add_transform(Rules)
    app.add_transform(Links)
    app.connect("missing-reference", _resolve)
    return {"parallel_read_safe": True}
