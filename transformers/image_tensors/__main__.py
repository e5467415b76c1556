"""``python -m image_tensors``: the transformer's process."""

import sys

from image_tensors.settings import ImageTensorsSettings
from modelserve.server.main import run_remote

sys.exit(
    run_remote(
        "image_tensors.model:ImageTensors",
        ImageTensorsSettings,
        default_name="resnet-classifier",
        argv=sys.argv[1:],
    )
)
