"""Whatever is changed, and by whom: a new model has no calls, and nobody else moves those of the old one."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from modelserve.canary.admission.sharing import operations
from modelserve.canary.rollout.fingerprint import USUALLY_IGNORED, Ignored, fingerprint

FIELD = "canaryTrafficPercent"
IGNORED = sorted(USUALLY_IGNORED.annotations)

shares = st.none() | st.integers(0, 100)
predictors = st.fixed_dictionaries(
    {"containers": st.sampled_from([[{"image": "a:1"}], [{"image": "a:2"}], [{"image": "a:2", "env": []}]])},
    optional={
        "minReplicas": st.integers(0, 1),
        "deploymentStrategy": st.just({"type": "Recreate"}),
        FIELD: st.integers(0, 100),
    },
)
texts = st.sampled_from(["", "one", "two"])
metadata = st.fixed_dictionaries(
    {"name": st.just("names"), "namespace": st.just("default")},
    optional={
        "labels": st.dictionaries(st.sampled_from(["team", "networking.knative.dev/visibility"]), texts),
        "annotations": st.dictionaries(st.sampled_from(["note", *IGNORED]), texts),
    },
)
services = st.fixed_dictionaries(
    {"metadata": metadata, "spec": st.fixed_dictionaries({"predictor": predictors})}
)
managers = st.sampled_from(["canary", "kustomize-controller", "kubectl-client-side-apply", ""])


def promoted(service: dict[str, Any]) -> dict[str, Any]:
    """The service, with a revision that has had all calls."""
    status = {"components": {"predictor": {"latestRolledoutRevision": "names-predictor-00001"}}}
    return {**service, "status": status}


def applied(service: dict[str, Any], patch: list[dict[str, Any]]) -> dict[str, Any]:
    """The service as the API server makes it of a patch, which is of the share alone."""
    whole = copy.deepcopy(service)
    for one in patch:
        assert one["path"] == f"/spec/predictor/{FIELD}"
        if one["op"] == "remove":
            del whole["spec"]["predictor"][FIELD]
        else:
            assert one["op"] == "add"
            whole["spec"]["predictor"][FIELD] = one["value"]
    return whole


@given(old=services, new=services, manager=managers)
def test_a_new_model_has_no_calls_and_an_old_one_keeps_its_own(
    old: dict[str, Any], new: dict[str, Any], manager: str
) -> None:
    old = promoted(old)
    result = applied(new, operations(old, new, manager=manager, ignored=USUALLY_IGNORED))
    share = result["spec"]["predictor"].get(FIELD)
    if fingerprint(old) != fingerprint(new):
        assert share == 0
    elif manager == "canary":
        assert result == new
    else:
        assert share == old["spec"]["predictor"].get(FIELD)
    assert operations(old, result, manager=manager, ignored=USUALLY_IGNORED) == [], "asked again, it is right"


@given(old=services, new=services, manager=managers)
def test_nothing_is_held_back_before_the_first_model_or_at_the_end(
    old: dict[str, Any], new: dict[str, Any], manager: str
) -> None:
    assert operations(old, new, manager=manager, ignored=USUALLY_IGNORED) == []
    ending = {**new, "metadata": {**new["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert operations(promoted(old), ending, manager=manager, ignored=USUALLY_IGNORED) == []


@given(service=services, annotations=st.dictionaries(st.sampled_from(IGNORED), texts), share=shares)
def test_what_kserve_keeps_to_itself_is_no_new_model(
    service: dict[str, Any], annotations: dict[str, str], share: int | None
) -> None:
    changed = copy.deepcopy(service)
    kept = {key: one for key, one in service["metadata"].get("annotations", {}).items() if key == "note"}
    changed["metadata"]["annotations"] = {**kept, **annotations}
    changed["spec"]["predictor"].pop(FIELD, None)
    if share is not None:
        changed["spec"]["predictor"][FIELD] = share
    changed["spec"]["predictor"]["autoScaling"] = {"metrics": []}
    assert fingerprint(changed) == fingerprint(service)


def test_a_cluster_may_be_configured_to_keep_more() -> None:
    one: dict[str, Any] = {"metadata": {}, "spec": {"predictor": {}}}
    noted = {"metadata": {"annotations": {"note": "1"}, "labels": {"team": "a"}}, "spec": {"predictor": {}}}
    assert fingerprint(one) != fingerprint(noted)
    ignored = Ignored.configured(
        {"serviceAnnotationDisallowedList": ["note"], "serviceLabelDisallowedList": ["team"]}
    )
    assert fingerprint(one, ignored) == fingerprint(noted, ignored)
