"""The KServe model of this transformer."""

from __future__ import annotations

from image_tensors.connecting import PublicNetwork
from image_tensors.fetching import Fetcher
from image_tensors.settings import ImageTensorsSettings
from image_tensors.transformation import ImageTransformation
from modelserve.forwarding import ForwardingModel
from resnet_classifier.preprocess import Preprocess


class ImageTensors(ForwardingModel):
    """Classes of images, by a predictor that is given tensors.

    Args:
        name: of the model, here and at the predictor.
        settings: where the predictor is, how images become tensors, and which URLs are fetched.
        version: in the URL and in metadata.
        fetcher: gets images from URLs; by default one that connects to the internet alone.

    Raises:
        ModelLoadError: the preprocessing cannot be used.
    """

    def __init__(
        self,
        name: str,
        settings: ImageTensorsSettings,
        *,
        version: str = "1",
        fetcher: Fetcher | None = None,
    ) -> None:
        preprocess = (
            Preprocess() if settings.preprocess_file is None else Preprocess.read(settings.preprocess_file)
        )
        self._fetcher = fetcher or Fetcher(
            PublicNetwork(),
            timeout_seconds=settings.url_timeout_seconds,
            image_bytes=settings.max_image_bytes,
            call_bytes=settings.max_body_bytes,
        )
        transformation = ImageTransformation(
            preprocess, self._fetcher, limits=settings.limits, allowed=settings.allowed_origins
        )
        super().__init__(name, transformation, settings, version=version)

    async def close(self) -> None:
        """Close the connections to the predictor and to the hosts of images."""
        await super().close()
        await self._fetcher.close()
