"""Where alibi-detect is not installed its detectors say so, at once and by its name."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from pydantic import ValidationError

from drift_detector.settings import DetectorSettings
from modelserve.drift.detectors import GROUP, named_detectors


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "alibi_detect", None)
    for point in entry_points(group=GROUP):
        with pytest.raises(ModuleNotFoundError) as raised:
            point.load()()
        assert raised.value.name == "alibi_detect", point
    with pytest.raises(ValueError, match="'mmd' is not at hand; accepted are kolmogorov_smirnov"):
        named_detectors(["mmd"])
    with pytest.raises(ValidationError, match="alibi-detect is not installed, which it needs; 0 is accepted"):
        DetectorSettings.model_validate({"online_run_time": 1000})


def test_detectors_that_share_windows_do_not_watch_them() -> None:
    shared = {"store": "postgresql+psycopg://drift@db/drift", "shared_url": "redis://redis"}
    with pytest.raises(ValidationError, match="each sees a part of what comes; 0 is accepted"):
        DetectorSettings.model_validate({**shared, "online_run_time": 1000})


def test_importing_the_unit_imports_neither_alibi_detect_nor_tensorflow() -> None:
    code = """
import sys
from drift_detector.alibi import lsdd, mmd, online_mmd
heavy = {"alibi_detect", "tensorflow", "numba"} & {name.partition(".")[0] for name in sys.modules}
sys.exit(f"imported: {heavy}" if heavy else 0)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
