"""transformers' own BERT with a folder's weights; the only place that builds one."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from transformers import BertConfig as HubConfig
from transformers import BertForTokenClassification

from bert_ner.config import BertConfig
from bert_ner.weights import canonical_names
from modelserve.engines.weights import read_weights
from modelserve.errors import ModelLoadError


class TokenClassifier(nn.Module):
    """``BertForTokenClassification`` from ids and mask, int64 [n, t], to logits [n, t, labels]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Compute logits; the token type is 0 throughout."""
        logits: torch.Tensor = self.network(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


def load_network(model_dir: Path) -> TokenClassifier:
    """Build the module of a folder, in float32 and on the CPU.

    The weights are read as the ONNX flavour reads them, so that both accept the same folders.

    Raises:
        ModelLoadError: configuration and weights cannot be used, or contradict each other.
    """
    BertConfig.load(model_dir)  # refuses what is no BERT token classifier
    weights = canonical_names(read_weights(model_dir))
    with torch.device("meta"):
        network = BertForTokenClassification(HubConfig.from_pretrained(model_dir, local_files_only=True))
    tensors = {name: torch.from_numpy(tensor) for name, tensor in weights.items()}
    try:
        missing, _ = network.load_state_dict(tensors, strict=False, assign=True)
    except RuntimeError as error:  # a shape that is not the configuration's
        raise ModelLoadError(f"{model_dir}: the weights do not fit config.json: {error}") from error
    if missing:
        raise ModelLoadError(f"{model_dir}: the weights lack tensor {missing[0]}")
    embeddings = network.bert.embeddings
    # Buffers that a checkpoint does not hold, as torch made them on no device.
    count = network.config.max_position_embeddings
    embeddings.position_ids = torch.arange(count).expand((1, -1))
    embeddings.token_type_ids = torch.zeros(1, count, dtype=torch.long)
    return TokenClassifier(network.eval())
