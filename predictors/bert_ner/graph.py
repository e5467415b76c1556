"""BERT for token classification as an ONNX graph, straight from its weights.

ONNX Runtime's own Attention (projections, mask and softmax in one operator) and its GELU with the
bias in it, with plain ONNX operators around them. Measured with ONNX Runtime 1.32 on MiniLM's size
(6 x 384), two threads of an AVX-512 Xeon that others used too, least of repeated runs at lengths of 16
and 128 pieces: 5.0 and 19 ms for a batch of 1, 38 and 660 ms for one of 16; plain operators alone
took 5.7, 23, 44 and 726 ms; adding SkipLayerNormalization, 6.0, 27, 51 and 805 ms. In int8 the
first two are even (2.1, 14, 22 and 430 ms).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from bert_ner.config import BertConfig
from bert_ner.weights import canonical_names
from modelserve.engines.graph import CONTRIB, Graph, GraphBuilder, checked

CLASSIFIER = "classifier"
"""Name of the last matrix product."""

_FUSED_ACTIVATIONS = {
    "gelu": "BiasGelu",
    "gelu_new": "FastGelu",
    "gelu_pytorch_tanh": "FastGelu",
}


def build_graph(config: BertConfig, weights: Mapping[str, npt.NDArray[Any]]) -> Graph:
    """Build the graph.

    Its inputs are ``input_ids`` and ``attention_mask``, int64 [n, t], its output is ``logits``,
    float32 [n, t, labels]. The token type is 0 throughout.

    Args:
        config: of the folder.
        weights: in Hugging Face's names, or those of older checkpoints.

    Raises:
        ModelLoadError: a tensor is missing or of another shape than the configuration says.
    """
    return _BertGraph(config, canonical_names(weights)).build()


class _BertGraph:
    def __init__(self, config: BertConfig, weights: Mapping[str, npt.NDArray[Any]]) -> None:
        self._config = config
        self._weights = weights
        self._graph = GraphBuilder("bert_token_classifier")

    def build(self) -> Graph:
        graph, config = self._graph, self._config
        ids = graph.input("input_ids", np.int64, ("n", "t"))
        mask = graph.input("attention_mask", np.int64, ("n", "t"))
        narrow = graph.node("Cast", [mask], name="mask_int32", attributes={"to": onnx.TensorProto.INT32})
        hidden = self._embeddings(ids)
        for number in range(config.layers):
            hidden = self._layer(hidden, narrow, f"bert.encoder.layer.{number}")
        logits = self._dense(hidden, CLASSIFIER, config.hidden_size, len(config.labels))
        graph.node("Add", [logits, self._bias(CLASSIFIER, len(config.labels))], name="logits")
        graph.output("logits", np.float32, ("n", "t", len(config.labels)))
        return graph.build()

    def _embeddings(self, ids: str) -> str:
        graph, config = self._graph, self._config
        stem, width = "bert.embeddings", config.hidden_size
        words = self._tensor(f"{stem}.word_embeddings.weight", config.vocab_size, width)
        positions = self._tensor(f"{stem}.position_embeddings.weight", config.max_positions, width)
        types = self._tensor(f"{stem}.token_type_embeddings.weight", config.type_vocab_size, width)
        table = graph.weight(f"{stem}.word_embeddings.weight", words)
        # The token type is always 0: its row is part of every position.
        rows = graph.weight(f"{stem}.position_embeddings.weight", positions + types[0])
        word = graph.node("Gather", [table, ids], name=f"{stem}.words")
        length = graph.node("Shape", [ids], name="length", attributes={"start": 1, "end": 2})
        zero = graph.weight("zero", np.zeros(1, np.int64))
        place = graph.node("Slice", [rows, zero, length, zero], name=f"{stem}.positions")
        return self._norm(graph.node("Add", [word, place], name=f"{stem}.sum"), f"{stem}.LayerNorm")

    def _layer(self, hidden: str, mask: str, stem: str) -> str:
        width, inner = self._config.hidden_size, self._config.intermediate_size
        attended = self._attention(hidden, mask, f"{stem}.attention.self")
        first = self._residual(attended, hidden, f"{stem}.attention.output", width)
        wide = self._activation(
            self._dense(first, f"{stem}.intermediate.dense", width, inner),
            self._bias(f"{stem}.intermediate.dense", inner),
            f"{stem}.intermediate.activation",
        )
        return self._residual(wide, first, f"{stem}.output", inner)

    def _attention(self, hidden: str, mask: str, stem: str) -> str:
        width, names = self._config.hidden_size, ("query", "key", "value")
        weights = [self._tensor(f"{stem}.{name}.weight", width, width).T for name in names]
        biases = [self._tensor(f"{stem}.{name}.bias", width) for name in names]
        graph = self._graph
        return graph.node(
            "Attention",
            [
                hidden,
                graph.weight(f"{stem}.weight", np.concatenate(weights, axis=1)),
                graph.weight(f"{stem}.bias", np.concatenate(biases)),
                mask,
            ],
            name=stem,
            domain=CONTRIB,
            attributes={"num_heads": self._config.heads},
        )

    def _residual(self, value: str, skipped: str, stem: str, width: int) -> str:
        graph, hidden = self._graph, self._config.hidden_size
        product = self._dense(value, f"{stem}.dense", width, hidden)
        biased = graph.node("Add", [product, self._bias(f"{stem}.dense", hidden)], name=f"{stem}.biased")
        return self._norm(graph.node("Add", [biased, skipped], name=f"{stem}.sum"), f"{stem}.LayerNorm")

    def _activation(self, value: str, bias: str, name: str) -> str:
        fused = _FUSED_ACTIVATIONS.get(self._config.activation)
        if fused is not None:
            return self._graph.node(fused, [value, bias], name=name, domain=CONTRIB)
        biased = self._graph.node("Add", [value, bias], name=f"{name}.biased")
        return self._graph.node("Relu", [biased], name=name)

    def _dense(self, value: str, stem: str, inputs: int, outputs: int) -> str:
        """A matrix product without its bias, which the next operator may take."""
        weight = self._tensor(f"{stem}.weight", outputs, inputs).T
        return self._graph.node("MatMul", [value, self._graph.weight(f"{stem}.weight", weight)], name=stem)

    def _bias(self, stem: str, width: int) -> str:
        return self._graph.weight(f"{stem}.bias", self._tensor(f"{stem}.bias", width))

    def _norm(self, value: str, stem: str) -> str:
        width = self._config.hidden_size
        scale, shift = (
            self._graph.weight(f"{stem}.{part}", self._tensor(f"{stem}.{part}", width))
            for part in ("weight", "bias")
        )
        return self._graph.node(
            "LayerNormalization",
            [value, scale, shift],
            name=stem,
            attributes={"epsilon": self._config.layer_norm_epsilon},
        )

    def _tensor(self, name: str, *shape: int) -> npt.NDArray[np.float32]:
        return checked(self._weights, name, shape)
