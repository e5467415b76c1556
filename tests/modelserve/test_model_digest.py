"""Weights are pinned by their digest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bert_ner.model import BertNer
from modelserve.errors import ModelLoadError
from modelserve.settings import EngineSettings, parse_settings

SAMPLE = Path(__file__).parents[2] / "samples" / "bert-ner"
SETTINGS = parse_settings(EngineSettings, [], program="test")


def test_the_right_weights_are_loaded_and_others_are_refused() -> None:
    model = BertNer("bert-ner", SAMPLE, SETTINGS)
    model.load()
    digest = model.codec.digest
    model.stop()

    pinned = BertNer("bert-ner", SAMPLE, SETTINGS, digest=digest)
    assert pinned.load()
    pinned.stop()

    other = BertNer("bert-ner", SAMPLE, SETTINGS, digest=f"sha256:{'0' * 64}")
    with pytest.raises(ModelLoadError, match=f"have the digest {digest}; only sha256:0000"):
        other.load()
    assert not other.ready


def test_a_server_does_not_start_with_other_weights() -> None:
    command = [sys.executable, "-m", "bert_ner", "--model_dir", str(SAMPLE), "--model_digest"]
    ran = subprocess.run([*command, f"sha256:{'0' * 64}"], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "have the digest sha256:" in ran.stderr

    ran = subprocess.run([*command, "abc"], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "model_digest" in ran.stderr
