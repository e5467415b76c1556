"""The KServe model of the image classifier."""

from __future__ import annotations

from pathlib import Path

from modelserve.serving import AnyTask, ServedModel
from modelserve.settings import ServerSettings
from resnet_classifier.engine import is_resnet, load_engine
from resnet_classifier.inference import ResNetTask
from resnet_classifier.preprocess import Preprocess


class ResNetClassifier(ServedModel):
    """Classes of images, by any torchvision ResNet."""

    def __init__(self, name: str, model_dir: Path, settings: ServerSettings, *, version: str = "1") -> None:
        super().__init__(name, version=version)
        self._model_dir = model_dir
        self._settings = settings

    @staticmethod
    def accepts(model_dir: Path) -> bool:
        """Whether the folder looks like one of this unit's."""
        return is_resnet(model_dir)

    def build_task(self) -> AnyTask:
        """Read the folder: preprocessing, weights and labels."""
        settings = self._settings
        preprocess = Preprocess.load(self._model_dir)
        engine, digest = load_engine(
            self._model_dir,
            engine=settings.engine,
            threads=settings.threads,
            device=settings.device,
            precision=settings.precision,
        )
        return ResNetTask(engine, preprocess, self._model_dir, digest=digest, limits=settings.limits)
