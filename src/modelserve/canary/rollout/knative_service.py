"""A plain Knative Service, which no InferenceService owns: shares are of revisions by their names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256

from modelserve.canary.rollout.object_rollout import ObjectRollout
from modelserve.canary.rollout.objects import Kind, Object
from modelserve.canary.rollout.protocol import CannotRollOut, NothingNew, RolledOut
from modelserve.canary.rollout.revisions import expect_ready, readiness

KIND = Kind("serving.knative.dev", "v1", "services", "Service")
TAG = "canary"
"""A host of the canary's own, for calls that are no caller's."""

PREVIOUS = "previous"
"""Of the revision that had all calls before a promotion. Knative keeps no such record of its own, and by
their numbers the one before may be a canary that failed."""


class KnativeServiceRollout(ObjectRollout):
    """A Knative Service whose newest revision gets a share.

    The stable revision is the one with most of the traffic. Shares are of names: with ``@latest`` in them a
    revision that nobody judged would get its share as soon as it is ready, so a promotion names it too.
    """

    kind = KIND

    def shift(self, percent: int, expected: RolledOut) -> None:
        """Give the canary a share of the calls, and a host by its tag.

        Raises:
            Changed: the newest revision, or the stable one, is not what it was.
        """
        canary = {"revisionName": expected.canary, "percent": percent, "tag": TAG}
        self._share_out([{"revisionName": expected.stable, "percent": 100 - percent}, canary], expected)

    def promote(self, expected: RolledOut) -> None:
        """All calls go to the canary, by its name; a tag remembers the other one, and keeps it.

        Raises:
            Changed: the newest revision, or the stable one, is not what it was.
        """
        previous = {"revisionName": expected.stable, "percent": 0, "tag": PREVIOUS}
        self._share_out([{"revisionName": expected.canary, "percent": 100}, previous], expected)

    def _share_out(self, shares: Sequence[Object], expected: RolledOut) -> None:
        mine = {TAG, *(share.get("tag", TAG) for share in shares)}

        def write(service: Object) -> None:
            named = [share for share in service["spec"]["traffic"] if share.get("tag", TAG) not in mine]
            kept = [{**share, "percent": 0} for share in named]
            self._objects.merge(KIND, service, {"traffic": [*shares, *kept]})

        self._write(expected, write)

    def _expect_movable(self, seen: Object) -> None:
        owned_by = seen["metadata"].get("ownerReferences", [])
        if owned_by:
            raise CannotRollOut(
                f"{self.name} belongs to {owned_by[0]['kind']} {owned_by[0]['name']}, which writes its "
                "traffic; that one is accepted"
            )

    def _expect_canary(self, seen: Object, found: RolledOut) -> None:
        if any(share.get("latestRevision") for share in seen["spec"]["traffic"]):
            raise CannotRollOut(
                f"all calls of {self.name} go to its newest revision; a "
                f"service is accepted whose traffic names a revision, as `kn service update {self.name} "
                "--traffic REVISION=100` does, and that was changed since"
            )
        if found.canary is None:
            raise NothingNew(f"no revision of {self.name} is newer than {found.stable}, which has all calls")

    def _rolled_out(self, seen: Object) -> RolledOut:
        status = seen.get("status", {})
        newest = status.get("latestCreatedRevisionName")
        shares: dict[str, int] = {}
        for share in status.get("traffic", []):
            # A tag alone is a host, and no part of the traffic.
            if share.get("percent", 0) or "tag" not in share:
                shares[share["revisionName"]] = shares.get(share["revisionName"], 0) + share.get("percent", 0)
        if newest is None or not shares:
            raise CannotRollOut(f"no revision of {self.name} has any calls yet; the first one gets them")
        # However many calls the canary has, all of them too, what it is tried beside is in the traffic.
        older = {revision: share for revision, share in shares.items() if revision != newest}
        stable = max(older, key=lambda revision: older[revision]) if older else newest
        canary = None if stable == newest else newest
        template = json.dumps(seen["spec"]["template"], sort_keys=True)
        return RolledOut(
            stable,
            canary,
            percent=shares.get(newest, 0) if canary else 0,
            fingerprint=sha256(template.encode()).hexdigest()[:16],
        )

    def _readiness(self, found: RolledOut) -> tuple[bool, str]:
        return readiness(self._objects, found.stable, found.canary)

    def _before(self, seen: Object, found: RolledOut) -> str:
        tagged = (share["revisionName"] for share in seen["spec"]["traffic"] if share.get("tag") == PREVIOUS)
        before: str = next(tagged, found.stable)
        if before == found.stable:
            raise CannotRollOut(
                f"there is nothing to go back to: no revision of {self.name} has the tag `{PREVIOUS}`, which "
                f"a promotion gives; `kn service update {self.name} --traffic REVISION=100` goes to any"
            )
        expect_ready(self._objects, before)
        return before

    def _return_to(self, before: str, found: RolledOut) -> None:
        newest = {"revisionName": found.stable, "percent": 0, "tag": TAG}
        self._share_out([{"revisionName": before, "percent": 100}, newest], found)

    def _difference(self, found: RolledOut, expected: RolledOut) -> str:
        return (
            f"{self.name} was changed: {found.canary or 'nothing'} is newer than {found.stable}, and no "
            f"longer {expected.canary or 'nothing'} than {expected.stable}"
        )
