"""Converts a model folder to a folder with ``model.onnx``, and refuses to change its answers.

The graph is judged by torch, which serves the original: on samples, its logits have to be the same
within a tolerance or, in int8, its labels. A folder that fails is not written.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from modelserve.engines import Arrays, Engine
from modelserve.engines.loading import GRAPH, ModelKind
from modelserve.engines.weights import digest
from modelserve.errors import ExportError

if TYPE_CHECKING:
    from onnx import ModelProto

PRECISIONS = ("fp32", "int8")
TOLERANCE = 1e-3
"""Largest difference of a logit in fp32: rounding in another order, and no more."""

AGREEMENT = 0.99
"""Least share of equal labels in int8."""

RECIPES = ("bert_ner.recipe", "resnet_classifier.recipe")
"""The units' modules of ``RECIPE``, in the order in which they are asked."""

_LEFT_OUT = (".safetensors", ".safetensors.index.json", ".bin", ".pt", ".pth", ".h5", ".msgpack", ".onnx")
"""Endings of files of weights, which the new folder does not need."""


class Recipe(Protocol):
    """What a unit knows of its conversion."""

    @property
    def kind(self) -> ModelKind:
        """How the graph and the reference are built."""
        ...

    def accepts(self, model_dir: Path) -> bool:
        """Whether the folder is this unit's."""
        ...

    def read_samples(self, model_dir: Path, path: Path) -> Sequence[Arrays]:
        """Make batches of inputs from texts or images, as the predictor would."""
        ...

    def quantise(self, graph: ModelProto, samples: Sequence[Arrays], target: Path) -> None:
        """Write the graph in int8."""
        ...

    def logits(self, outputs: Arrays, inputs: Arrays) -> npt.NDArray[Any]:
        """The logits [k, labels] that become answers, without those of padding."""
        ...


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written, and how far it is from the original.

    ``judged`` counts the labels that were compared: pieces of texts, or images.
    """

    output: str
    precision: str
    judged: int
    max_difference: float
    agreement: float
    bytes: int
    digest: str


def export_model(
    model_dir: Path,
    output: Path,
    *,
    precision: str = "fp32",
    samples: Path | None = None,
    tolerance: float | None = None,
    agreement: float = AGREEMENT,
) -> ExportReport:
    """Convert a folder.

    Args:
        model_dir: a folder that a unit serves, with its weights.
        output: the folder to write; it must not be there yet, or be empty.
        precision: ``fp32`` or ``int8``.
        samples: texts or images that the model is judged on, and, in int8, every second batch of
            them calibrates it; without any, fp32 is judged on noise.
        tolerance: largest difference of a logit; ``TOLERANCE`` in fp32, and no limit in int8,
            where nothing else is said.
        agreement: least share of equal labels.

    Raises:
        ModelLoadError: the folder cannot be served by torch.
        ExportError: the answers would change, or there is nothing to judge them on.
    """
    from modelserve.engines.onnx import OnnxEngine  # noqa: PLC0415  # each takes a while
    from modelserve.engines.torch import TorchEngine  # noqa: PLC0415

    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ExportError(f"{output} is there already; a new or an empty folder is accepted")
    recipe = find_recipe(model_dir)
    kind = recipe.kind
    batches = [kind.samples(model_dir)] if samples is None else recipe.read_samples(model_dir, samples)
    if not batches or (samples is None and precision == "int8"):
        raise ExportError("there are no samples; int8 needs some, of the kind that the model will see")
    if tolerance is None:
        tolerance = TOLERANCE if precision == "fp32" else np.inf
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".export-") as scratch:
        staged = Path(scratch) / "model"
        staged.mkdir(mode=0o755)
        graph = kind.build_graph(model_dir).whole()
        if precision == "int8":
            recipe.quantise(graph, batches[::2], staged / GRAPH)
        else:
            (staged / GRAPH).write_bytes(graph.SerializeToString())
        del graph
        reference = TorchEngine(
            kind.build_module(model_dir), inputs=kind.inputs, outputs=kind.outputs, device="cpu"
        )
        judged, difference, agreeing = compare(recipe, OnnxEngine(staged / GRAPH), reference, batches)
        report = ExportReport(
            output=str(output),
            precision=precision,
            judged=judged,
            max_difference=difference,
            agreement=agreeing,
            bytes=(staged / GRAPH).stat().st_size,
            digest=digest(staged / GRAPH),
        )
        _accept(report, tolerance, agreement)
        for path in sorted(model_dir.iterdir()):
            if path.is_file() and not path.name.endswith(_LEFT_OUT):
                shutil.copyfile(path, staged / path.name)
        staged.replace(output)
    return report


def find_recipe(model_dir: Path) -> Recipe:
    """The recipe of the unit whose folder it is.

    Raises:
        ExportError: no unit accepts it.
    """
    for name in RECIPES:
        recipe: Recipe = import_module(name).RECIPE
        if recipe.accepts(model_dir):
            return recipe
    units = ", ".join(name.partition(".")[0] for name in RECIPES)
    raise ExportError(f"{model_dir} holds no model to export; accepted are the folders of: {units}")


def compare(
    recipe: Recipe, candidate: Engine, reference: Engine, batches: Sequence[Arrays]
) -> tuple[int, float, float]:
    """Compute samples on two engines.

    Returns:
        How many labels were compared, the largest difference of a logit (NaN where one is), and
        the share of equal labels.
    """
    judged, equal, difference = 0, 0, 0.0
    for batch in batches:
        expected = recipe.logits(reference.run(batch), batch)
        found = recipe.logits(candidate.run(batch), batch)
        judged += len(expected)
        equal += int((expected.argmax(-1) == found.argmax(-1)).sum())
        difference = float(np.maximum(difference, np.abs(expected - found).max()))  # keeps a NaN
    return judged, difference, equal / judged


def _accept(report: ExportReport, tolerance: float, agreement: float) -> None:
    if not report.max_difference <= tolerance:
        raise ExportError(
            f"the graph's logits differ from torch's by up to {report.max_difference:.3g}; "
            f"at most {tolerance:g} is accepted"
        )
    if report.agreement < agreement:
        raise ExportError(
            f"the graph gives {report.agreement:.2%} of {report.judged} samples the label that torch "
            f"gives; at least {agreement:.2%} is accepted"
        )
