"""What a unit implements to explain, and the two ends of a call of ``:explain``."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from modelserve.errors import InvalidInput, NotFound
from modelserve.exchange import AnyCodec
from modelserve.inputs import integer_parameter
from modelserve.protocol.messages import InferenceRequest, Parameters, Tensor
from modelserve.task import Call, Codec

if TYPE_CHECKING:  # a predictor's server needs the exchange alone
    from modelserve.explaining.asking import Asking

AnswerT = TypeVar("AnswerT")
ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
OptionsT = TypeVar("OptionsT", bound="ExplainOptions")

LEAST_EVALUATIONS = 4
"""The whole, nothing, and two halves: with fewer there is nothing to tell apart."""


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """How many evaluations each item may cost, and whether a picture is wanted."""

    evaluations: int
    has_picture: bool


class Explainer(Codec[ItemT, ResultT, OptionsT], Generic[ItemT, ResultT, OptionsT]):
    """What is explained, and in which words; a codec that knows V1's ``:explain`` alone.

    ``explain`` runs on the event loop, all else on threads.
    """

    inputs = ()
    outputs = ()

    @abstractmethod
    def decode_explain(self, instances: Sequence[Any], parameters: Parameters) -> Call[ItemT, OptionsT]:
        """Check the instances and the parameters of a call and take its items out.

        Raises:
            RequestError: whatever the caller has to be told.
        """

    @abstractmethod
    async def explain(self, item: ItemT, position: int, options: OptionsT, asking: Asking) -> ResultT:
        """Explain one item.

        Args:
            item: of the call.
            position: among the call's items, for errors.
            options: of the call.
            asking: of the predictor, for this item.

        Raises:
            RequestError: whatever the caller has to be told.
        """

    def decode(self, request: InferenceRequest) -> Call[ItemT, OptionsT]:
        """Refuse a V2 call.

        Raises:
            NotFound: always.
        """
        raise NotFound(_EXPLAINS_ONLY)

    def decode_v1(self, instances: Sequence[Any]) -> Call[ItemT, OptionsT]:
        """Refuse a V1 call of ``:predict``.

        Raises:
            NotFound: always.
        """
        raise NotFound(_EXPLAINS_ONLY)

    def encode(
        self, results: Sequence[ResultT], call: Call[ItemT, OptionsT], request: InferenceRequest
    ) -> tuple[Tensor, ...]:
        """Never reached: ``decode`` refuses every V2 call."""
        raise NotImplementedError


_EXPLAINS_ONLY = (
    "this is an explainer, which accepts /v1/models/NAME:explain; "
    "the InferenceService's predictor accepts predictions"
)

AnyExplainer = Explainer[Any, Any, Any]


class ExplainExchange(Generic[AnswerT]):
    """``modelserve.exchange.Exchange`` of a V1 call of ``:explain``: instances in, explanations out.

    Args:
        read: gives the instances and the parameters.
        write: makes the answer from the explanations.
        model: the model's name, for an error.
    """

    def __init__(
        self,
        read: Callable[[], tuple[list[Any], Parameters]],
        write: Callable[[list[Any]], AnswerT],
        *,
        model: str,
    ) -> None:
        self._read, self._write, self._model = read, write, model

    def decode(self, codec: AnyCodec) -> Call[Any, Any]:
        """Read the instances and the parameters.

        Raises:
            NotFound: the codec is a predictor's.
        """
        if not isinstance(codec, Explainer):
            raise NotFound(
                f"model {self._model} has no explainer here; an InferenceService's explainer answers :explain"
            )
        return codec.decode_explain(*self._read())

    def encode(
        self, codec: AnyCodec, results: Sequence[Any], call: Call[Any, Any], *, parameters: Parameters
    ) -> AnswerT:
        """Write the explanations."""
        return self._write(codec.encode_v1(results, call))


def read_options(parameters: Parameters, *, items: int, most: int, picture: str) -> ExplainOptions:
    """The parameters that all explainers have: ``max_calls`` and ``picture``.

    Args:
        parameters: of the call.
        items: of the call.
        most: evaluations of a call, all of its items together.
        picture: the one form of picture that there is.

    Raises:
        InvalidInput: one is nothing that is accepted, or ``max_calls`` is too small for so many items.
    """
    allowed = integer_parameter(parameters, "max_calls", default=most, least=LEAST_EVALUATIONS, most=most)
    if allowed < LEAST_EVALUATIONS * items:
        raise InvalidInput(
            f"{allowed} evaluations are too few for {items} instances; "
            f"at least {LEAST_EVALUATIONS} for each are accepted, as the parameter 'max_calls'"
        )
    asked = parameters.get("picture")
    if asked not in (None, picture):
        raise InvalidInput(f"parameter 'picture' is {str(asked)[:40]!r}; {picture!r} is accepted")
    return ExplainOptions(allowed // items, has_picture=asked is not None)
