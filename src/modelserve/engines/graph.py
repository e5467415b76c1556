"""Builds ONNX graphs node by node, so that a folder of weights is served without torch.

A model whose architecture is fixed needs no exporter: its unit names the nodes, and this builder
keeps the names unique, the weights once each, and the versions of the format pinned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

import modelserve
from modelserve.errors import ModelLoadError

OPSET = 17
"""The first with LayerNormalization; every ONNX Runtime that this package accepts runs it."""

IR_VERSION = 8
"""The version of the format that came with opset 17."""

CONTRIB = "com.microsoft"
"""ONNX Runtime's own operators, which compute at once what plain ones do in several passes."""

MAX_BYTES = 2**31 - 1
"""Protocol buffers hold no more."""


class GraphBuilder:
    """Collects the nodes and weights of one graph; each method returns names of values."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._initialisers: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._bytes = 0

    def input(self, name: str, datatype: type[np.generic], shape: Sequence[int | str]) -> str:
        """Declare an input; a string in ``shape`` names an axis of any length."""
        self._inputs.append(_value_info(name, datatype, shape))
        return name

    def output(self, name: str, datatype: type[np.generic], shape: Sequence[int | str]) -> None:
        """Declare the value of that name an output."""
        self._outputs.append(_value_info(name, datatype, shape))

    def weight(self, name: str, array: npt.NDArray[Any]) -> str:
        """Add a constant.

        Raises:
            ModelLoadError: the graph grows beyond what an ONNX file holds.
        """
        self._bytes += array.nbytes
        if self._bytes > MAX_BYTES:
            raise ModelLoadError(
                f"the weights take more than {MAX_BYTES} bytes in float32, the most that one ONNX "
                "graph holds; serve this model with the torch engine"
            )
        if name in self._initialisers:
            raise ValueError(f"the graph has a constant {name!r} already")
        self._initialisers[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def node(
        self,
        operator: str,
        inputs: Sequence[str],
        *,
        name: str,
        domain: str = "",
        attributes: Mapping[str, Any] | None = None,
    ) -> str:
        """Add a node of one output, which gets the node's name; an empty input is left out."""
        self._nodes.append(
            helper.make_node(operator, inputs, [name], name=name, domain=domain, **(attributes or {}))
        )
        return name

    def build(self) -> onnx.ModelProto:
        """Make the model.

        Raises:
            onnx.checker.ValidationError: the nodes do not make a graph; a mistake of the unit.
        """
        graph = helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, list(self._initialisers.values())
        )
        model = helper.make_model(
            graph,
            producer_name="modelserve",
            producer_version=modelserve.__version__,
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)],
        )
        onnx.checker.check_model(model)
        return model


def _value_info(name: str, datatype: type[np.generic], shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    element: TensorProto.DataType = helper.np_dtype_to_tensor_dtype(np.dtype(datatype))
    return helper.make_tensor_value_info(name, element, list(shape))


def checked(
    weights: Mapping[str, npt.NDArray[Any]], name: str, shape: Sequence[int]
) -> npt.NDArray[np.float32]:
    """Take a tensor out of the weights.

    Raises:
        ModelLoadError: it is missing, or its shape is another one.
    """
    if name not in weights:
        raise ModelLoadError(f"the weights lack tensor {name}, of shape {list(shape)}")
    found = weights[name]
    if found.shape != tuple(shape):
        raise ModelLoadError(
            f"the weights' tensor {name} is of shape {list(found.shape)}; {list(shape)} is expected"
        )
    return found.astype(np.float32, copy=False)


def mark_preprocessed(model: onnx.ModelProto) -> onnx.ModelProto:
    """Tell ONNX Runtime's quantiser that nothing is left to fold or infer, which it warns of."""
    helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    return model
