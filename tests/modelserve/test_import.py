"""What importing the package costs."""

from __future__ import annotations

import json
import subprocess
import sys

PROBE = """
import json, sys
before = set(sys.modules)
import modelserve, modelserve.cli, modelserve.errors, modelserve.task
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""


def test_importing_loads_no_framework() -> None:
    answer = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    loaded = set(json.loads(answer.stdout))
    assert not loaded & {
        "torch",
        "transformers",
        "kserve",
        "onnx",
        "onnxruntime",
        "fastapi",
        "grpc",
        "pandas",
    }


def test_shelves_are_no_packages() -> None:
    """An ``__init__.py`` in ``transformers/`` would shadow Hugging Face's package."""
    from pathlib import Path

    root = Path(__file__).parents[2]
    shelves = ("predictors", "transformers", "explainers", "observability", "tests")
    assert not [shelf for shelf in shelves if (root / shelf / "__init__.py").exists()]
    import transformers

    assert hasattr(transformers, "BertForTokenClassification")
