"""Why a pipeline cannot be told in another runner's terms."""

from __future__ import annotations

from modelserve.errors import ModelServeError


class CompileError(ModelServeError):
    """A runner lacks what a pipeline has.

    Attributes:
        reasons: all of them, a sentence each.
    """

    def __init__(self, *reasons: str) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = reasons
