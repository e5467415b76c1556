"""The KServe model of the image classifier."""

from __future__ import annotations

from pathlib import Path

from modelserve.execution import AnyTask
from modelserve.task_model import FolderModel
from resnet_classifier.engine import is_resnet, load_engine
from resnet_classifier.inference import ResNetTask
from resnet_classifier.preprocess import Preprocess


class ResNetClassifier(FolderModel):
    """Classes of images, by any torchvision ResNet."""

    @staticmethod
    def accepts(model_dir: Path) -> bool:
        """Whether the folder holds weights, and no configuration of another kind of model."""
        return is_resnet(model_dir)

    def build_task(self) -> AnyTask:
        """Read the folder: preprocessing, weights and labels."""
        preprocess = Preprocess.load(self.model_dir)
        engine, digest = load_engine(self.model_dir, **self.settings.engine_options)
        return ResNetTask(engine, preprocess, self.model_dir, digest=digest, limits=self.settings.limits)
