"""Files that a command reads or writes on its way: whether it can is told before it begins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelserve.errors import ModelServeError


class Unwritable(ModelServeError):
    """A file that cannot be written; the message says why."""


class Unreadable(ModelServeError):
    """A file that cannot be read; the message says why."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make a sentence of what goes wrong with a file: a disk may be full in the midst of it.

    Raises:
        Unwritable: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise Unwritable(f"{path} cannot be written: {error.strerror}") from error


def expect_writable(*paths: Path | None) -> None:
    """Make sure that files can be written; one that was not there is empty then.

    Args:
        paths: of the files; None is no file.

    Raises:
        Unwritable: one of them cannot.
    """
    for path in paths:
        if path is not None:
            with writing(path):
                path.open("ab").close()


def expect_apart(*paths: Path | None) -> None:
    """Make sure that nothing is written over what is read, or over what else is written.

    Args:
        paths: of the files; None is no file.

    Raises:
        Unwritable: two of them are one.
    """
    found = [path for path in paths if path is not None]
    for place, path in enumerate(found):
        if path.resolve() in [other.resolve() for other in found[:place]]:
            raise Unwritable(f"{path} is named for two things; a file for each is accepted")


def expect_readable(path: Path) -> None:
    """Make sure that a file can be read.

    Raises:
        Unreadable: it cannot.
    """
    try:
        path.open("rb").close()
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from error


def write_text(path: Path, text: str) -> None:
    """Write a file in UTF-8; what no text has, as of a file's name that is none, is a question mark.

    Raises:
        Unwritable: it cannot be.
    """
    with writing(path):
        path.write_text(text, "utf-8", "replace")
