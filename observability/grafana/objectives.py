"""What callers are promised, and with it where panels turn yellow and red.

The alerts burn the same budgets; dashboards that were coloured by other numbers would contradict them.
"""

from __future__ import annotations

from typing import Final

from modelserve.canary.judge.policy import Policy

FAILED_SHARE: Final = 0.001
"""Of the calls may fail."""

SLOW_SECONDS: Final = 0.5
SLOW_SHARE: Final = 0.01
"""Of the calls may take longer than that; it is an edge of the histogram, else no query could tell."""

CANARY: Final = Policy()
"""What a canary is judged by where its policy says nothing else."""
