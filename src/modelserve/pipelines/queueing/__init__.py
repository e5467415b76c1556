"""How who has a place for a run hears of one: in the process, or through Redis."""

from modelserve.pipelines.queueing.local import LocalQueue
from modelserve.pipelines.queueing.queue import Queue, Wakeup

__all__ = ["LocalQueue", "Queue", "Wakeup"]
