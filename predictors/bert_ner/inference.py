"""The token classifier's task: texts in, entities out, over an engine that knows neither."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from tokenizers import Encoding, Tokenizer

import modelserve
from bert_ner.answers import entities_tensor, types_and_scores
from bert_ner.batches import make_batch
from bert_ner.config import BertConfig
from bert_ner.entities import Entity, Scheme, find_entities
from bert_ner.texts import INPUTS, OUTPUTS, check_instances, read_request, text_request
from bert_ner.tokenizer import check_vocabulary, special_ids
from bert_ner.windows import merge_windows, plan_windows
from modelserve.batching.planner import BatchPolicy, Unit
from modelserve.engines import Engine
from modelserve.errors import ModelLoadError
from modelserve.protocol.messages import InferenceRequest, Tensor
from modelserve.task import Call, Limits, Prepared, Task

SAMPLE_TEXT = "Angela Merkel met Barack Obama in Berlin."

Pieces = Sequence[int]
Logits = npt.NDArray[Any]
"""What the model says of a sequence's pieces: [pieces, labels], the special pieces left out."""


ACCELERATED = BatchPolicy(budget=8192)
"""Sixteen windows of BERT's 512 pieces: enough to fill a GPU, while the attention of twelve heads stays
at about 200 MB."""

ON_A_CPU = BatchPolicy(budget=1024, most_units=32)
"""Past the point where a larger batch is any faster on a few cores, and short enough that the next call
does not wait long behind it."""


@dataclass(frozen=True, slots=True)
class NerOptions:
    """Entities with a score below ``min_score`` are left out of the answer."""

    min_score: float = 0.0


class NerTask(Task[str, Pieces, Logits, list[Entity], NerOptions]):
    """``modelserve.task.Task`` for BERT token classifiers; a unit is a window of a text.

    Args:
        engine: takes ``input_ids`` and ``attention_mask``, int64 [batch, pieces], and gives
            ``logits`` [batch, pieces, labels].
        tokenizer: as ``load_tokenizer`` gives it.
        config: the model's labels, window and vocabulary size.
        digest: of the weights.
        limits: the most that one request may ask for.

    Raises:
        ModelLoadError: tokenizer and model do not fit each other.
    """

    inputs = INPUTS
    outputs = OUTPUTS

    def __init__(
        self,
        engine: Engine,
        tokenizer: Tokenizer,
        config: BertConfig,
        *,
        digest: str,
        limits: Limits,
    ) -> None:
        check_vocabulary(tokenizer, config.vocab_size)
        if config.max_positions < 3:
            raise ModelLoadError(
                f"the model reads {config.max_positions} pieces at once; [CLS], a piece and [SEP] are needed"
            )
        self._engine = engine
        self._tokenizer = tokenizer
        self._special = special_ids(tokenizer)
        self._scheme = Scheme(config.labels)
        self._capacity = config.max_positions - 2  # [CLS] and [SEP]
        self._limits = limits
        self.digest = digest
        self.policy = ACCELERATED if engine.is_accelerated else ON_A_CPU
        shape = repr((modelserve.__version__, "bert_ner", engine.name, tokenizer.to_str(), config))
        self.fingerprint = hashlib.sha256(shape.encode()).hexdigest()

    def decode(self, request: InferenceRequest) -> Call[str, NerOptions]:
        """Check a V2 request and take its texts out.

        Raises:
            InvalidInput: a wrong name, datatype, shape or parameter, or text that is no UTF-8.
            TooLarge: too many texts, or one that is too long.
        """
        texts, min_score = read_request(request, self._limits)
        return Call(texts, NerOptions(min_score))

    def decode_v1(self, instances: Sequence[Any]) -> Call[str, NerOptions]:
        """Check V1 instances, which are strings.

        Raises:
            InvalidInput: one is something else.
            TooLarge: too many texts, or one that is too long.
        """
        return Call(check_instances(instances, self._limits), NerOptions())

    def prepare(self, items: Sequence[str]) -> list[Prepared[Pieces, Logits, list[Entity]]]:
        """Cut each text into pieces and, whatever its length, into windows."""
        if len(items) == 1:  # a batch of one would be handed to another thread
            return [self._prepare(items[0], self._tokenizer.encode(items[0], add_special_tokens=False))]
        encodings = self._tokenizer.encode_batch(list(items), add_special_tokens=False)
        return [self._prepare(text, encoding) for text, encoding in zip(items, encodings, strict=True)]

    def _prepare(self, text: str, encoding: Encoding) -> Prepared[Pieces, Logits, list[Entity]]:
        word_ids = np.array(encoding.word_ids, np.int64)
        planned = plan_windows(word_ids, self._capacity)
        ids = encoding.ids  # makes a list of all pieces, each time it is asked
        sequences = [ids[window.start : window.stop] for window in planned]
        # A size is that of the row in the batch, with its special pieces.
        units: list[Unit[Pieces]] = [Unit(sequence, len(sequence) + 2) for sequence in sequences]

        def finish(outputs: Sequence[Logits]) -> list[Entity]:
            if not planned:
                return []
            logits = merge_windows(planned, outputs)
            return find_entities(text, word_ids, _offsets(encoding), logits, self._scheme)

        return Prepared(units, finish)

    def compute(self, batch: Sequence[Pieces]) -> list[Logits]:
        """Compute a batch of windows, filled up to the longest."""
        computed = self._engine.run(make_batch(batch, self._special))["logits"]
        return [computed[row, 1 : len(pieces) + 1] for row, pieces in enumerate(batch)]

    def encode(
        self,
        results: Sequence[list[Entity]],
        call: Call[str, NerOptions],
        request: InferenceRequest,
    ) -> tuple[Tensor, ...]:
        """Make ``entities``, a JSON array for each text; the only output there is."""
        return (entities_tensor(self.encode_v1(results, call)),)

    def encode_v1(self, results: Sequence[list[Entity]], call: Call[str, NerOptions]) -> list[Any]:
        """Make V1 predictions: a list of entities for each text."""
        return [_confident(entities, call.options) for entities in results]

    def sample(self) -> InferenceRequest:
        """One sentence."""
        return text_request("", [SAMPLE_TEXT])

    def predictions(self, results: Sequence[list[Entity]]) -> tuple[list[str], list[float]]:
        """The type and the score of every entity."""
        return types_and_scores(results)

    def item_bytes(self, item: str) -> bytes:
        """The text in UTF-8."""
        return item.encode()

    def pack(self, result: list[Entity]) -> bytes:
        """The entities in JSON."""
        return orjson.dumps(result)

    def unpack(self, packed: bytes) -> list[Entity]:
        """The entities of that JSON."""
        entities: list[Entity] = orjson.loads(packed)
        return entities


def _offsets(encoding: Encoding) -> npt.NDArray[np.int64]:
    return np.array(encoding.offsets, np.int64).reshape(-1, 2)


def _confident(entities: Sequence[Entity], options: NerOptions) -> list[Entity]:
    return [entity for entity in entities if entity["score"] >= options.min_score]
