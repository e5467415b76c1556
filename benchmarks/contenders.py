"""The servers that are compared: how each is started, called and understood."""

from __future__ import annotations

import base64
import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from benchmarks.environments import ensure
from benchmarks.models import Kind
from benchmarks.places import PEERS, ROOT, SCRATCH
from modelserve.bench.calls import Target, encode_call, http_post
from modelserve.protocol.samples import Item

MODEL = "bench"
"""The model's name in every server."""

PEER_PACKAGES = ("torch", "torchvision", "transformers", "onnxruntime", "tokenizers", "pillow", "numpy")


@dataclass(frozen=True)
class Launch:
    """A process to start: what, with which variables, and where."""

    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)


class Contender(ABC):
    """A server. ``title`` is its row; ``packages`` are those whose versions the report names."""

    name: str
    title: str
    packages: tuple[str, ...]
    is_given_our_graph = False

    def python(self) -> Path:
        """The Python of its environment.

        Raises:
            NotInstalled: it cannot be made here.
        """
        return ensure(self.name, PEERS / self.name / "requirements.txt")

    @abstractmethod
    def launch(self, kind: Kind, *, port: int, other_ports: tuple[int, int], threads: int) -> Launch:
        """How to serve a model on a port; the other ports are for what else it listens on."""

    @abstractmethod
    def call(self, target: Target, item: Item) -> bytes:
        """A call with one item, in the form that its documentation shows."""

    @abstractmethod
    def answer(self, body: bytes) -> Any:
        """What an answer's body says: a list of entities, or labels and scores."""


class Peer(Contender):
    """Another server: with torch, as its documentation has it, or given our graph for ONNX Runtime."""

    product: str

    def __init__(self, *, is_given_our_graph: bool = False) -> None:
        self.is_given_our_graph = is_given_our_graph
        self.title = f"{self.product}, our graph" if is_given_our_graph else self.product

    def python(self) -> Path:
        """The Python of its environment, to which torch is lent: one copy of 6 GB serves all."""
        torch = ensure("torch", PEERS / "torch" / "requirements.txt")
        return ensure(self.name, PEERS / self.name / "requirements.txt", lent=torch)

    def _variables(self, kind: Kind, threads: int, *folders: Path) -> dict[str, str]:
        paths = (PEERS / "common", ROOT / "predictors", *folders)
        return {
            "PEER_ENGINE": "onnx" if self.is_given_our_graph else "torch",
            "MODEL_KIND": kind.name,
            "MODEL_DIR": str(kind.folder),
            "THREADS": str(threads),
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
        }


class ModelServe(Contender):
    """This project, as a predictor's container starts it, in the environment of this process."""

    name = "modelserve"
    title = "modelserve"
    packages: tuple[str, ...] = ("modelserve", "onnxruntime", "tokenizers", "pillow", "numpy", "uvicorn")

    def python(self) -> Path:
        """The Python that runs the suite."""
        return Path(sys.executable)

    def launch(self, kind: Kind, *, port: int, other_ports: tuple[int, int], threads: int) -> Launch:
        """``python -m UNIT``."""
        command = [str(self.python()), "-m", kind.unit, "--model_dir", str(kind.folder)]
        command += ["--model_name", MODEL, "--host", "127.0.0.1", "--threads", str(threads)]
        return Launch([*command, "--http_port", str(port), "--grpc_port", str(other_ports[0])])

    def call(self, target: Target, item: Item) -> bytes:
        """V1, as KServe is called."""
        return encode_call(target, MODEL, item, protocol="v1")

    def answer(self, body: bytes) -> Any:
        """The first prediction."""
        return json.loads(body)["predictions"][0]


class KServe(Peer):
    """Plain KServe: a custom predictor."""

    name = "kserve"
    product = "KServe"
    packages = ("kserve", *PEER_PACKAGES)

    def launch(self, kind: Kind, *, port: int, other_ports: tuple[int, int], threads: int) -> Launch:
        """The custom predictor's script."""
        command = [str(self.python()), str(PEERS / "kserve" / "serve.py"), "--model_name", MODEL]
        command += ["--http_port", str(port), "--grpc_port", str(other_ports[0])]
        return Launch(command, self._variables(kind, threads))

    def call(self, target: Target, item: Item) -> bytes:
        """V1."""
        return OURS.call(target, item)

    def answer(self, body: bytes) -> Any:
        """The first prediction."""
        return OURS.answer(body)


class MLServer(Peer):
    """Seldon's MLServer with adaptive batching."""

    name = "mlserver"
    product = "MLServer"
    packages = ("mlserver", *PEER_PACKAGES)

    def launch(self, kind: Kind, *, port: int, other_ports: tuple[int, int], threads: int) -> Launch:
        """``mlserver start FOLDER``."""
        variables = {
            **self._variables(kind, threads, PEERS / "mlserver"),
            "MLSERVER_HOST": "127.0.0.1",
            "MLSERVER_HTTP_PORT": str(port),
            "MLSERVER_GRPC_PORT": str(other_ports[0]),
            "MLSERVER_METRICS_PORT": str(other_ports[1]),
        }
        command = [str(self.python().parent / "mlserver"), "start", str(PEERS / "mlserver" / kind.name)]
        return Launch(command, variables)

    def call(self, target: Target, item: Item) -> bytes:
        """V2 with the content type that its codecs want."""
        is_text = isinstance(item, str)
        tensor = {
            "name": "text" if is_text else "image",
            "datatype": "BYTES",
            "shape": [1],
            "data": [_as_text(item)],
            "parameters": {"content_type": "str" if is_text else "base64"},
        }
        return http_post(target, f"/v2/models/{MODEL}/infer", orjson.dumps({"inputs": [tensor]}))

    def answer(self, body: bytes) -> Any:
        """The JSON in the first output."""
        return json.loads(json.loads(body)["outputs"][0]["data"][0])


class LitServe(Peer):
    """LitServe with batching."""

    name = "litserve"
    product = "LitServe"
    packages = ("litserve", *PEER_PACKAGES)

    def launch(self, kind: Kind, *, port: int, other_ports: tuple[int, int], threads: int) -> Launch:
        """The script that its documentation shows."""
        variables = {**self._variables(kind, threads), "HTTP_PORT": str(port)}
        return Launch([str(self.python()), str(PEERS / "litserve" / "serve.py")], variables)

    def call(self, target: Target, item: Item) -> bytes:
        """Its own JSON."""
        name = "text" if isinstance(item, str) else "image"
        return http_post(target, "/predict", orjson.dumps({name: _as_text(item)}))

    def answer(self, body: bytes) -> Any:
        """What the API class put under ``output``."""
        return json.loads(body)["output"]


class BentoML(Peer):
    """BentoML with adaptive batching."""

    name = "bentoml"
    product = "BentoML"
    packages = ("bentoml", *PEER_PACKAGES)

    def launch(self, kind: Kind, *, port: int, other_ports: tuple[int, int], threads: int) -> Launch:
        """``bentoml serve``."""
        variables = {
            **self._variables(kind, threads),
            "BENTOML_HOME": str(SCRATCH / "bentoml-home"),
            "BENTOML_DO_NOT_TRACK": "True",
        }
        command = [str(self.python().parent / "bentoml"), "serve", "service:Peer", "--host", "127.0.0.1"]
        command += ["--port", str(port), "--working-dir", str(PEERS / "bentoml")]
        return Launch(command, variables)

    def call(self, target: Target, item: Item) -> bytes:
        """A list of one item."""
        return http_post(target, "/predict", orjson.dumps({"items": [_as_text(item)]}))

    def answer(self, body: bytes) -> Any:
        """The first of the list."""
        return json.loads(body)[0]


OURS = ModelServe()
KSERVE, KSERVE_OUR_GRAPH = KServe(), KServe(is_given_our_graph=True)
CONTENDERS: tuple[Contender, ...] = (
    OURS,
    KSERVE,
    MLServer(),
    LitServe(),
    BentoML(),
    KSERVE_OUR_GRAPH,
    MLServer(is_given_our_graph=True),
    LitServe(is_given_our_graph=True),
    BentoML(is_given_our_graph=True),
)


def essence(answer: Any) -> Any:
    """What has to be equal in all answers: entities and where they are, or the most probable class."""
    if isinstance(answer, dict):
        return answer["labels"][0]
    return [(entity["type"], entity["start"], entity["end"]) for entity in answer]


def _as_text(item: Item) -> str:
    return item if isinstance(item, str) else base64.b64encode(item).decode()
