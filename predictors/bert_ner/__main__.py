"""``python -m bert_ner``: the predictor's process."""

import sys

from modelserve.server.main import run_predictor

sys.exit(run_predictor("bert_ner.model:BertNer", default_name="bert-ner", argv=sys.argv[1:]))
