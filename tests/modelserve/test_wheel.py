"""What is installed: modules, and the files that they read while they run."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_wheel_holds_what_runs_and_nothing_for_a_cluster(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert {
        "drift_detector/__main__.py",
        "modelserve/cost/prices/us-east-1.json",
        "modelserve/doctor/diagnosis.schema.json",
        "modelserve/drift/report/page.html.jinja",
        "modelserve/events/schemas/dev.modelserve.pipeline.run.ended.json",
        "modelserve/pipelines/definition/pipeline.schema.json",
        "modelserve/events/schemas/dev.modelserve.drift.detected.json",
        "modelserve/py.typed",
        "modelserve/shadow/report.html",
    } <= names
    assert not {name for name in names if name.endswith((".yaml", "Dockerfile"))}
