"""``python -m resnet_classifier``: the predictor's process."""

import sys

from modelserve.server.main import run_predictor

sys.exit(
    run_predictor(
        "resnet_classifier.model:ResNetClassifier", default_name="resnet-classifier", argv=sys.argv[1:]
    )
)
