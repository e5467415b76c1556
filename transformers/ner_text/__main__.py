"""``python -m ner_text``: the transformer's process."""

import sys

from modelserve.server.main import run_remote
from ner_text.settings import NerTextSettings

sys.exit(run_remote("ner_text.model:NerText", NerTextSettings, default_name="bert-ner", argv=sys.argv[1:]))
