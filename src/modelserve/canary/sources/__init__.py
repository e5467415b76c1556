"""Where a canary's measurements come from: one protocol, a file for each kind of place."""

from modelserve.canary.sources.protocol import NotMeasured, Source

__all__ = ["NotMeasured", "Source"]
