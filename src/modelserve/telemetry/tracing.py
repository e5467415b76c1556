"""Whether calls are traced: OpenTelemetry's own environment variables decide.

Without them nothing of OpenTelemetry is imported, and a call costs a method that returns a constant.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeAlias

from modelserve.telemetry.call import NO_CALL, Attributes, Call

logger = logging.getLogger(__name__)

Text: TypeAlias = "str | bytes"
# Headers of REST (Starlette's too), metadata of gRPC, or an ASGI scope's pairs of bytes.
Carrier: TypeAlias = "Mapping[str, str] | Iterable[tuple[Text, Text]]"

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Tracing(Protocol):
    """Starts the traces of a process."""

    @property
    def enabled(self) -> bool:
        """Whether any call may be recorded; where not, attributes need not be gathered."""

    def start(
        self,
        name: str,
        *,
        carrier: Carrier = (),
        attributes: Attributes | None = None,
        start_ns: int | None = None,
    ) -> Call:
        """A call that arrived.

        Args:
            name: the span's name, by method and route; ``conventions`` makes it.
            carrier: the caller's headers or metadata, which may say of which trace this is a part.
                What is malformed in it is ignored.
            attributes: of the call's span.
            start_ns: when it arrived, as ``time.time_ns`` tells it; None is now.
        """

    def shutdown(self, *, timeout_seconds: float) -> bool:
        """Send what is left, and stop.

        Args:
            timeout_seconds: what is not sent by then is lost.

        Returns:
            Whether it stopped in time.
        """


class _Off:
    enabled = False

    def start(
        self,
        name: str,
        *,
        carrier: Carrier = (),
        attributes: Attributes | None = None,
        start_ns: int | None = None,
    ) -> Call:
        return NO_CALL

    def shutdown(self, *, timeout_seconds: float) -> bool:
        return True


def configure_tracing(*, service_name: str, revision: str) -> Tracing:
    """Tracing as the environment asks for it; each process calls it once, workers after the fork.

    ``OTEL_EXPORTER_OTLP_ENDPOINT``, ``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`` or
    ``OTEL_TRACES_EXPORTER`` (``otlp``, ``console``) switch it on; ``OTEL_SDK_DISABLED=true`` and
    ``OTEL_TRACES_EXPORTER=none`` switch it off. Everything else is the SDK's to read.

    Args:
        service_name: where neither ``OTEL_SERVICE_NAME`` nor ``OTEL_RESOURCE_ATTRIBUTES`` has one.
        revision: the running revision.
    """
    exporters = _exporters()
    if not exporters:
        return _Off()
    try:
        from modelserve.telemetry.sdk import start_sdk  # noqa: PLC0415 - only where it is asked for
    except (ImportError, ValueError) as error:  # a ValueError is OTEL_PROPAGATORS naming an unknown one
        logger.warning("calls are not traced: %s", error)
        return _Off()
    return start_sdk(exporters, service_name=service_name, revision=revision) or _Off()


def _exporters() -> tuple[str, ...]:
    """Names of the exporters that are asked for."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    default = "otlp" if any(os.environ.get(name) for name in _ENDPOINTS) else "none"
    names = (os.environ.get("OTEL_TRACES_EXPORTER") or default).split(",")
    return tuple(name for name in map(str.strip, names) if name and name.lower() != "none")
