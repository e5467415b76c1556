"""The ONNX engine and the graph builder, on a graph of one product."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from modelserve.engines import graph as graph_module
from modelserve.engines.cores import available_cores
from modelserve.engines.graph import Graph, GraphBuilder, checked
from modelserve.engines.onnx import OnnxEngine
from modelserve.errors import ModelLoadError

WEIGHT = np.arange(6, dtype=np.float32).reshape(3, 2)


def product() -> Graph:
    builder = GraphBuilder("product")
    value = builder.input("x", np.float32, ("n", 3))
    builder.node("MatMul", [value, builder.weight("weight", WEIGHT.copy())], name="y")
    builder.output("y", np.float32, ("n", 2))
    return builder.build()


def as_file(folder: Path, content: bytes | None = None) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(product().whole().SerializeToString() if content is None else content)
    return path


def test_a_graph_from_parts_and_from_a_file(tmp_path: Path) -> None:
    path = as_file(tmp_path)
    x = np.random.default_rng(0).standard_normal((4, 3), np.float32)
    for source in (product(), path):
        engine = OnnxEngine(source, threads=1)
        assert (engine.name, engine.inputs, engine.outputs) == ("onnxruntime", ("x",), ("y",))
        # What the graph does not take is left out: exporters keep token types, or do not.
        np.testing.assert_allclose(engine.run({"x": x, "unused": x})["y"], x @ WEIGHT, rtol=1e-5)


def test_it_may_be_called_from_several_threads() -> None:
    engine = OnnxEngine(product())
    inputs = [np.full((2, 3), number, np.float32) for number in range(50)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda x: engine.run({"x": x})["y"], inputs))
    for x, y in zip(inputs, results, strict=True):
        np.testing.assert_allclose(y, x @ WEIGHT)


def test_the_weights_live_as_long_as_the_engine() -> None:
    graph = product()
    array = weakref.ref(graph.weights["weight"])
    engine = OnnxEngine(graph)
    del graph
    gc.collect()
    assert array() is not None
    x = np.ones((1, 3), np.float32)
    np.testing.assert_allclose(engine.run({"x": x})["y"], x @ WEIGHT)
    del engine
    gc.collect()
    assert array() is None


@pytest.mark.parametrize("content", [b"", b"no graph", product().whole().SerializeToString()[:40]])
def test_what_is_no_graph_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ModelLoadError, match=r"model\.onnx cannot be run by ONNX Runtime"):
        OnnxEngine(as_file(tmp_path, content))


def test_a_graph_that_lacks_a_weight_is_refused() -> None:
    with pytest.raises(ModelLoadError, match="the ONNX graph cannot be run by ONNX Runtime"):
        OnnxEngine(Graph(product().skeleton, {}))


def test_a_graph_too_large_for_a_file_is_served_and_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_module, "MAX_BYTES", WEIGHT.nbytes - 1)
    assert OnnxEngine(product()).outputs == ("y",)
    with pytest.raises(ModelLoadError, match="the most that one ONNX file holds"):
        product().whole()


def test_tensors_are_checked_by_name_and_shape() -> None:
    weights = {"a": np.zeros((2, 3), np.float16)}
    assert checked(weights, "a", (2, 3)).dtype == np.float32
    with pytest.raises(ModelLoadError, match=r"lack tensor b, of shape \[2, 3\]"):
        checked(weights, "b", (2, 3))
    with pytest.raises(ModelLoadError, match=r"is of shape \[2, 3\]; \[3, 2\] is expected"):
        checked(weights, "a", (3, 2))


@pytest.mark.parametrize(
    ("files", "most"),
    [
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "100000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu.max": "nonsense"}, None),
        ({}, None),
    ],
)
def test_cores_are_those_of_the_container(tmp_path: Path, files: dict[str, str], most: int | None) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    unlimited = available_cores(tmp_path / "none")
    assert unlimited >= 1
    assert available_cores(tmp_path) == (unlimited if most is None else min(most, unlimited))


@pytest.mark.parametrize(("first", "leaves"), [("onnxruntime", True), ("modelserve.engines.onnx", False)])
def test_nothing_is_told_to_the_runtimes_maker(tmp_path: Path, first: str, leaves: bool) -> None:
    """ONNX Runtime by itself writes an identifier into the home folder, and queues what it sends.

    CI and test runs are exempt from that by the names of variables, so the environment is a bare one.
    """
    subprocess.run(
        [sys.executable, "-c", f"import {first}, onnxruntime; onnxruntime.get_available_providers()"],
        env={"HOME": str(tmp_path), "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        check=True,
        timeout=60,
    )
    assert any(tmp_path.iterdir()) is leaves
