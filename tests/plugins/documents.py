"""Markdown as the tests of documents read it: fenced blocks, and the arrows of Mermaid diagrams in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^(`{3,})(\w*)[^\n]*\n(.*?)^\1$", re.M | re.S)
_ARROW = re.compile(r"^(\S+?)\s*(-->|-\.->)\s*(?:\|[^|]*\|)?\s*([^\s:]+)\s*(?::.*)?$")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: after the fence; empty where there is none.
        text: within it.
        heading: that it stands under.
    """

    language: str
    text: str
    heading: str


def blocks(path: Path) -> list[Block]:
    """All fenced blocks of a file, in their order."""
    text = path.read_text("utf-8")
    found = []
    for match in _FENCE.finditer(text):
        headings = re.findall(r"^#+ (.*)$", text[: match.start()], re.M)
        found.append(Block(match[2], match[3], headings[-1] if headings else ""))
    return found


def arrows(diagram: str, *, dotted: bool = False) -> set[tuple[str, str]]:
    """From where to where the arrows of a flowchart or a state diagram go, a chain's each.

    Args:
        diagram: in Mermaid.
        dotted: the dotted ones instead of the solid ones.
    """
    found = set()
    for line in diagram.splitlines():
        for part in _links(line.strip()):
            if (match := _ARROW.match(part)) and (match[2] == "-.->") == dotted:
                found.add((match[1], match[3]))
    return found


def _links(line: str) -> Iterator[str]:
    """``a --> b --> c`` as ``a --> b`` and ``b --> c``."""
    pieces = re.split(r"\s+(-->|-\.->)(\|[^|]*\|)?\s*", line)
    for place in range(0, len(pieces) - 3, 3):
        yield f"{pieces[place].split()[-1]} {pieces[place + 1]} {pieces[place + 3]}"
