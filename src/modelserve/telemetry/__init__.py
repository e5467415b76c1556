"""Traces of calls, and what ties log lines to them.

Importing this package imports no OpenTelemetry: most processes run without a collector, and a
start from zero pays for every import.
"""

from modelserve.telemetry.call import NO_CALL, Call, current_call
from modelserve.telemetry.tracing import Tracing, configure_tracing

__all__ = ["NO_CALL", "Call", "Tracing", "configure_tracing", "current_call"]
