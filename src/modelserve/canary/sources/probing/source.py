"""Both revisions measured by calls of our own: for a service that has few callers, or no Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from modelserve.canary.judge.measurements import Look
from modelserve.canary.rollout import CannotRollOut
from modelserve.canary.sources.probing.prober import Prober, Probes
from modelserve.canary.sources.protocol import NotMeasured

_POD = "probe"


class ProbingSource:
    """Calls both revisions alike from the first look on, whatever share of the callers' calls they have.

    Args:
        addresses: tells where each revision is called, by its name; raises ``CannotRollOut``.
        probes: what is sent.
    """

    def __init__(self, addresses: Callable[[], Mapping[str, str]], probes: Probes) -> None:
        self._addresses, self._probes = addresses, probes
        self._probers: dict[str, Prober] = {}

    def look(self, *, canary: str, stable: str) -> Look:
        """What both have answered so far.

        Raises:
            NotMeasured: a revision has no address of its own, another one answers there, or the stable one
                answers no probe, so that there is nothing to compare with.
        """
        new, old = (self._probers.get(name) or self._begin(name) for name in (canary, stable))
        # What the new one alone does not answer is its fault.
        if trouble := new.misled or old.misled or old.silence:
            raise NotMeasured(trouble)
        return Look(time.time(), canary={_POD: new.counters()}, stable={_POD: old.counters()})

    def close(self) -> None:
        """Call no more."""
        for prober in self._probers.values():
            prober.close()

    def _begin(self, revision: str) -> Prober:
        try:
            url = self._addresses().get(revision)
        except CannotRollOut as error:
            raise NotMeasured(f"the addresses of revisions are not known: {error}") from error
        if url is None:
            raise NotMeasured(
                f"{revision} has no address of its own to be probed at; an InferenceService with the "
                'annotation serving.kserve.io/enable-tag-routing: "true" has one for each revision that '
                "has a share"
            )
        self._probers[revision] = Prober(revision, url, self._probes)
        return self._probers[revision]
