"""From a text to what each of its words contributes to the names in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bert_ner.answers import read_entities, types_and_scores
from bert_ner.entities import Entity
from bert_ner.texts import check_instances, text_request
from modelserve.errors import InvalidInput, PredictorFailed
from modelserve.explaining.asking import Asking
from modelserve.explaining.explainer import Explainer, ExplainOptions, read_options
from modelserve.explaining.owen import Masks, Values
from modelserve.explaining.partition import partition_sequence
from modelserve.inputs import integer_parameter
from modelserve.protocol.messages import InferenceRequest, InferenceResponse, Parameters
from modelserve.task import Call, Limits
from token_attribution.entities import ExplainedEntity, scores_at
from token_attribution.hiding import HidingText
from token_attribution.picture import draw
from token_attribution.words import Word, boundary_strengths, find_words

_MOST_ENTITIES = 1_000_000  # of a text; more than any has


@dataclass(frozen=True, slots=True)
class TokenOptions(ExplainOptions):
    """Which of a text's entities is explained, counted from 0; None stands for all of them."""

    entity: int | None = None


@dataclass(frozen=True, slots=True)
class ExplainedText:
    """A text's words, and its entities explained; ``answered`` tells which model was asked."""

    text: str
    words: Sequence[Word]
    entities: Sequence[ExplainedEntity]
    evaluations: int
    is_complete: bool
    answered: Parameters


class TokenExplainer(Explainer[str, ExplainedText, TokenOptions]):
    """``modelserve.explaining.explainer.Explainer`` of token classifiers.

    The outputs that are explained together are the scores of a text's entities: a variation of the text
    is evaluated once for all of them.

    Args:
        hidden_word: stands in the place of a hidden word.
        limits: the most that one request may ask for.
        max_evaluations: of one call.
    """

    def __init__(self, *, hidden_word: str, limits: Limits, max_evaluations: int) -> None:
        self._hidden_word, self._limits, self._max_evaluations = hidden_word, limits, max_evaluations

    def decode_explain(self, instances: Sequence[Any], parameters: Parameters) -> Call[str, TokenOptions]:
        """Check the instances, which are strings, and the parameter ``entity``.

        Raises:
            InvalidInput: an instance or a parameter is nothing that is accepted.
            TooLarge: too many texts, or one that is too long.
        """
        texts = check_instances(instances, self._limits)
        common = read_options(parameters, items=len(texts), most=self._max_evaluations, picture="html")
        entity = (
            integer_parameter(parameters, "entity", default=0, least=0, most=_MOST_ENTITIES)
            if "entity" in parameters
            else None
        )
        return Call(texts, TokenOptions(common.evaluations, common.has_picture, entity))

    async def explain(self, item: str, position: int, options: TokenOptions, asking: Asking) -> ExplainedText:
        """Find the text's entities, and what they depend on.

        Raises:
            InvalidInput: the text has no entity of that number.
            RequestError: the predictor refuses or fails, or the deadline passes.
        """
        response = await asking.ask(text_request(asking.model, [item]), items=1)
        (found,) = read_entities(response, texts=1)
        chosen, words = _choose(found, options.entity, position), find_words(item)
        names = [Word(entity["start"], entity["end"]) for entity in found]
        if any(not any(word.start < name.end and name.start < word.end for word in words) for name in names):
            raise PredictorFailed("the predictor's entities do not lie in the text that it was sent")
        if not chosen:
            return ExplainedText(item, words, (), asking.evaluations, True, asking.answered)
        hiding = HidingText(
            item, words, [Word(one["start"], one["end"]) for one in chosen], hidden_word=self._hidden_word
        )

        def vary(masks: Masks) -> InferenceRequest:
            return text_request(asking.model, [hiding.vary(mask) for mask in masks])

        def read(response: InferenceResponse, masks: Masks) -> Values:
            return np.stack(
                [
                    scores_at(entities, chosen, hiding.places(mask))
                    for mask, entities in zip(masks, read_entities(response, texts=len(masks)), strict=True)
                ]
            )

        made = await asking.explain(
            partition_sequence(boundary_strengths(item, words, names)),
            np.array([entity["score"] for entity in chosen]),
            vary=vary,
            read=read,
        )
        explained = [
            ExplainedEntity(entity, float(base), values)
            for entity, base, values in zip(chosen, made.without, made.values, strict=True)
        ]
        return ExplainedText(item, words, explained, asking.evaluations, made.is_complete, asking.answered)

    def encode_v1(
        self, results: Sequence[ExplainedText], call: Call[str, TokenOptions]
    ) -> list[dict[str, Any]]:
        """Make an explanation of each text, with a picture where one is wanted."""
        return [
            _as_json(result, picture=draw(result.text, result.words, result.entities))
            if call.options.has_picture
            else _as_json(result)
            for result in results
        ]

    def predictions(self, results: Sequence[ExplainedText]) -> tuple[list[str], list[float]]:
        """The type and the score of every entity that was explained."""
        return types_and_scores([one.entity for one in result.entities] for result in results)


def _choose(found: Sequence[Entity], entity: int | None, position: int) -> Sequence[Entity]:
    if entity is None:
        return found
    if entity >= len(found):
        accepted = f"0 to {len(found) - 1} are accepted" if found else "no number is accepted"
        raise InvalidInput(
            f"parameter 'entity' is {entity}, but text {position} has {len(found)} entities; {accepted}"
        )
    return found[entity : entity + 1]


def _as_json(result: ExplainedText, **more: str) -> dict[str, Any]:
    return {
        "words": [
            {"text": result.text[word.start : word.end], "start": word.start, "end": word.end}
            for word in result.words
        ],
        "entities": [
            {
                "type": one.entity["type"],
                "text": one.entity["text"],
                "start": one.entity["start"],
                "end": one.entity["end"],
                "base_value": round(one.base_value, 6),
                "value": one.entity["score"],
                "attributions": [round(value, 6) for value in one.contributions.tolist()],
            }
            for one in result.entities
        ],
        "evaluations": result.evaluations,
        "complete": result.is_complete,
        **result.answered,
        **more,
    }
