"""Weights in every accepted file, and refusals of the others."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from modelserve.engines import weights as weights_module
from modelserve.engines.weights import digest, find_weights, read_weights
from modelserve.errors import ModelLoadError

STATE = {"fc.weight": torch.arange(6.0).reshape(2, 3) / 7, "fc.bias": torch.tensor([1.5, -2.0])}


def assert_is_state(found: dict[str, Any], *, tolerance: float = 0.0) -> None:
    assert found.keys() == STATE.keys()
    for name, tensor in STATE.items():
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], tensor.numpy(), rtol=tolerance)


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float32, 0), (torch.float64, 0), (torch.bfloat16, 2**-8), (torch.float16, 2**-11)],
)
def test_safetensors_of_any_floating_type(tmp_path: Path, dtype: torch.dtype, tolerance: float) -> None:
    save_file({k: v.to(dtype) for k, v in STATE.items()}, tmp_path / "model.safetensors")
    assert_is_state(read_weights(tmp_path), tolerance=tolerance)


def test_bfloat16_is_read_bit_by_bit(tmp_path: Path) -> None:
    values = torch.tensor([0.0, -0.0, 1e-40, 3.4e38, float("inf"), float("nan"), -1.1]).bfloat16()
    save_file({"a": values}, tmp_path / "model.safetensors")
    np.testing.assert_array_equal(read_weights(tmp_path)["a"], values.float().numpy())


def test_integers_and_scalars_stay_as_they_are(tmp_path: Path) -> None:
    save_file({"n": torch.tensor(7), "m": torch.tensor([True])}, tmp_path / "model.safetensors")
    found = read_weights(tmp_path)
    assert (found["n"].dtype, found["n"].shape, int(found["n"])) == (np.dtype("int64"), (), 7)
    assert found["m"].dtype == np.dtype(bool)


def test_shards(tmp_path: Path) -> None:
    save_file({"fc.weight": STATE["fc.weight"]}, tmp_path / "model-1.safetensors")
    save_file({"fc.bias": STATE["fc.bias"]}, tmp_path / "model-2.safetensors")
    index = {"weight_map": {"fc.weight": "model-1.safetensors", "fc.bias": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert_is_state(read_weights(tmp_path))
    (tmp_path / "model-2.safetensors").unlink()
    with pytest.raises(ModelLoadError, match=r"names the shard model-2\.safetensors"):
        read_weights(tmp_path)


@pytest.mark.parametrize("shard", ["../secret.safetensors", "/etc/passwd"])
def test_shards_outside_of_the_folder_are_refused(tmp_path: Path, shard: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    save_file(STATE, tmp_path / "secret.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard}}))
    with pytest.raises(ModelLoadError, match="not in the folder"):
        read_weights(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "resnet50-0676ba61.pth"])
def test_pickles_of_tensors(tmp_path: Path, name: str) -> None:
    torch.save(STATE, tmp_path / name)
    assert_is_state(read_weights(tmp_path))


@pytest.mark.parametrize("key", ["state_dict", "model"])
def test_wrappers_and_prefixes(tmp_path: Path, key: str) -> None:
    inner = {f"module.{name}": tensor.half() for name, tensor in STATE.items()}
    torch.save({"epoch": 3, key: inner, "optimiser": {"step": 9}}, tmp_path / "model.pt")
    assert_is_state(read_weights(tmp_path), tolerance=2**-11)


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("form", ["torch", "plain"])
def test_a_malicious_pickle_is_refused_and_not_run(tmp_path: Path, form: str) -> None:
    victim, path = tmp_path / "executed", tmp_path / "pytorch_model.bin"
    content = {"fc.weight": Malicious(victim)}
    if form == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(ModelLoadError, match="code in a model is never run"):
        read_weights(tmp_path)
    assert not victim.exists()
    torch.load(path, weights_only=False) if form == "torch" else pickle.loads(path.read_bytes())
    assert victim.exists(), "the pickle would not have run anyway"


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "model.pt")
    with pytest.raises(ModelLoadError, match=r"convert it to model\.safetensors"):
        read_weights(tmp_path)


def test_a_pickle_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(STATE, tmp_path / "model.pt")
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(ModelLoadError, match=r"takes torch to read; convert it to model\.safetensors"):
        read_weights(tmp_path)


def test_a_pickle_of_something_else(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "model.pt")
    with pytest.raises(ModelLoadError, match="holds a list"):
        read_weights(tmp_path)


@pytest.mark.parametrize("size", [0, 4, 60])
def test_a_file_that_is_cut_off(tmp_path: Path, size: int) -> None:
    save_file(STATE, tmp_path / "model.safetensors")
    content = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content[:size])
    with pytest.raises(ModelLoadError, match="no file of safetensors"):
        read_weights(tmp_path)


def test_the_order_of_files(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="holds no weights"):
        find_weights(tmp_path)
    order = ("b.pth", *reversed(weights_module.FILES))
    for name in order:
        (tmp_path / name).write_bytes(b"")
        assert find_weights(tmp_path).name == name


def test_several_files_without_a_known_name(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"")
    (tmp_path / "b.pth").write_bytes(b"")
    with pytest.raises(ModelLoadError, match=r"a\.pth, b\.pth"):
        find_weights(tmp_path)


def test_a_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    (tmp_path / "a").write_bytes(content)
    assert digest(tmp_path / "a") == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert digest(tmp_path / "a", tmp_path / "a") == f"sha256:{hashlib.sha256(content * 2).hexdigest()}"


def test_integers_are_multiplied_by_their_rows_scales(tmp_path: Path) -> None:
    integers = torch.tensor([[127, -127], [1, 0]], dtype=torch.int8)
    scale = torch.tensor([[0.5], [2.0]], dtype=torch.float16)
    save_file({"x.weight": integers, "x.weight_scale": scale}, tmp_path / "model.safetensors")
    found = read_weights(tmp_path)
    assert list(found) == ["x.weight"]
    np.testing.assert_array_equal(found["x.weight"], np.array([[63.5, -63.5], [2, 0]], np.float32))


@pytest.mark.parametrize("scale", [None, torch.ones(2), torch.ones(3, 1)])
def test_integers_without_their_scales_are_refused(tmp_path: Path, scale: torch.Tensor | None) -> None:
    tensors = {"x.weight": torch.ones(2, 2, dtype=torch.int8)}
    if scale is not None:
        tensors["x.weight_scale"] = scale
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(ModelLoadError, match=r"x\.weight"):
        read_weights(tmp_path)
