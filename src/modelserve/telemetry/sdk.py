"""Tracing by OpenTelemetry's SDK.

The provider is this object's own and never the process's global one: the server has one place that
makes spans, and a library that finds a global provider would add its own.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Mapping, MutableMapping
from contextlib import AbstractContextManager
from importlib.metadata import entry_points

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

import modelserve
from modelserve.errors import RequestError
from modelserve.telemetry.call import ActiveCall, Attributes, Call
from modelserve.telemetry.conventions import OUTCOME, REVISION, answer_attributes, is_call, is_fault
from modelserve.telemetry.quiet import quieten
from modelserve.telemetry.tracing import Carrier, Text, Tracing

logger = logging.getLogger(__name__)

_OTLP = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


def start_sdk(exporters: Iterable[str], *, service_name: str, revision: str) -> Tracing | None:
    """Tracing to the exporters of these names, set up by the SDK from the environment.

    As the specification has it, a value that the SDK does not accept is told in the log and the
    server runs without traces: it is there to answer calls.

    Args:
        exporters: ``otlp``, ``console``, or what another package registers.
        service_name: where the environment has none.
        revision: the running revision.

    Returns:
        None where no exporter could be made.
    """
    quieten("opentelemetry")
    provider = TracerProvider(resource=_resource(service_name, revision), shutdown_on_exit=False)
    made = False
    for name in exporters:
        try:
            # Its queue is bounded and its thread a daemon: what cannot be sent is dropped.
            provider.add_span_processor(BatchSpanProcessor(_exporter(name)))
            made = True
        except Exception as error:  # exporters are other packages', with errors of their own
            logger.warning("traces are not sent to exporter %s: %s", name, error)
    return SdkTracing(provider, revision) if made else None


def _exporter(name: str) -> SpanExporter:
    """A new exporter, found as the SDK's own configuration finds it.

    Raises:
        LookupError: none is installed under that name, or the protocol is unknown.
    """
    if name == "otlp":
        # The specification's default is http/protobuf; the SDK's own would be gRPC.
        protocol = (
            os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
            or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
            or "http/protobuf"
        ).strip()
        if protocol not in _OTLP:
            raise LookupError(f"protocol {protocol!r} is unknown; {' and '.join(_OTLP)} are accepted")
        name = _OTLP[protocol]
    for entry_point in entry_points(group="opentelemetry_traces_exporter", name=name):
        exporter: SpanExporter = entry_point.load()()
        return exporter
    raise LookupError(f"no exporter is installed under the name {name!r}")


def _resource(service_name: str, revision: str) -> Resource:
    """Who sends the spans; what the environment says about it wins.

    ``faas.version`` is the conventions' name for the value of ``K_REVISION``. The SDK adds a
    ``service.instance.id`` of its own for each process.
    """
    return Resource.create(
        {
            "service.name": service_name,
            "service.version": modelserve.__version__,
            "faas.version": revision,
            **OTELResourceDetector().detect().attributes,
        }
    )


class SdkTracing:
    """Calls as spans of a provider."""

    enabled = True

    def __init__(self, provider: TracerProvider, revision: str) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("modelserve", modelserve.__version__)
        self._revision = revision
        self._propagator = propagate.get_global_textmap()
        self._fields = frozenset(self._propagator.fields)

    def start(
        self,
        name: str,
        *,
        carrier: Carrier = (),
        attributes: Attributes | None = None,
        start_ns: int | None = None,
    ) -> Call:
        """See ``Tracing.start``."""
        context = self._propagator.extract(_select(carrier, self._fields), Context())
        whole = {**(attributes or {}), REVISION: self._revision}
        kind = trace.SpanKind.SERVER if is_call(whole) else trace.SpanKind.INTERNAL
        span = self._tracer.start_span(name, context, kind, attributes=whole, start_time=start_ns)
        return SdkCall(self._tracer, span, trace.set_span_in_context(span, context), whole)

    def shutdown(self, *, timeout_seconds: float) -> bool:
        """See ``Tracing.shutdown``."""
        # The provider's own shutdown waits up to 30 seconds for a collector that hangs.
        thread = threading.Thread(target=self._provider.shutdown, name="trace-shutdown", daemon=True)
        thread.start()
        thread.join(timeout_seconds)
        return not thread.is_alive()


def _select(carrier: Carrier, fields: frozenset[str]) -> dict[str, list[str]]:
    """The carrier's values under these names, whatever the case of their letters."""
    selected: dict[str, list[str]] = {}
    pairs: Iterable[tuple[Text, Text]] = carrier.items() if isinstance(carrier, Mapping) else carrier
    for key, value in pairs:
        name = (key if isinstance(key, str) else key.decode("latin-1")).lower()
        if name in fields:
            text = value if isinstance(value, str) else value.decode("latin-1")
            selected.setdefault(name, []).append(text)
    return selected


class SdkCall:
    """A call as a span; where the sampler left it out, only its ids are there."""

    __slots__ = ("_attributes", "_context", "_span", "_tracer", "recording")

    def __init__(
        self, tracer: trace.Tracer, span: trace.Span, context: Context, attributes: Attributes
    ) -> None:
        self._tracer = tracer
        self._span = span
        self._context = context
        self._attributes = attributes
        self.recording = span.get_span_context().trace_flags.sampled

    @property
    def trace_id(self) -> str:
        """See ``Call.trace_id``."""
        return trace.format_trace_id(self._span.get_span_context().trace_id)

    @property
    def span_id(self) -> str:
        """See ``Call.span_id``."""
        return trace.format_span_id(self._span.get_span_context().span_id)

    def phase(
        self,
        name: str,
        start_ns: int,
        end_ns: int,
        *,
        attributes: Attributes | None = None,
    ) -> None:
        """See ``Call.phase``."""
        if not self.recording:
            return
        span = self._tracer.start_span(name, self._context, attributes=attributes, start_time=start_ns)
        span.end(end_ns)

    def end(self, *, outcome: str, error: BaseException | None = None) -> None:
        """See ``Call.end``."""
        if self.recording:
            self._span.set_attributes({OUTCOME: outcome, **answer_attributes(error, self._attributes)})
            if is_fault(error):
                # A fault's own words may quote the caller's data; its traceback is in the log.
                told = str(error) if isinstance(error, RequestError) else None
                self._span.set_status(trace.Status(trace.StatusCode.ERROR, told))
            self._span.end()

    def inject(self, carrier: MutableMapping[str, str]) -> None:
        """See ``Call.inject``."""
        propagate.inject(carrier, self._context)

    def active(self) -> AbstractContextManager[object]:
        """See ``Call.active``."""
        return ActiveCall(self)
