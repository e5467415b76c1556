"""What an InferenceGraph and the pipeline server say to each other, in one place for both.

A run travels through the graph as ``{"context": TEXT}``. It is a text, as the router reads and writes the
parts of an Ensemble: numbers become 64-bit floats there, and the names of objects are sorted.
"""

from __future__ import annotations

CONTEXT = "context"
"""The run as it is so far, JSON in a string."""

KEPT = "so-far"
"""Within an Ensemble, the run beside the models' answers; no step can have this name."""

BEGIN = "begin"
KEEP = "keep"
JOIN = "join"
OUTPUT = "output"

GO_ON = "inputs"
"""The field of a V2 request by which the router sees that there is something to ask the model."""

LARGEST_INTEGER = 2**53
"""Up to which 64-bit floats have every integer."""


def graph_path(pipeline: str, call: str) -> str:
    """The server's path of a call that a graph makes."""
    return f"/v1alpha1/pipelines/{pipeline}/graph/{call}"


def step_call(step: str) -> str:
    """The call that gives a step's request."""
    return f"steps/{step}"
