"""What a Hugging Face ``config.json`` says of a BERT token classifier."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelserve.errors import ModelLoadError

ACTIVATIONS = ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu")
_HEAD = "TokenClassification"


@dataclass(frozen=True, slots=True)
class BertConfig:
    """The sizes of a BERT, and what its labels are called.

    ``max_positions`` is the window in pieces, special ones included; ``labels`` stand in the order
    of their ids.
    """

    hidden_size: int
    layers: int
    heads: int
    intermediate_size: int
    vocab_size: int
    max_positions: int
    type_vocab_size: int
    activation: str
    layer_norm_epsilon: float
    pad_token_id: int
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        sizes = (
            self.hidden_size,
            self.layers,
            self.heads,
            self.intermediate_size,
            self.vocab_size,
            self.max_positions,
            self.type_vocab_size,
        )
        if min(sizes) < 1 or self.hidden_size % self.heads:
            raise ModelLoadError(
                f"config.json: the sizes must be positive and hidden_size {self.hidden_size} a multiple "
                f"of num_attention_heads {self.heads}"
            )
        if self.activation not in ACTIVATIONS:
            raise ModelLoadError(
                f"config.json: hidden_act {self.activation!r} is unknown; "
                f"one of {', '.join(ACTIVATIONS)} is accepted"
            )

    @classmethod
    def load(cls, model_dir: Path) -> BertConfig:
        """Read ``config.json``; what it leaves out has ``transformers.BertConfig``'s defaults.

        Raises:
            ModelLoadError: there is none, or it is not that of a BERT token classifier.
        """
        path = model_dir / "config.json"
        raw = _read(path)
        _check_kind(raw, path)
        try:
            return cls(
                hidden_size=int(raw.get("hidden_size", 768)),
                layers=int(raw.get("num_hidden_layers", 12)),
                heads=int(raw.get("num_attention_heads", 12)),
                intermediate_size=int(raw.get("intermediate_size", 3072)),
                vocab_size=int(raw.get("vocab_size", 30522)),
                max_positions=int(raw.get("max_position_embeddings", 512)),
                type_vocab_size=int(raw.get("type_vocab_size", 2)),
                activation=str(raw.get("hidden_act", "gelu")),
                layer_norm_epsilon=float(raw.get("layer_norm_eps", 1e-12)),
                pad_token_id=int(raw.get("pad_token_id") or 0),
                labels=_labels(raw, path),
            )
        except (TypeError, ValueError) as error:
            raise ModelLoadError(f"{path} cannot be used: {error}") from error


def is_token_classifier(model_dir: Path) -> bool:
    """Whether the folder says that it holds a token classifier; of which kind, ``load`` checks."""
    try:
        raw = _read(model_dir / "config.json")
    except ModelLoadError:
        return False
    return any(_HEAD in name for name in _architectures(raw))


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ModelLoadError(f"{path.parent} has no config.json, which tells the model's sizes") from error
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"{path} cannot be read: {error}") from error
    if not isinstance(raw, dict):
        raise ModelLoadError(f"{path} must hold a JSON object")
    return raw


def _architectures(raw: dict[str, Any]) -> list[str]:
    return [str(name) for name in raw.get("architectures") or ()]


def _check_kind(raw: dict[str, Any], path: Path) -> None:
    kind, architectures = raw.get("model_type"), _architectures(raw)
    if kind != "bert" or not any(_HEAD in name for name in architectures):
        raise ModelLoadError(
            f"{path} is of model_type {kind!r}, architectures {architectures}; only bert with "
            "BertForTokenClassification is accepted, not its relatives such as distilbert or roberta"
        )
    position = raw.get("position_embedding_type", "absolute")
    if position != "absolute":
        raise ModelLoadError(f"{path}: position_embedding_type {position!r}; only 'absolute' is accepted")


def _labels(raw: dict[str, Any], path: Path) -> tuple[str, ...]:
    names = raw.get("id2label")
    if names is None:
        # transformers writes two labels of these names where training gave none.
        return tuple(f"LABEL_{number}" for number in range(int(raw.get("num_labels", 2))))
    if not isinstance(names, dict) or set(names) != {str(number) for number in range(len(names))}:
        raise ModelLoadError(f"{path}: id2label must give a name to each number from 0")
    return tuple(str(names[str(number)]) for number in range(len(names)))
