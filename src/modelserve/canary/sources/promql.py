"""Questions to Prometheus, and what its answers say."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template
from typing import TypeAlias

import httpx

from modelserve.canary.sources.protocol import NotMeasured

Sample: TypeAlias = "tuple[Mapping[str, str], float]"
"""The labels of a series, and its value."""


def fill(query: str, **values: str) -> str:
    """A query with a value for each ``$name``."""
    return Template(query).substitute(values)


class Prometheus:
    """One Prometheus, or what answers as it does.

    Args:
        url: of its HTTP API, without ``/api``.
        timeout_seconds: of a question.
    """

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        self._client = httpx.Client(base_url=url, timeout=timeout_seconds)

    def ask(self, query: str, *, at_seconds: float, **values: str) -> list[Sample]:
        """What a query comes to at one instant.

        Args:
            query: PromQL with ``$name`` for each of the values.
            at_seconds: the instant, in seconds since 1970.
            values: of labels.

        Raises:
            NotMeasured: Prometheus does not answer, or its answer is none.
        """
        asked = fill(query, **values)
        try:
            answer = self._client.post("/api/v1/query", data={"query": asked, "time": f"{at_seconds:.3f}"})
            said = answer.json()
            if said["status"] != "success":
                raise NotMeasured(f"Prometheus refuses {asked}: {said.get('error', answer.status_code)}")
            return [(one["metric"], float(one["value"][1])) for one in said["data"]["result"]]
        except httpx.HTTPError as error:
            raise NotMeasured(f"Prometheus does not answer: {str(error) or type(error).__name__}") from error
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise NotMeasured(f"this is no answer of Prometheus's: {answer.text[:100]!r}") from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
