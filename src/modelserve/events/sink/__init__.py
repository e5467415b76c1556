"""Where KServe's request log is sent: takes events at once, and works through them in its own time.

KServe's agent drops what it cannot send and keeps in memory what is not acknowledged, so an event is
acknowledged as soon as it is read. What becomes of it then is counted: every event that was offered has one
outcome.
"""

from modelserve.events.sink.consumer import Consumer
from modelserve.events.sink.limits import SinkLimits
from modelserve.events.sink.metrics import SinkMetrics
from modelserve.events.sink.pages import Answer, Page, Pages
from modelserve.events.sink.runner import Sink, run_sink
from modelserve.events.sink.totals import Totals

__all__ = ["Answer", "Consumer", "Page", "Pages", "Sink", "SinkLimits", "SinkMetrics", "Totals", "run_sink"]
