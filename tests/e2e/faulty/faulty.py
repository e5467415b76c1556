"""The sample NER model with a fault, as FAULT says: ``errors``, ``slow``, ``labels``, ``unready`` or nothing.

For the tests of rollouts on a cluster; a server like any other but for that.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from dataclasses import replace
from typing import Any

from bert_ner.inference import NerTask
from bert_ner.model import BertNer
from modelserve.server.main import run_predictor

_FAULT = os.environ.get("FAULT", "")
_ERRORS, _SECONDS = 0.05, 0.1


class FaultyTask(NerTask):
    """Fails on one of twenty texts, is a tenth of a second slower, or calls everything a person."""

    def prepare(self, items: Any) -> Any:
        """Texts, whose entities the fault may change or keep from being found."""
        return [self._with_fault(prepared) for prepared in super().prepare(items)]

    @staticmethod
    def _with_fault(prepared: Any) -> Any:
        def finish(outputs: Any) -> Any:
            if _FAULT == "errors" and random.random() < _ERRORS:
                raise RuntimeError("a fault that a test asked for")
            if _FAULT == "slow":
                time.sleep(_SECONDS)
            found = prepared.finish(outputs)
            return [{**entity, "type": "PER"} for entity in found] if _FAULT == "labels" else found

        return replace(prepared, finish=finish)


class FaultyNer(BertNer):
    """The model that has such a task."""

    def build_task(self) -> Any:
        """The sample's, with the fault."""
        task = super().build_task()
        task.__class__ = FaultyTask
        return task


if __name__ == "__main__":
    while _FAULT == "unready":
        # Process 1 of a container has to say so itself.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        time.sleep(1)
    sys.exit(run_predictor("faulty:FaultyNer", default_name="bert-ner", argv=sys.argv[1:]))
