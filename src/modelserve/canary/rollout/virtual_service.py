"""An Istio VirtualService whose weights split calls between two InferenceServices in Standard mode.

``spec.http`` is one value to the API server: it has no keys by which its routes are told apart, so whoever
applies a weight owns all routes. They are written as they were read, but for the weights, by a merge that
the API server refuses when the object has changed since.
"""

from __future__ import annotations

from hashlib import sha256

from modelserve.canary.rollout.deployments import expect_ready, readiness
from modelserve.canary.rollout.fingerprint import fingerprint
from modelserve.canary.rollout.inference_service import KIND as INFERENCE_SERVICES
from modelserve.canary.rollout.object_rollout import ObjectRollout
from modelserve.canary.rollout.objects import MANAGER, Kind, Object, owners
from modelserve.canary.rollout.protocol import CannotRollOut, NothingNew, RolledOut
from modelserve.canary.rollout.routes import Split, expect_even, read_split, with_percent

KIND = Kind("networking.istio.io", "v1", "virtualservices", "VirtualService")
ONCE = ("kustomize.toolkit.fluxcd.io/ssa", "IfNotPresent")
"""An annotation by which Flux makes an object and leaves it alone from then on."""

_MODES = ("Standard", "RawDeployment")  # the older name of the same
_SUFFIX = "-predictor"


class VirtualServiceRollout(ObjectRollout):
    """The weights of a VirtualService, of which a candidate gets a share.

    Here a revision is a predictor's Deployment, by its name, which is that of its Service too: Istio's
    metrics have it as ``destination_workload``, and ours as ``revision`` where ``K_REVISION`` says it. A
    changed model keeps that name, so the fingerprint is of both InferenceServices.
    """

    kind = KIND

    def shift(self, percent: int, expected: RolledOut) -> None:
        """Give the candidate a share of the calls of all routes that split them.

        Raises:
            Changed: one of the models, or what has all calls, is not what it was.
        """
        self._write(
            expected,
            lambda seen: self._objects.merge(KIND, seen, {"http": with_percent(seen, percent)}),
        )

    def promote(self, expected: RolledOut) -> None:
        """All calls go to the candidate; which InferenceService is the stable one is for manifests to say.

        Raises:
            Changed: one of the models, or what has all calls, is not what it was.
        """
        self.shift(100, expected)

    def _expect_movable(self, seen: Object) -> None:
        metadata = seen["metadata"]
        if owned_by := metadata.get("ownerReferences", []):
            raise CannotRollOut(
                f"VirtualService {self.name} belongs to {owned_by[0]['kind']} {owned_by[0]['name']}, which "
                "writes its weights; one that belongs to nothing is accepted"
            )
        appliers = {manager for manager, how in owners(seen, "spec", "http") if how == "Apply"} - {MANAGER}
        annotation, value = ONCE
        if appliers and metadata.get("annotations", {}).get(annotation) != value:
            raise CannotRollOut(
                f"the weights of VirtualService {self.name} are applied by {', '.join(sorted(appliers))}; "
                f"one is accepted that is made once and then left alone, which the annotation `{annotation}: "
                f"{value}` says"
            )
        split = read_split(seen)
        expect_even(seen, split)
        for service in self._inference_services(split):
            mode = service.get("status", {}).get("deploymentMode", "Knative")
            if mode not in _MODES:
                raise CannotRollOut(
                    f"{service['metadata']['name']} is in {mode} mode, in which Knative splits the calls and "
                    "no VirtualService; Standard mode is accepted"
                )

    def _expect_canary(self, seen: Object, found: RolledOut) -> None:
        if found.canary is None:
            raise NothingNew(
                f"all calls of VirtualService {self.name} go to the candidate, {found.stable}, already; one "
                "whose first destination has some of them is accepted"
            )

    def _rolled_out(self, seen: Object) -> RolledOut:
        split = read_split(seen)
        both = "".join(fingerprint(service) for service in self._inference_services(split))
        models = sha256(both.encode()).hexdigest()[:16]
        if split.is_candidates:
            return RolledOut(split.candidate, None, 0, models)
        return RolledOut(split.stable, split.candidate, split.percent, models)

    def _readiness(self, found: RolledOut) -> tuple[bool, str]:
        return readiness(self._objects, found.stable, found.canary)

    def _before(self, seen: Object, found: RolledOut) -> str:
        before = read_split(seen).stable
        expect_ready(self._objects, before)
        return before

    def _inference_services(self, split: Split) -> list[Object]:
        return [self._inference_service(service) for service in (split.stable, split.candidate)]

    def _inference_service(self, service: str) -> Object:
        name = service.removesuffix(_SUFFIX)
        if name == service:
            raise CannotRollOut(
                f"the destination {service} of VirtualService {self.name} is no predictor of an "
                f"InferenceService; a name as `bert-ner{_SUFFIX}` is accepted"
            )
        return self._objects.get(INFERENCE_SERVICES, name)
