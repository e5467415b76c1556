"""How ``modelserve export`` converts a BERT token classifier, and what it judges it by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from bert_ner.batches import make_batch
from bert_ner.config import BertConfig, is_token_classifier
from bert_ner.engine import KIND
from bert_ner.tokenizer import load_tokenizer, special_ids
from modelserve.engines import Arrays
from modelserve.errors import ExportError

if TYPE_CHECKING:
    from onnx import ModelProto

BATCH = 16


class BertRecipe:
    """``modelserve.export.Recipe`` of this unit."""

    kind = KIND

    def accepts(self, model_dir: Path) -> bool:
        """Whether the folder holds a token classifier."""
        return is_token_classifier(model_dir)

    def read_samples(self, model_dir: Path, path: Path) -> Sequence[Arrays]:
        """Read a file of texts, one on each line; of a longer text, the first window counts.

        Raises:
            ExportError: the file cannot be read, or holds no text.
        """
        try:
            lines = [line for line in path.read_text("utf-8").split("\n") if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise ExportError(
                f"{path} is no file of UTF-8 text, with a text on each line: {error}"
            ) from error
        if not lines:
            raise ExportError(f"{path} holds no text; a text on each line is accepted")
        tokenizer, most = load_tokenizer(model_dir), BertConfig.load(model_dir).max_positions - 2
        special = special_ids(tokenizer)
        encodings = tokenizer.encode_batch(lines, add_special_tokens=False)
        pieces = [encoding.ids[:most] for encoding in encodings]
        return [make_batch(pieces[start : start + BATCH], special) for start in range(0, len(pieces), BATCH)]

    def quantise(self, graph: ModelProto, samples: Sequence[Arrays], target: Path) -> None:
        """Write the graph with int8 weights; activations are scaled as they come, without samples."""
        from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415

        from bert_ner.graph import CLASSIFIER  # noqa: PLC0415
        from modelserve.engines.graph import mark_preprocessed  # noqa: PLC0415

        quantize_dynamic(
            mark_preprocessed(graph),
            target,
            op_types_to_quantize=["MatMul", "Attention", "Gather"],
            # The last product decides between labels, and is a hundredth of a layer.
            nodes_to_exclude=[CLASSIFIER],
            per_channel=True,
            weight_type=QuantType.QInt8,
            # Seven bits: with eight, sums of two products saturate on CPUs without VNNI.
            reduce_range=True,
            # ONNX's shape inference does not know the types that contrib operators give.
            extra_options={"DefaultTensorType": 1},
        )

    def logits(self, outputs: Arrays, inputs: Arrays) -> npt.NDArray[Any]:
        """The logits [k, labels] of all pieces but padding."""
        logits: npt.NDArray[Any] = outputs["logits"][inputs["attention_mask"] == 1]
        return logits


RECIPE = BertRecipe()
