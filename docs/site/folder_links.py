"""Links as a repository has them: a folder is its README, and what the site does not hold is no link."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#\s]+)(#[^)\s]*)?\)")
_FENCE = re.compile(r"^(```.*?^```)$", re.M | re.S)


def setup(app: Sphinx) -> dict[str, bool]:
    """Have the links of each document changed before it is parsed."""
    app.connect("source-read", _mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _mend(app: Sphinx, name: str, source: list[str]) -> None:
    folder = Path(app.srcdir, name).parent

    def link(found: re.Match[str]) -> str:
        text, target, anchor = found[1], found[2], found[3] or ""
        place = folder / target
        if "://" in target or (place.suffix == ".md" and place.exists()):
            return found[0]
        if (place / "README.md").exists():
            return f"[{text}]({target.rstrip('/')}/README.md{anchor})"
        # A file of the code, or a folder of such.
        return text if place.exists() else found[0]

    parts = _FENCE.split(source[0])
    source[0] = "".join(part if part.startswith("```") else _LINK.sub(link, part) for part in parts)
