"""The references at hand, and which of them a source is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modelserve.drift.references import Reference
from modelserve.drift.verdicts import UNKNOWN, Source


class References:
    """The newest reference of each model with each of its weights."""

    def __init__(self, references: Iterable[Reference] = ()) -> None:
        self._references: dict[tuple[str, str], Reference] = {}
        for reference in references:
            self.add(reference)

    def add(self, reference: Reference) -> None:
        """Take a reference, unless a newer one of the same model and weights is there."""
        key = (reference.model, reference.model_digest)
        there = self._references.get(key)
        if there is None or there.version < reference.version:
            self._references = {**self._references, key: reference}  # another thread may be reading

    def __iter__(self) -> Iterator[Reference]:
        return iter(self._references.values())

    def find(self, source: Source) -> Reference | None:
        """The newest reference of the source's weights.

        Where its answers do not tell their weights, of the model that is named as the InferenceService is.
        """
        found = [
            reference
            for reference in self
            if source.model_digest in (UNKNOWN, reference.model_digest)
            and (source.model_digest != UNKNOWN or reference.model == source.component.service)
        ]
        return max(found, key=lambda reference: reference.version, default=None)

    def why_none(self, source: Source) -> str:
        """What is missing where ``find`` gives none."""
        if source.model_digest == UNKNOWN:
            return (
                f"these answers do not tell their weights, and there is no reference of a model "
                f"{source.component.service!r}; `modelserve drift reference` makes one"
            )
        others = [reference.model_digest for reference in self if reference.model == source.component.service]
        had = f" (of other weights there are: {', '.join(others)})" if others else ""
        return (
            f"there is no reference of the weights {source.model_digest}{had}; "
            "`modelserve drift reference` makes one"
        )
