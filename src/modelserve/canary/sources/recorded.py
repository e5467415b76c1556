"""Measurements in a file: what another system wrote, or a rollout that is looked at again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from modelserve.canary.judge.measurements import Look
from modelserve.canary.sources.protocol import NotMeasured
from modelserve.written import first_mistake

_LOOK: TypeAdapter[Look] = TypeAdapter(Look)


class RecordedSource:
    """A file of looks, a JSON object on each line, as ``modelserve canary run --record`` writes them.

    Its revisions are whatever they were called then: names are not looked at.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._looks = read_looks(path)

    def look(self, *, canary: str, stable: str) -> Look:
        """The next one.

        Raises:
            NotMeasured: there is no further one, or it is none.
        """
        found = next(self._looks, None)
        if found is None:
            raise NotMeasured("there are no further measurements in the file")
        return found


def read_looks(path: Path) -> Iterator[Look]:
    """The looks of a file, one by one.

    Raises:
        NotMeasured: the file cannot be read, or a line of it is none.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield _LOOK.validate_json(line)
                except ValidationError as error:
                    said = first_mistake(error, "it")
                    raise NotMeasured(f"line {number} of {path} is no look: {said}") from error
    except OSError as error:
        raise NotMeasured(f"{path} cannot be read: {error.strerror}") from error


def write_look(look: Look) -> bytes:
    """A look as a line of such a file."""
    return _LOOK.dump_json(look) + b"\n"
