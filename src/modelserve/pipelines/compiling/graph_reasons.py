"""Why a pipeline cannot be an InferenceGraph as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line reads what may be left out before it needs definitions
    from modelserve.pipelines.definition.models import Model, Pipeline, Step

LEFT_OUT = ("retry", "fallback", "timeouts")
"""What may be left out, as a run that succeeds at once is the same without it."""


def graph_reasons(pipeline: Pipeline, *, namespace: str | None, leave_out: Collection[str]) -> list[str]:
    """All reasons, a sentence each.

    Args:
        pipeline: without mistakes.
        namespace: of the graph; None where it is not known.
        leave_out: of ``LEFT_OUT``, what need not be said.
    """
    steps = pipeline.spec.steps
    asked = {name for step in steps for name in step.models}
    return [
        *(reason for step in steps for reason in _of_step(step, leave_out)),
        *([] if "timeouts" in leave_out else _of_limits(steps)),
        *(
            reason
            for name, model in pipeline.spec.models.items()
            if name in asked
            for reason in _of_model(name, model, namespace)
        ),
    ]


def _of_step(step: Step, leave_out: Collection[str]) -> Iterator[str]:
    has_fallback = step.fallback is not None and "fallback" not in leave_out
    if step.function is not None:
        # The pipeline server does all that concerns functions, but it asks no models.
        if has_fallback and step.fallback is not None and step.fallback.model is not None:
            yield f"step {step.name}: a function falls back to a model; name a value, or leave out fallback"
        return
    if step.for_each is not None:
        yield f"step {step.name}: a graph has no forEach; give the model all items in one call"
    if step.retry.limit > 0 and "retry" not in leave_out:
        yield f"step {step.name}: the router calls a model once; leave out retry"
    if has_fallback:
        yield f"step {step.name}: a call without an answer ends the whole graph; leave out fallback"
    if step.on_failure == "continue":
        yield (
            f"step {step.name}: a call without an answer ends the whole graph, so onFailure: continue cannot "
            "be kept; onFailure: fail is accepted"
        )


def _of_limits(steps: list[Step]) -> Iterator[str]:
    limits = {step.timeout_seconds for step in steps}
    if len(limits) > 1:
        told = ", ".join(f"{one:g}" for one in sorted(limits))
        yield (
            f"steps have timeoutSeconds of {told}, and the router has one for all its calls; give all the "
            "same, or leave out timeouts, and the longest is taken"
        )


def _of_model(name: str, model: Model, namespace: str | None) -> Iterator[str]:
    if model.inference_service is None and model.url is None:
        yield f"model {name} is within a process only; inferenceService or url is accepted"
    elif (
        model.inference_service is not None
        and model.inference_service.namespace is None
        and namespace is None
    ):
        yield f"model {name}: its inferenceService has no namespace; say one there, or by --namespace"
