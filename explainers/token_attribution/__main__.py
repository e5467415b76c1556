"""``python -m token_attribution``: the explainer's process."""

import sys

from modelserve.server.main import run_remote
from token_attribution.settings import TokenAttributionSettings

sys.exit(
    run_remote(
        "token_attribution.model:TokenAttribution",
        TokenAttributionSettings,
        default_name="bert-ner",
        argv=sys.argv[1:],
    )
)
