"""The two ends of a call, whatever it arrives by: its decoding, and the encoding of its answer.

A protocol's route makes an exchange from the bytes that it has read; ``modelserve.execution`` takes
it through the model. Both methods run on threads beside the event loop and may take their time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from modelserve.protocol.messages import InferenceRequest, InferenceResponse, Parameters
from modelserve.task import Call, Codec

AnyCodec = Codec[Any, Any, Any]

AnswerT = TypeVar("AnswerT")
AnswerT_co = TypeVar("AnswerT_co", covariant=True)


class Exchange(Protocol[AnswerT_co]):
    """One call; ``decode`` comes before ``encode``, and each once."""

    def decode(self, codec: AnyCodec) -> Call[Any, Any]:
        """Read the call and take its items out.

        Raises:
            RequestError: whatever the caller has to be told.
        """
        ...

    def encode(
        self, codec: AnyCodec, results: Sequence[Any], call: Call[Any, Any], *, parameters: Parameters
    ) -> AnswerT_co:
        """Make the answer.

        Args:
            codec: of the model.
            results: of the call's items.
            call: what was decoded.
            parameters: that a V2 answer has, beside the revision.

        Raises:
            RequestError: whatever the caller has to be told.
        """
        ...


class V1Exchange(Generic[AnswerT]):
    """A V1 call: instances in, predictions out.

    Args:
        read: gives the instances.
        write: makes the answer from the predictions.
    """

    def __init__(self, read: Callable[[], list[Any]], write: Callable[[list[Any]], AnswerT]) -> None:
        self._read, self._write = read, write

    def decode(self, codec: AnyCodec) -> Call[Any, Any]:
        """Read the instances."""
        return codec.decode_v1(self._read())

    def encode(
        self, codec: AnyCodec, results: Sequence[Any], call: Call[Any, Any], *, parameters: Parameters
    ) -> AnswerT:
        """Write the predictions."""
        return self._write(codec.encode_v1(results, call))


class V2Exchange(Generic[AnswerT]):
    """A V2 call, over REST or gRPC.

    Args:
        read: gives the request.
        write: makes the answer from the response to that request.
        version: of the model.
        revision: that answers.
    """

    def __init__(
        self,
        read: Callable[[], InferenceRequest],
        write: Callable[[InferenceResponse, InferenceRequest], AnswerT],
        *,
        version: str,
        revision: str,
    ) -> None:
        self._read, self._write = read, write
        self._version, self._revision = version, revision
        self._request: InferenceRequest | None = None

    def decode(self, codec: AnyCodec) -> Call[Any, Any]:
        """Read the request, and keep it: the answer's form depends on it."""
        self._request = self._read()
        return codec.decode(self._request)

    def encode(
        self, codec: AnyCodec, results: Sequence[Any], call: Call[Any, Any], *, parameters: Parameters
    ) -> AnswerT:
        """Write the outputs that were asked for, with the revision and what else is known of the answer."""
        assert self._request is not None
        response = InferenceResponse(
            model_name=self._request.model_name,
            model_version=self._version,
            id=self._request.id,
            outputs=codec.encode(results, call, self._request),
            parameters={"revision": self._revision, **parameters},
        )
        return self._write(response, self._request)
