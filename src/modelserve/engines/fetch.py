"""A model's folder by its name: on this disk, on Hugging Face's hub, or among torchvision's weights.

Nothing is fetched for a folder. What is fetched is cached, and fetched once.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelserve.engines.weights import FILES, find_weights
from modelserve.errors import ModelLoadError

if TYPE_CHECKING:
    import torch

HUB_FILES = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "labels.txt",
    "preprocess.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*.safetensors",
)
"""What is used of a repository; many hold the weights of five frameworks."""

HUB_PICKLE = "pytorch_model.bin"
"""Fetched where a repository has no safetensors."""


LINK_SECONDS = 60.0
"""The longest wait for a model image, which KServe starts beside the server and links into its folder."""


def resolve_model(model_dir: Path | None, model_id: str | None, *, wait_seconds: float = 0.0) -> Path:
    """The folder of a model.

    Args:
        model_dir: the folder itself.
        model_id: a hub's ``org/name``, or a name of torchvision's, such as ``resnet50``.
        wait_seconds: how long the folder may take to appear.

    Raises:
        ModelLoadError: neither or both are given, the folder is none or may not be read, or the model
            cannot be fetched.
    """
    if (model_dir is None) == (model_id is None):
        raise ModelLoadError("give one of model_dir, a folder, and model_id, a name to fetch")
    if model_dir is not None:
        deadline = time.monotonic() + wait_seconds
        while not _is_folder(model_dir) and time.monotonic() < deadline:
            time.sleep(0.05)
        check_folder(model_dir)
        return model_dir
    assert model_id is not None
    return _fetch_from_hub(model_id) if "/" in model_id else _fetch_from_torchvision(model_id)


def check_folder(path: Path) -> None:
    """See that a path is a folder.

    Raises:
        ModelLoadError: it is none, or may not be read.
    """
    if not _is_folder(path):
        raise ModelLoadError(f"{path} is no folder; a model's folder is accepted")


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ModelLoadError(
            f"{path} cannot be read by user {os.getuid()} of group {os.getgid()}: {error.strerror}"
        ) from error


def _fetch_from_hub(model_id: str) -> Path:
    try:
        from huggingface_hub import snapshot_download  # noqa: PLC0415
    except ImportError as error:
        raise ModelLoadError(
            f"{model_id} cannot be fetched: huggingface_hub is not installed: modelserve[hub]"
        ) from error
    try:
        folder = Path(snapshot_download(model_id, allow_patterns=list(HUB_FILES)))
        if not any((folder / name).exists() for name in FILES):
            folder = Path(snapshot_download(model_id, allow_patterns=[*HUB_FILES, HUB_PICKLE]))
    except Exception as error:  # its errors, the HTTP client's and the disk's share no base
        first_line = str(error).strip().partition("\n")[0]
        raise ModelLoadError(f"{model_id} cannot be fetched from the hub: {first_line}") from error
    find_weights(folder)
    return folder


def _fetch_from_torchvision(name: str) -> Path:
    try:
        from torchvision.models import get_model_weights  # noqa: PLC0415
    except ImportError as error:
        raise ModelLoadError(
            f"{name} cannot be fetched: torchvision is not installed: modelserve[gpu]; "
            "a folder, or a hub's org/name, is accepted"
        ) from error
    try:
        weights = get_model_weights(name).DEFAULT
    except (ValueError, AttributeError) as error:
        raise ModelLoadError(
            f"{name} is no model of torchvision's with weights; a name such as resnet50, or a hub's "
            "org/name, is accepted"
        ) from error
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelserve"
    folder = cache / str(weights).replace(".", "-")
    if folder.is_dir():
        return folder
    try:
        state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            staged = Path(scratch) / "model"
            write_torchvision(state, weights.meta["categories"], weights.transforms(), staged)
            staged.replace(folder)
    except (OSError, RuntimeError) as error:  # URLError is an OSError; a wrong hash, a RuntimeError
        raise ModelLoadError(f"{name} cannot be fetched from torchvision: {error}") from error
    return folder


def write_torchvision(
    state: Mapping[str, torch.Tensor], categories: list[str], transforms: Any, folder: Path
) -> None:
    """Write torchvision's weights as a folder that needs torchvision no more.

    Args:
        state: the weights.
        categories: the classes' names, in order.
        transforms: torchvision's ``ImageClassification`` preset, whose fields are read.
        folder: to make.
    """
    from safetensors.torch import save_file  # noqa: PLC0415

    folder.mkdir(parents=True)
    save_file(dict(state), folder / "model.safetensors")
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in categories), "utf-8")
    spec = {
        "resize": transforms.resize_size[0],
        "crop": transforms.crop_size[0],
        "interpolation": transforms.interpolation.value,
        "mean": transforms.mean,
        "std": transforms.std,
    }
    (folder / "preprocess.json").write_text(json.dumps(spec, indent=2) + "\n", "utf-8")
