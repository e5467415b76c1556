from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from image_tensors.origins import Origin
from image_tensors.settings import ImageTensorsSettings
from modelserve.settings import parse_settings

ROOT = Path(__file__).parents[2]
PROBE = """
import json, sys
from modelserve.light_kserve import import_model
import_model()
import image_tensors.model
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)


def test_flags_and_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = parse_settings(ImageTensorsSettings, [], program="p")
    assert (plain.predictor_protocol, plain.allowed_origins, plain.preprocess_file) == (
        "grpc-v2",
        frozenset(),
        None,
    )
    monkeypatch.setenv("MODELSERVE_ALLOWED_URL_HOSTS", "images.test, http://dev.test:8080")
    allowed = {Origin("https", "images.test", 443), Origin("http", "dev.test", 8080)}
    assert parse_settings(ImageTensorsSettings, [], program="p").allowed_origins == allowed
    flags = ["--allowed_url_hosts", "a.test,b.test", "--predictor_protocol", "v2"]
    given = parse_settings(ImageTensorsSettings, flags, program="p")
    assert {origin.host for origin in given.allowed_origins} == {"a.test", "b.test"}
    assert given.predictor_protocol == "v2"


@pytest.mark.parametrize("hosts", ["*.images.test", "10.0.0.1", "images.test/x"])
def test_a_list_that_cannot_be_read_is_bad_usage(hosts: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        parse_settings(ImageTensorsSettings, ["--allowed_url_hosts", hosts], program="p")
    assert raised.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("p: --allowed_url_hosts: ")
    assert repr(hosts) in said
    assert said.count("\n") == 1


def test_the_process_says_what_it_lacks(tmp_path: Path) -> None:
    missing = run("-m", "image_tensors")
    assert (missing.returncode, "--predictor_host is needed" in missing.stderr) == (2, True)
    arguments = ("-m", "image_tensors", "--predictor_host", "p", "--http_port", "0", "--grpc_port", "0")
    broken = run(*arguments, "--preprocess_file", str(tmp_path / "none.json"))
    assert (broken.returncode, "none.json cannot be read" in broken.stderr) == (1, True)
    assert "Traceback" not in broken.stderr


def test_no_engine_is_imported() -> None:
    answer = run("-c", PROBE)
    assert answer.returncode == 0, answer.stderr
    assert not set(json.loads(answer.stdout)) & {
        "torch",
        "torchvision",
        "onnx",
        "onnxruntime",
        "transformers",
    }
