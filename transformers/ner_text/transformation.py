"""Documents in, the predictor's calls of sentences out, and the entities of the documents back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from bert_ner.answers import entities_tensor, read_entities, types_and_scores
from bert_ner.entities import Entity
from bert_ner.texts import INPUTS, OUTPUTS, check_instances, read_request, text_request
from modelserve.forwarding import Transformation
from modelserve.protocol.messages import InferenceRequest, InferenceResponse, Tensor
from modelserve.sentences import Span, find_sentences
from modelserve.task import Call, Limits
from ner_text.entities import place_entities


@dataclass(frozen=True, slots=True)
class Document:
    """A text and the spans of its sentences."""

    text: str
    sentences: Sequence[Span]


@dataclass(frozen=True, slots=True)
class Asked:
    """The predictor leaves out entities with a score below ``min_score``."""

    min_score: float = 0.0


class DocumentTransformation(Transformation[Document, list[Entity], Asked]):
    """``modelserve.forwarding.Transformation`` from documents to sentences.

    Args:
        limits: the most that one request may ask for.
        language: of the documents, as ``find_sentences`` takes it.
        batch: most sentences in one call to the predictor.
    """

    # The predictor's own: callers cannot tell which of the two they ask.
    inputs = INPUTS
    outputs = OUTPUTS

    def __init__(self, *, limits: Limits, language: str, batch: int) -> None:
        self._limits, self._language, self._batch = limits, language, batch

    def decode(self, request: InferenceRequest) -> Call[Document, Asked]:
        """Check a V2 request, and find the sentences of its documents.

        Raises:
            InvalidInput: a wrong name, datatype, shape or parameter, or text that is no UTF-8.
            TooLarge: too many documents, or one that is too long.
        """
        texts, min_score = read_request(request, self._limits)
        return Call(self._documents(texts), Asked(min_score))

    def decode_v1(self, instances: Sequence[Any]) -> Call[Document, Asked]:
        """Check V1 instances, which are strings, and find their sentences.

        Raises:
            InvalidInput: one is something else.
            TooLarge: too many documents, or one that is too long.
        """
        return Call(self._documents(check_instances(instances, self._limits)), Asked())

    def _documents(self, texts: Sequence[str]) -> list[Document]:
        return [Document(text, find_sentences(text, self._language)) for text in texts]

    def requests(self, call: Call[Document, Asked], model: str) -> list[InferenceRequest]:
        """Make calls of sentences, of all documents one after the other."""
        sentences = [document.text[start:end] for document in call.items for start, end in document.sentences]
        return [
            text_request(model, sentences[first : first + self._batch], min_score=call.options.min_score)
            for first in range(0, len(sentences), self._batch)
        ]

    def results(
        self, call: Call[Document, Asked], responses: Sequence[InferenceResponse]
    ) -> list[list[Entity]]:
        """Take the entities out of the answers, and their places in the documents.

        Raises:
            PredictorFailed: an answer cannot be read, or its entities do not lie in their sentence.
        """
        sentences = sum(len(document.sentences) for document in call.items)
        counts = [min(self._batch, sentences - first) for first in range(0, sentences, self._batch)]
        found = chain.from_iterable(
            read_entities(response, texts=count) for response, count in zip(responses, counts, strict=True)
        )
        return [place_entities(document.text, document.sentences, found) for document in call.items]

    def encode(
        self, results: Sequence[list[Entity]], call: Call[Document, Asked], request: InferenceRequest
    ) -> tuple[Tensor, ...]:
        """Make ``entities``, a JSON array for each document; the only output there is."""
        return (entities_tensor(results),)

    def encode_v1(self, results: Sequence[list[Entity]], call: Call[Document, Asked]) -> list[Any]:
        """Make V1 predictions: a list of entities for each document."""
        return list(results)

    def predictions(self, results: Sequence[list[Entity]]) -> tuple[list[str], list[float]]:
        """The type and the score of every entity."""
        return types_and_scores(results)
