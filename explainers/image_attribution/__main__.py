"""``python -m image_attribution``: the explainer's process."""

import sys

from image_attribution.settings import ImageAttributionSettings
from modelserve.server.main import run_remote

sys.exit(
    run_remote(
        "image_attribution.model:ImageAttribution",
        ImageAttributionSettings,
        default_name="resnet-classifier",
        argv=sys.argv[1:],
    )
)
