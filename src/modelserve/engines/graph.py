"""Builds ONNX graphs node by node, so that a folder of weights is served without torch.

A model whose architecture is fixed needs no exporter: its unit names the nodes, and this builder
keeps the names unique, the weights once each, and the versions of the format pinned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Graph:
    """A graph and, beside it, its weights: an engine takes them as they are, and nothing is copied.

    In ``skeleton`` the weights are declared as external data, with their types and shapes only.
    """

    skeleton: onnx.ModelProto
    weights: Mapping[str, npt.NDArray[Any]]

    def whole(self) -> onnx.ModelProto:
        """The graph with its weights in it, as a file holds it.

        Raises:
            ModelLoadError: they are more than an ONNX file holds.
        """
        if sum(array.nbytes for array in self.weights.values()) > MAX_BYTES:
            raise ModelLoadError(
                f"the weights take more than {MAX_BYTES} bytes in float32, the most that one ONNX file holds"
            )
        model = onnx.ModelProto()
        model.CopyFrom(self.skeleton)
        del model.graph.initializer[:]
        model.graph.initializer.extend(
            numpy_helper.from_array(array, name) for name, array in self.weights.items()
        )
        onnx.checker.check_model(model)
        return model


class GraphBuilder:
    """Collects the nodes and weights of one graph; each method returns names of values."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, npt.NDArray[Any]] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, datatype: type[np.generic], shape: Sequence[int | str]) -> str:
        """Declare an input; a string in ``shape`` names an axis of any length."""
        self._inputs.append(_value_info(name, datatype, shape))
        return name

    def output(self, name: str, datatype: type[np.generic], shape: Sequence[int | str]) -> None:
        """Declare the value of that name an output."""
        self._outputs.append(_value_info(name, datatype, shape))

    def weight(self, name: str, array: npt.NDArray[Any]) -> str:
        """Add a constant."""
        if name in self._weights:
            raise ValueError(f"the graph has a constant {name!r} already")
        self._weights[name] = np.ascontiguousarray(array)
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

    def build(self) -> Graph:
        """Make the graph."""
        graph = helper.make_graph(
            self._nodes,
            self._name,
            self._inputs,
            self._outputs,
            [_declare(name, array) for name, array in self._weights.items()],
        )
        skeleton = helper.make_model(
            graph,
            producer_name="modelserve",
            producer_version=modelserve.__version__,
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)],
        )
        return Graph(skeleton, self._weights)


def _declare(name: str, array: npt.NDArray[Any]) -> TensorProto:
    tensor = TensorProto(
        name=name,
        dims=array.shape,
        data_type=helper.np_dtype_to_tensor_dtype(array.dtype),
        data_location=TensorProto.EXTERNAL,
    )
    # The format asks for a place; nobody looks for it, as the engine is given the weights.
    tensor.external_data.add(key="location", value="weights")
    return tensor


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
