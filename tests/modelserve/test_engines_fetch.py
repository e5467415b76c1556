"""A model's folder by name, from a server that answers as the hub does."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import huggingface_hub.constants
import numpy as np
import pytest
import torch
from http_servers import serving
from safetensors.torch import save
from torchvision.models import ResNet18_Weights, resnet18

from modelserve.engines.fetch import resolve_model, write_torchvision
from modelserve.errors import ModelLoadError
from resnet_classifier.engine import load_engine
from resnet_classifier.labels import load_labels
from resnet_classifier.preprocess import Preprocess

COMMIT = "a" * 40


class Hub(BaseHTTPRequestHandler):
    """The two endpoints of the hub that a snapshot needs."""

    files: ClassVar[dict[str, bytes]] = {}
    fetched: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        prefix = f"/org/name/resolve/{COMMIT}/"
        name = path.removeprefix(prefix)
        if path.startswith("/api/models/org/name/revision/"):
            content = json.dumps(
                {"id": "org/name", "sha": COMMIT, "siblings": [{"rfilename": name} for name in self.files]}
            ).encode()
        elif path.startswith("/api/models/org/name/tree/"):
            content = json.dumps(
                [
                    {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                    for name, data in self.files.items()
                ]
            ).encode()
        elif path.startswith(prefix) and name in self.files:
            content = self.files[name]
            if body:
                self.fetched.append(name)
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[Hub]]:
    # What HF_ENDPOINT and HF_HOME set when the library is imported.
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.setattr(Hub, "fetched", [])
    monkeypatch.setattr(Hub, "files", {})
    with serving(Hub) as port:
        url = f"http://127.0.0.1:{port}"
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        yield Hub


def test_safetensors_are_preferred_and_nothing_else_is_fetched(hub: type[Hub]) -> None:
    weights = save({"a": torch.ones(2)})
    hub.files = {
        "config.json": b"{}",
        "vocab.txt": b"[PAD]\n",
        "model.safetensors": weights,
        "pytorch_model.bin": b"a pickle",
        "tf_model.h5": b"tensorflow",
        "README.md": b"words",
    }
    folder = resolve_model(None, "org/name")
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors", "vocab.txt"]
    assert (folder / "model.safetensors").read_bytes() == weights
    count = len(hub.fetched)
    assert count == 3
    assert resolve_model(None, "org/name") == folder
    assert len(hub.fetched) == count


def test_a_pickle_is_fetched_where_there_are_no_safetensors(hub: type[Hub]) -> None:
    hub.files = {"config.json": b"{}", "pytorch_model.bin": b"a pickle", "flax_model.msgpack": b"flax"}
    folder = resolve_model(None, "org/name")
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "pytorch_model.bin"]


def test_a_repository_without_weights(hub: type[Hub]) -> None:
    hub.files = {"config.json": b"{}"}
    with pytest.raises(ModelLoadError, match="holds no weights"):
        resolve_model(None, "org/name")


def test_a_repository_that_is_not_there(hub: type[Hub]) -> None:
    with pytest.raises(ModelLoadError, match="org/other cannot be fetched from the hub") as caught:
        resolve_model(None, "org/other")
    assert "\n" not in str(caught.value)


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    assert resolve_model(tmp_path, None) == tmp_path
    with pytest.raises(ModelLoadError, match="is no folder"):
        resolve_model(tmp_path / "none", None)


def test_a_folder_may_come_later_as_a_link(tmp_path: Path) -> None:
    whole, link = tmp_path / "whole", tmp_path / "models"
    whole.mkdir()
    timer = threading.Timer(0.3, link.symlink_to, [whole])
    timer.start()
    assert resolve_model(link, None, wait_seconds=30) == link
    timer.join()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can read what is another's and leave being root")
def test_a_folder_that_may_not_be_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    script = (
        "import os, sys; from pathlib import Path; from modelserve.engines.fetch import resolve_model\n"
        "os.setgid(65532); os.setuid(65532)\n"
        "try: resolve_model(Path(sys.argv[1]), None, wait_seconds=60)\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "models")],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    said = "cannot be read by user 65532 of group 65532: Permission denied"
    assert run.stdout == f"ModelLoadError {tmp_path / 'models'} {said}\n"


@pytest.mark.parametrize("arguments", [(None, None), (Path(), "org/name")])
def test_one_of_both_is_needed(arguments: tuple[Path | None, str | None]) -> None:
    with pytest.raises(ModelLoadError, match="give one of"):
        resolve_model(*arguments)


def test_a_name_that_torchvision_does_not_have() -> None:
    with pytest.raises(ModelLoadError, match="a name such as resnet50"):
        resolve_model(None, "bert-base")


def test_torchvision_weights_become_a_folder_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = resnet18().eval()
    asked = []

    def fetch(weights: object, **options: object) -> Any:
        asked.append(options)
        return network.state_dict()

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(ResNet18_Weights, "get_state_dict", fetch)
    folder = resolve_model(None, "resnet18")
    assert resolve_model(None, "resnet18") == folder
    assert asked == [{"progress": False, "check_hash": True, "weights_only": True}]
    assert [path.name for path in (tmp_path / "modelserve").iterdir()] == [folder.name]
    assert Preprocess.load(folder) == Preprocess()
    assert load_labels(folder, 1000)[0] == "tench"
    engine, _ = load_engine(folder, engine="onnx")
    pixels = np.random.default_rng(0).standard_normal((1, 3, 64, 64), np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(pixels)).numpy()
    np.testing.assert_allclose(engine.run({"pixels": pixels})["logits"], expected, atol=1e-4)


def test_other_transforms_are_written_as_they_are(tmp_path: Path) -> None:
    from torchvision.models import ResNet50_Weights

    transforms = ResNet50_Weights.IMAGENET1K_V2.transforms()
    write_torchvision({"a": torch.ones(1)}, ["x"], transforms, tmp_path / "new")
    assert Preprocess.load(tmp_path / "new").resize == 232
