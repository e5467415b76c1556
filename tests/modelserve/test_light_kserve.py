"""KServe's model is imported without the rest of KServe, and the rest is there when it is asked for."""

from __future__ import annotations

import json
import subprocess
import sys

LIGHT = """
import json, sys
from modelserve.light_kserve import import_model
import_model()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
LATER = """
from modelserve.light_kserve import import_model
import_model()
from kserve.model import Model
import kserve
assert kserve.ModelServer.__name__ == "ModelServer"
assert kserve.Model is Model
assert kserve.V1beta1InferenceService
from kserve.utils import utils
import pandas
assert utils.pd.DataFrame is pandas.DataFrame
import_model()
assert kserve.Model is Model
try:
    kserve.no_such_name
except AttributeError:
    print("done")
"""


def run(code: str) -> str:
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_what_a_predictor_never_calls_is_not_imported() -> None:
    loaded = set(json.loads(run(LIGHT)))
    assert "kserve" in loaded
    assert not loaded & {"pandas", "kubernetes", "requests", "tabulate"}


def test_the_rest_of_kserve_comes_when_it_is_asked_for() -> None:
    assert run(LATER) == "done\n"
