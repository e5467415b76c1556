"""From a call to its features, whichever model answered it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from modelserve.drift.features.image import ImageFeatures
from modelserve.drift.features.text import TextFeatures, excerpt
from modelserve.drift.table import Row
from modelserve.errors import ModelServeError
from modelserve.events.calls import Call, TextCall

ASSETS = ("tokenizer.json", "preprocess.json")
"""Files of a model's folder by which features are told."""


class AssetError(ModelServeError):
    """A model's folder, or a file of it, that features cannot be told by."""


class Extractor:
    """Tells the features of calls of one model.

    Args:
        assets: those of ``ASSETS`` that the model has, by name.
        shown: whether something of each input is kept to be shown to people.

    Raises:
        AssetError: one of them is none.
    """

    def __init__(self, assets: Mapping[str, bytes], *, shown: bool) -> None:
        try:
            self._texts = TextFeatures(assets.get("tokenizer.json"))
            self._images = ImageFeatures(assets.get("preprocess.json"))
        except ValueError as error:
            raise AssetError(str(error)) from error
        self._shown = shown

    def examine(self, call: Call) -> tuple[list[Row], list[bytes | None]]:
        """A row for each text or image, and what is shown of it: a text's beginning, or a small JPEG."""
        if isinstance(call, TextCall):
            rows: list[Row] = [
                self._texts.row(text, entities)
                for text, entities in zip(call.texts, call.entities, strict=True)
            ]
            return rows, [excerpt(text) if self._shown else None for text in call.texts]
        examined = [
            self._images.examine(image, found, shown=self._shown)
            for image, found in zip(call.images, call.classes, strict=True)
        ]
        return [row for row, _ in examined], [small for _, small in examined]


def assets_of(model_dir: Path) -> dict[str, bytes]:
    """The files of a model's folder by which features are told.

    Raises:
        AssetError: there is no such folder, or one of the files cannot be read.
    """
    if not model_dir.is_dir():
        raise AssetError(f"{model_dir} is no folder; that of a model is accepted")
    try:
        return {name: (model_dir / name).read_bytes() for name in ASSETS if (model_dir / name).is_file()}
    except OSError as error:
        raise AssetError(f"{model_dir} cannot be read: {error}") from error
