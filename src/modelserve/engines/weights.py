"""Reads a folder's weights as numpy arrays, whatever wrote them, without trusting them.

Safetensors need no torch. Pickles are code: they are read by ``torch.load(weights_only=True)``
alone, which runs none of it, and only where torch is installed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, deserialize

from modelserve.errors import ModelLoadError

Weights = dict[str, npt.NDArray[Any]]

INDEX = "model.safetensors.index.json"
FILES = ("model.safetensors", INDEX, "pytorch_model.bin", "model.pt", "model.pth")
"""Files of weights in the order in which they are looked for."""

WRAPPERS = ("state_dict", "model_state_dict", "model", "model_state", "state_dict_ema")
"""Keys under which training scripts put the weights beside an optimiser's state."""

SCALE = ".weight_scale"
"""Ending of the name of a scale that belongs to integers in ``.weight``."""

_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "<i1",
    "U8": "<u1",
    "BOOL": "?",
}
"""Safetensors' datatypes and numpy's; bfloat16 is read as bits, as numpy has no such type."""


def find_weights(model_dir: Path) -> Path:
    """The file of weights that a folder is loaded from; of shards, their index.

    Raises:
        ModelLoadError: there is none, or several where no name decides.
    """
    for name in FILES:
        if (model_dir / name).is_file():
            return model_dir / name
    others = sorted(path for path in model_dir.glob("*.pth") if path.is_file())
    if len(others) == 1:
        return others[0]
    if others:
        raise ModelLoadError(
            f"{model_dir} holds several files of weights ({', '.join(path.name for path in others)}); "
            "name the one to serve model.pth"
        )
    raise ModelLoadError(f"{model_dir} holds no weights; one of {', '.join(FILES)} or a *.pth is accepted")


def read_weights(model_dir: Path) -> Weights:
    """Read a folder's weights.

    ``module.``, which torch's DataParallel puts before every name, is taken off. 8-bit integers in
    ``x.weight`` are multiplied by the scales of their rows in ``x.weight_scale``.

    Returns:
        Tensors by name; those of any floating type as float32, the others as they are stored.

    Raises:
        ModelLoadError: there are none, they are corrupt, or they are a pickle that needs code to
            run or torch to be read.
    """
    path = find_weights(model_dir)
    weights: Weights = {}
    for part in weight_files(path):
        weights.update(_read_safetensors(part) if part.suffix == ".safetensors" else _read_pickle(part))
    if weights and all(name.startswith("module.") for name in weights):
        weights = {name.removeprefix("module."): tensor for name, tensor in weights.items()}
    return _unpack_integers(weights, path)


def _unpack_integers(weights: Weights, path: Path) -> Weights:
    """Multiply ``x.weight`` in int8, [rows, ...], by ``x.weight_scale``, [rows, 1]."""
    unpacked = {name: tensor for name, tensor in weights.items() if not name.endswith(SCALE)}
    for name, tensor in unpacked.items():
        if tensor.dtype == np.int8:
            scale = weights.get(f"{name.removesuffix('.weight')}{SCALE}")
            if scale is None or scale.shape != (len(tensor), 1) or tensor.ndim != 2:
                raise ModelLoadError(
                    f"{path}: tensor {name} is of 8-bit integers without a scale for each row; "
                    f"floating-point weights, or integers with a {SCALE} [rows, 1], are accepted"
                )
            unpacked[name] = tensor * scale.astype(np.float32)
    return unpacked


def weight_files(path: Path) -> tuple[Path, ...]:
    """The files that hold the tensors: the shards of an index, or the file itself.

    Raises:
        ModelLoadError: the index cannot be used, or a shard is missing.
    """
    if path.name != INDEX:
        return (path,)
    try:
        names = sorted(set(json.loads(path.read_text("utf-8"))["weight_map"].values()))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelLoadError(f"{path} is no index of safetensors: {error!r}") from error
    for name in names:
        if Path(name).name != name or not (path.parent / name).is_file():
            raise ModelLoadError(f"{path} names the shard {name}, which is not in the folder")
    return tuple(path.parent / name for name in names)


def digest(*paths: Path) -> str:
    """``sha256:`` and the hex digest of files, read one after the other."""
    sha256 = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while chunk := file.read(2**20):
                sha256.update(chunk)
    return f"sha256:{sha256.hexdigest()}"


def _read_safetensors(path: Path) -> Weights:
    try:
        tensors: list[tuple[str, dict[str, Any]]] = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise ModelLoadError(f"{path} is no file of safetensors: {error}") from error
    weights: Weights = {}
    for name, tensor in tensors:
        dtype = tensor["dtype"]
        if dtype not in _DTYPES:
            raise ModelLoadError(
                f"{path}: tensor {name} is of datatype {dtype}; one of {', '.join(_DTYPES)} is accepted"
            )
        array = np.frombuffer(tensor["data"], _DTYPES[dtype])
        if dtype == "BF16":  # the upper half of a float32
            array = (array.astype(np.uint32) << 16).view(np.float32)
        weights[name] = _as_float32(array.reshape(tensor["shape"]))
    return weights


def _read_pickle(path: Path) -> Weights:
    try:
        import torch  # noqa: PLC0415
    except ImportError as error:
        raise ModelLoadError(
            f"{path} is a pickle, which takes torch to read; convert it to model.safetensors, "
            "which is accepted everywhere"
        ) from error
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a pickle that is corrupt or malicious raises whatever it likes
        raise ModelLoadError(
            f"{path} cannot be read as weights alone, and code in a model is never run; "
            "convert it to model.safetensors"
        ) from error
    for key in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping):
        raise ModelLoadError(f"{path} holds a {type(content).__name__}; a dictionary of tensors is accepted")
    return {
        str(name): _as_float32((tensor.float() if tensor.is_floating_point() else tensor).numpy())
        for name, tensor in content.items()
        if isinstance(tensor, torch.Tensor)
    }


def _as_float32(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array
