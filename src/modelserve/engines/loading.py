"""From a model folder to an engine: which one computes, and which file it is loaded from.

A unit says how its graph and its module are built; the choice between them is the same for all.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from modelserve.engines import Arrays, Engine
from modelserve.engines.fetch import check_folder
from modelserve.engines.weights import digest, find_weights, weight_files
from modelserve.errors import ModelLoadError

if TYPE_CHECKING:
    from torch import nn

    from modelserve.engines.graph import Graph

logger = logging.getLogger(__name__)

ENGINES = ("auto", "onnx", "torch")
GRAPH = "model.onnx"


@dataclass(frozen=True, slots=True)
class ModelKind:
    """How one kind of model is built from its folder.

    ``build_graph`` and ``build_module`` import onnx and torch when they are called; ``samples``
    makes inputs by which a lower precision is checked against float32.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    build_graph: Callable[[Path], Graph]
    build_module: Callable[[Path], nn.Module]
    samples: Callable[[Path], Arrays]


def load_engine(
    kind: ModelKind,
    model_dir: Path,
    *,
    engine: str = "auto",
    threads: int = 0,
    device: str = "auto",
    precision: str = "auto",
) -> tuple[Engine, str]:
    """Load a folder.

    Args:
        kind: of the model.
        model_dir: with ``model.onnx``, or weights that become a graph in memory, or a module.
        engine: ``onnx``, ``torch``, or ``auto``: torch where it and a CUDA device are there, else
            ONNX Runtime; a folder with nothing but ``model.onnx`` goes to ONNX Runtime.
        threads: that compute one batch on a CPU; 0 takes the container's cores.
        device: of the torch engine.
        precision: of the torch engine.

    Returns:
        The engine, and the digest of the files that it was loaded from.

    Raises:
        ModelLoadError: the folder cannot be served, or not by that engine.
    """
    if engine not in ENGINES:
        raise ModelLoadError(f"engine {engine!r} is unknown; one of {', '.join(ENGINES)} is accepted")
    check_folder(model_dir)
    chosen = choose_engine(model_dir) if engine == "auto" else engine
    _check_installed(chosen)
    if chosen == "torch":
        loaded, files = _load_torch(kind, model_dir, threads, device, precision)
    else:
        loaded, files = _load_onnx(kind, model_dir, threads)
    logger.info("serving %s with %s", ", ".join(path.name for path in files), loaded.name)
    return loaded, digest(*files)


def choose_engine(model_dir: Path) -> str:
    """The engine that ``auto`` stands for."""
    if (model_dir / GRAPH).is_file() and not _has_weights(model_dir):
        return "onnx"
    if find_spec("torch") is None:
        return "onnx"
    if find_spec("onnxruntime") is None:
        return "torch"
    if not _may_have_cuda():
        return "onnx"
    import torch  # noqa: PLC0415  # seconds, which a node without a GPU is spared

    return "torch" if torch.cuda.is_available() else "onnx"


def _may_have_cuda() -> bool:
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1"):
        return False
    # The driver's devices; on Windows' Linux there is one for all GPUs.
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()


def _has_weights(model_dir: Path) -> bool:
    try:
        find_weights(model_dir)
    except ModelLoadError:
        return False
    return True


def _check_installed(engine: str) -> None:
    module, extra = ("torch", "gpu") if engine == "torch" else ("onnxruntime", "cpu")
    if find_spec(module) is None:
        raise ModelLoadError(
            f"the {engine} engine needs {module}, which is not installed; modelserve[{extra}] brings it"
        )


def _load_torch(
    kind: ModelKind, model_dir: Path, threads: int, device: str, precision: str
) -> tuple[Engine, tuple[Path, ...]]:
    if (model_dir / GRAPH).is_file() and not _has_weights(model_dir):
        raise ModelLoadError(f"{model_dir} holds {GRAPH} alone, which the torch engine cannot run")
    from modelserve.engines.torch import TorchEngine  # noqa: PLC0415

    files = weight_files(find_weights(model_dir))
    loaded = TorchEngine(
        kind.build_module(model_dir),
        inputs=kind.inputs,
        outputs=kind.outputs,
        device=device,
        precision=precision,
        threads=threads,
        samples=kind.samples(model_dir),
    )
    return loaded, files


def _load_onnx(kind: ModelKind, model_dir: Path, threads: int) -> tuple[Engine, tuple[Path, ...]]:
    from modelserve.engines.onnx import OnnxEngine  # noqa: PLC0415

    source: Path | Graph = model_dir / GRAPH
    if isinstance(source, Path) and source.is_file():
        # With the file in which a large graph keeps its weights, where there is one.
        files = tuple(sorted(model_dir.glob(f"{GRAPH}*")))
    else:
        files = weight_files(find_weights(model_dir))
        if find_spec("onnx") is None:
            raise ModelLoadError(
                f"{model_dir} holds no {GRAPH}, and onnx, which converts {files[0].name}, is not installed"
            )
        source = kind.build_graph(model_dir)
    loaded = OnnxEngine(source, threads=threads)
    lacking = (set(kind.outputs) - set(loaded.outputs)) | (set(kind.inputs[:1]) - set(loaded.inputs))
    if lacking:
        raise ModelLoadError(
            f"{model_dir / GRAPH} lacks {', '.join(sorted(lacking))}; it must have the inputs "
            f"{', '.join(kind.inputs)} and the outputs {', '.join(kind.outputs)}"
        )
    return loaded, files
