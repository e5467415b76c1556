"""The token classifier's task: texts in, entities out, over an engine that knows neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from tokenizers import Encoding, Tokenizer

from bert_ner.batches import make_batch, plan_batches
from bert_ner.config import BertConfig
from bert_ner.entities import Entity, Scheme, find_entities
from bert_ner.tokenizer import check_vocabulary, special_ids
from bert_ner.windows import merge_windows, plan_windows
from modelserve.engines import Engine
from modelserve.errors import InvalidInput, ModelLoadError, TooLarge
from modelserve.inputs import (
    bytes_items,
    check_count,
    check_names,
    chosen_outputs,
    number_parameter,
    one_of_type,
)
from modelserve.protocol.messages import InferenceRequest, Tensor, TensorSpec, bytes_array
from modelserve.task import Call, Limits

INPUTS = (TensorSpec("text", "BYTES", (-1,)),)
OUTPUTS = (TensorSpec("entities", "BYTES", (-1,)),)


@dataclass(frozen=True, slots=True)
class NerOptions:
    """Entities with a score below ``min_score`` are left out of the answer."""

    min_score: float = 0.0


class NerTask:
    """``modelserve.task.Task`` for BERT token classifiers.

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

    def decode(self, request: InferenceRequest) -> Call[str, NerOptions]:
        """Check a V2 request and take its texts out.

        Raises:
            InvalidInput: a wrong name, datatype, shape or parameter, or text that is no UTF-8.
            TooLarge: too many texts, or one that is too long.
        """
        check_names(request, INPUTS)
        chosen_outputs(request, OUTPUTS, ())
        tensor = request.input("text")
        if tensor is None:
            raise InvalidInput("input 'text' is missing; a BYTES tensor of shape [n] is accepted")
        encoded = bytes_items(tensor, limits_batch=self._limits.batch)
        min_score = number_parameter(request.parameters, "min_score", default=0.0, least=0.0, most=1.0)
        texts = [self._decode_text(item, position) for position, item in enumerate(encoded)]
        return Call(texts, NerOptions(min_score))

    def decode_v1(self, instances: Sequence[Any]) -> Call[str, NerOptions]:
        """Check V1 instances, which are strings.

        Raises:
            InvalidInput: one is something else.
            TooLarge: too many texts, or one that is too long.
        """
        check_count(len(instances), "'instances'", limits_batch=self._limits.batch)
        for position, instance in enumerate(instances):
            if not isinstance(instance, str):
                raise InvalidInput(f"instance {position} is {one_of_type(instance)}; a string is accepted")
            try:
                size = len(instance.encode())
            except UnicodeEncodeError as error:
                raise InvalidInput(
                    f"text {position} holds half of a surrogate pair; Unicode text is accepted"
                ) from error
            self._check_size(size, position)
        return Call(instances, NerOptions())

    def run(self, items: Sequence[str]) -> list[list[Entity]]:
        """Find the entities of each text, whatever its length."""
        encodings = self._tokenizer.encode_batch(list(items), add_special_tokens=False)
        words = [np.array(encoding.word_ids, np.int64) for encoding in encodings]
        windows = [plan_windows(word_ids, self._capacity) for word_ids in words]
        sequences: list[list[int]] = []
        for encoding, planned in zip(encodings, windows, strict=True):
            ids = encoding.ids  # makes a list of all pieces, each time it is asked
            sequences += [ids[window.start : window.stop] for window in planned]
        parts = iter(self._compute(sequences))
        results: list[list[Entity]] = []
        for text, encoding, word_ids, planned in zip(items, encodings, words, windows, strict=True):
            if not planned:
                results.append([])
                continue
            logits = merge_windows(planned, [next(parts) for _ in planned])
            results.append(find_entities(text, word_ids, _offsets(encoding), logits, self._scheme))
        return results

    def encode(
        self,
        results: Sequence[list[Entity]],
        call: Call[str, NerOptions],
        request: InferenceRequest,
    ) -> tuple[Tensor, ...]:
        """Make ``entities``, a JSON array for each text; the only output there is."""
        values = [orjson.dumps(_confident(entities, call.options)) for entities in results]
        return (Tensor("entities", "BYTES", bytes_array(values, (len(values),))),)

    def encode_v1(self, results: Sequence[list[Entity]], call: Call[str, NerOptions]) -> list[Any]:
        """Make V1 predictions: a list of entities for each text."""
        return [_confident(entities, call.options) for entities in results]

    def _decode_text(self, item: bytes, position: int) -> str:
        self._check_size(len(item), position)
        try:
            return item.decode()
        except UnicodeDecodeError as error:
            raise InvalidInput(
                f"text {position} is no UTF-8 at byte {error.start}; UTF-8 is accepted"
            ) from error

    def _check_size(self, size: int, position: int) -> None:
        most = self._limits.text_bytes
        if size > most:
            raise TooLarge(f"text {position} has {size} bytes; at most {most} are accepted")

    def _compute(self, sequences: Sequence[Sequence[int]]) -> list[npt.NDArray[Any]]:
        """Logits [pieces, labels] of each sequence, the special pieces left out."""
        logits: list[npt.NDArray[Any]] = [np.empty(0)] * len(sequences)
        for batch in plan_batches([len(sequence) + 2 for sequence in sequences]):
            arrays = make_batch([sequences[index] for index in batch], self._special)
            computed = self._engine.run(arrays)["logits"]
            for row, index in enumerate(batch):
                logits[index] = computed[row, 1 : len(sequences[index]) + 1]
        return logits


def _offsets(encoding: Encoding) -> npt.NDArray[np.int64]:
    return np.array(encoding.offsets, np.int64).reshape(-1, 2)


def _confident(entities: Sequence[Entity], options: NerOptions) -> list[Entity]:
    return [entity for entity in entities if entity["score"] >= options.min_score]
