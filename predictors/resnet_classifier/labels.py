"""The names of a classifier's classes, from its model folder."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from modelserve.errors import ModelLoadError

logger = logging.getLogger(__name__)


def load_labels(model_dir: Path, classes: int) -> tuple[str, ...]:
    """Read ``labels.txt``, a name on each line, or ``id2label`` of a Hugging Face ``config.json``.

    Without either, the classes are named by their numbers, and a warning says so: nothing else
    in a folder of torchvision's weights tells their names.

    Args:
        model_dir: the model's folder.
        classes: how many the weights have.

    Raises:
        ModelLoadError: a file cannot be read, or names another number of classes.
    """
    text, config = model_dir / "labels.txt", model_dir / "config.json"
    labels = _from_text(text) if text.exists() else _from_config(config) if config.exists() else None
    if labels is None:
        logger.warning("%s has no labels.txt; the %d classes are named by number", model_dir, classes)
        return tuple(str(number) for number in range(classes))
    if len(labels) != classes:
        source = text if text.exists() else config
        raise ModelLoadError(f"{source} names {len(labels)} classes, but the weights have {classes}")
    return labels


def _from_text(path: Path) -> tuple[str, ...]:
    try:
        # Not splitlines(), which would split a name at a rare separator such as U+2028.
        lines = [line.strip() for line in path.read_text("utf-8-sig").rstrip().split("\n")]
    except UnicodeDecodeError as error:
        raise ModelLoadError(f"{path} is no UTF-8: {error}") from error
    if not all(lines):
        raise ModelLoadError(f"{path}: line {lines.index('') + 1} is empty; each line names a class")
    return tuple(lines)


def _from_config(path: Path) -> tuple[str, ...] | None:
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ModelLoadError(f"{path} is no JSON: {error}") from error
    names = config.get("id2label") if isinstance(config, dict) else None
    if names is None:
        return None
    if not isinstance(names, dict) or set(names) != {str(number) for number in range(len(names))}:
        raise ModelLoadError(f"{path}: id2label must give a name to each number from 0")
    return tuple(str(names[str(number)]) for number in range(len(names)))
