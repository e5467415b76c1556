"""What is sent: texts and images from the command line, files and folders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from modelserve.protocol.samples import Item

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


def read_items(
    *, texts: Sequence[str] = (), text_files: Iterable[Path] = (), images: Iterable[Path] = ()
) -> list[Item]:
    """Gather what the calls send in turn.

    Args:
        texts: each is one text.
        text_files: with a text on each line; empty lines are left out.
        images: files, or folders whose images are taken in the order of their names.

    Raises:
        ValueError: that is nothing.
        OSError: a file cannot be read.
    """
    items: list[Item] = list(texts)
    for path in text_files:
        items += [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    for path in images:
        files = (
            sorted(file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
            if path.is_dir()
            else [path]
        )
        items += [file.read_bytes() for file in files]
    if not items:
        raise ValueError("there is nothing to send: the files and folders hold no texts or images")
    return items
