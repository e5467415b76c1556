"""The step of docs/guides/aws.md that changes an overlay makes one with the account's bucket and images."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

Object = dict[str, Any]
ROOT = Path(__file__).parents[2]


def test_the_overlay_gets_the_accounts_bucket_and_images(
    tmp_path: Path, build_folder: Callable[[Path], list[Object]]
) -> None:
    guide = (ROOT / "docs" / "guides" / "aws.md").read_text("utf-8")
    (block,) = re.findall(r"^```bash\n(overlay=.*?)^kubectl", guide, re.MULTILINE | re.DOTALL)
    shutil.copytree(ROOT / "inferenceservices", tmp_path / "inferenceservices")
    for tag in ("0a1b2c3", "1234567"):  # as after a new commit, whose name YAML would take for a number
        given = f"environment=dev models=bucket registry=host/modelserve-dev tag={tag}\n"
        subprocess.run(["bash", "-euc", given + block], cwd=tmp_path, check=True)
    objects = build_folder(tmp_path / "inferenceservices" / "overlays" / "dev")
    images = {
        container["image"]
        for one in objects
        if one["kind"] == "ServingRuntime"
        for container in one["spec"]["containers"]
    }
    assert images == {f"host/modelserve-dev/{name}:1234567" for name in ("bert-ner", "resnet-classifier")}
    for one in objects:
        if one["kind"] == "InferenceService":
            folder = f"{one['metadata']['name']}/1"
            assert one["spec"]["predictor"]["model"]["storageUri"] == f"s3://bucket/{folder}"
            assert f'"s3://$models/{folder}/"' in guide
