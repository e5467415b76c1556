"""An InferenceService in Knative mode, moved by ``canaryTrafficPercent`` and by no other field.

What KServe 0.20 makes of that field decides how it is used. Absent, the newest revision gets all calls as
soon as it is ready; at N it gets N of a hundred, and the last one that had all of them gets the rest. Taking
the field away is the promotion. On a service that is promoted any number is a rollback, as the rest goes to
the revision before: so it is written only while there is a newer revision, to the very object that was seen.
"""

from __future__ import annotations

from modelserve.canary.rollout.fingerprint import FIELD, fingerprint
from modelserve.canary.rollout.object_rollout import ObjectRollout
from modelserve.canary.rollout.objects import MANAGER, Kind, Object, owners
from modelserve.canary.rollout.protocol import CannotRollOut, NothingNew, RolledOut
from modelserve.canary.rollout.revisions import expect_ready, readiness

KIND = Kind("serving.kserve.io", "v1beta1", "inferenceservices", "InferenceService")
_MODES = ("Knative", "Serverless")  # the older name of the same


class InferenceServiceRollout(ObjectRollout):
    """The predictor of an InferenceService."""

    kind = KIND

    def shift(self, percent: int, expected: RolledOut) -> None:
        """Give the canary a share of the calls.

        Raises:
            Changed: the model, or what is promoted, is not what it was.
            CannotRollOut: the field is somebody else's.
        """

        def write(service: Object) -> None:
            if others := _others(service):
                raise CannotRollOut(f"{FIELD} of {self.name} now belongs to {', '.join(others)}")
            self._objects.apply(KIND, service, {"predictor": {FIELD: percent}})

        self._write(expected, write)

    def promote(self, expected: RolledOut) -> None:
        """Take the field away.

        Raises:
            Changed: the model, or what is promoted, is not what it was.
        """
        gone = {"predictor": {FIELD: None}}
        self._write(expected, lambda service: self._objects.merge(KIND, service, gone))

    def addresses(self) -> dict[str, str]:
        """URLs at which one revision alone answers, by its name: ``latest-…`` and ``prev-…``.

        Raises:
            CannotRollOut: the cluster does not answer.
        """
        traffic = predictor_status(self._look()).get("traffic", [])
        return {share["revisionName"]: share["url"] for share in traffic if share.get("url")}

    def _expect_movable(self, seen: Object) -> None:
        mode = seen.get("status", {}).get("deploymentMode", "Knative")
        if mode not in _MODES:
            raise CannotRollOut(
                f"{self.name} is in {mode} mode, in which KServe takes no notice of {FIELD}; Knative mode is "
                "accepted"
            )
        if others := _others(seen):
            raise CannotRollOut(
                f"{FIELD} of {self.name} belongs to {', '.join(others)}; it has to be absent from what is "
                f"applied by others, or written with `--field-manager {MANAGER}`"
            )

    def _expect_canary(self, seen: Object, found: RolledOut) -> None:
        if found.canary is None:
            raise NothingNew(
                f"the newest revision of {self.name}, {found.stable}, has all calls already; a changed model "
                f"that comes together with {FIELD} is accepted"
            )

    def _rolled_out(self, seen: Object) -> RolledOut:
        predictor = predictor_status(seen)
        stable = predictor.get("latestRolledoutRevision")
        if stable is None:
            raise CannotRollOut(
                f"no revision of {self.name} has had all calls yet; the first one gets them when it is ready"
            )
        newest = predictor.get("latestCreatedRevision", stable)
        canary = None if newest == stable else newest
        percent = sum(
            share.get("percent", 0)
            for share in predictor.get("traffic", [])
            if share.get("revisionName") == canary
        )
        return RolledOut(stable, canary, percent, fingerprint(seen))

    def _readiness(self, found: RolledOut) -> tuple[bool, str]:
        return readiness(self._objects, found.stable, found.canary)

    def _before(self, seen: Object, found: RolledOut) -> str:
        before: str = predictor_status(seen).get("previousRolledoutRevision", "")
        if before in ("", found.stable):
            raise CannotRollOut(
                f"there is nothing to go back to: no revision of {self.name} had all calls before "
                f"{found.stable}"
            )
        expect_ready(self._objects, before)
        return before

    def _difference(self, found: RolledOut, expected: RolledOut) -> str:
        if found.canary is not None and found.canary == expected.canary:
            return f"{self.name} was changed after {expected.canary} was made"
        return super()._difference(found, expected)


def predictor_status(service: Object) -> Object:
    """What KServe says of an InferenceService's predictor; empty before it has said anything."""
    found: Object = service.get("status", {}).get("components", {}).get("predictor", {})
    return found


def _others(service: Object) -> list[str]:
    """Who else has written the field. A patch by our name is an owner of its own to the API server only."""
    managers = {manager for manager, _ in owners(service, "spec", "predictor", FIELD)}
    return sorted(managers - {MANAGER})
