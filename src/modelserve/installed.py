"""The predictors that are installed here."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points


def predictors() -> dict[str, EntryPoint]:
    """The entry points ``modelserve.predictors`` by their names, in alphabetical order.

    Each names a ``FolderModel``.
    """
    found = entry_points(group="modelserve.predictors")
    return {unit.name: unit for unit in sorted(found, key=lambda unit: unit.name)}
