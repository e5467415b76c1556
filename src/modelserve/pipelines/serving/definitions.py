"""The definitions that a server has."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from modelserve.errors import ModelServeError
from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.definition.reading import find_definition, read_pipeline


class RepeatedName(ModelServeError):
    """Two pipelines have one name."""


def read_all(paths: Iterable[Path]) -> dict[str, Pipeline]:
    """Pipelines by their names.

    Args:
        paths: of files, of folders with a ``pipeline.yaml``, and of folders of such files or folders.

    Raises:
        DefinitionError: one cannot be read, or has mistakes.
        RepeatedName: two have one name.
    """
    found: dict[str, Pipeline] = {}
    for path in (one for given in paths for one in _definitions(given)):
        pipeline = read_pipeline(path)
        name = pipeline.metadata.name
        if name in found:
            raise RepeatedName(f"{path}: pipeline {name} is there twice; names of their own are accepted")
        found[name] = placed(pipeline, path.parent)
    return found


def placed(pipeline: Pipeline, folder: Path) -> Pipeline:
    """A pipeline that can be run from any folder: those of its predictors are named in full."""
    copy = pipeline.model_copy(deep=True)
    for model in copy.spec.models.values():
        if model.in_process is not None:
            model.in_process.model_dir = str((folder / model.in_process.model_dir).resolve())
    return copy


def _definitions(path: Path) -> list[Path]:
    if path.is_dir() and not (path / "pipeline.yaml").exists():
        # A ConfigMap's folder also has hidden ones, of which its files are links.
        inside = sorted(one for one in path.iterdir() if not one.name.startswith("."))
        files = [one for one in inside if one.suffix in (".yaml", ".yml")]
        return files + [one / "pipeline.yaml" for one in inside if (one / "pipeline.yaml").exists()]
    return [find_definition(path)]
