"""What is looked at in a call: features of the texts or images, and of what the model made of them."""

from modelserve.drift.features.extracting import Extractor, assets_of

__all__ = ["Extractor", "assets_of"]
