"""Libraries that report their use are told not to, before they are imported."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import os, sys
import modelserve
assert "onnxruntime" not in sys.modules
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""


def _said(**variables: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**kept, **variables}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_onnx_runtime_tells_nobody() -> None:
    assert _said() == "1"


def test_who_wants_it_to_may_say_so() -> None:
    assert _said(ORT_DISABLE_TELEMETRY="0") == "0"
