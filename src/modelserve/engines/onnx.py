"""ONNX Runtime on the CPU: small, quick to start, and without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import onnxruntime

from modelserve.engines import Arrays
from modelserve.engines.cores import available_cores
from modelserve.errors import ModelLoadError

if TYPE_CHECKING:
    from modelserve.engines.graph import Graph


class OnnxEngine:
    """``modelserve.engines.Engine`` on ONNX Runtime's CPU provider.

    Args:
        model: a file, or a graph with its weights beside it, whose arrays are used as they are.
        threads: that compute one batch; 0 takes the container's cores.

    Raises:
        ModelLoadError: the model is no ONNX graph that this ONNX Runtime can run.
    """

    name = "onnxruntime"
    is_accelerated = False

    def __init__(self, model: Path | Graph, *, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or available_cores()
        options.inter_op_num_threads = 1  # a chain of layers has nothing to run side by side
        options.log_severity_level = 3  # errors are raised; warnings are of its optimiser
        # Threads that spin while they wait for work burn the CPU quota of a container. On two
        # cores that others used too, a batch of 16 x 16 pieces through MiniLM took 86 ms with
        # spinning and 38 ms without, and 61 against 44 ms of CPU time (ONNX Runtime 1.32).
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        source: str | bytes = str(model)
        if not isinstance(model, Path):
            # The runtime reads these arrays and does not own them: they have to live as long as it does.
            self._weights = model.weights
            values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in model.weights.values()]
            options.add_external_initializers(list(model.weights), values)
            source = model.skeleton.SerializeToString()
        try:
            session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions share no base
            where = str(model) if isinstance(model, Path) else "the ONNX graph"
            raise ModelLoadError(f"{where} cannot be run by ONNX Runtime: {error}") from error
        self._inputs = tuple(value.name for value in session.get_inputs())
        self._outputs = tuple(value.name for value in session.get_outputs())
        self._session = session

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs that the graph has."""
        return self._inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs that the graph has."""
        return self._outputs

    def run(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        """Compute every output for a batch; inputs that the graph does not have are left out."""
        feed = {name: inputs[name] for name in self._inputs}
        return dict(zip(self._outputs, self._session.run(None, feed), strict=True))
