"""The gate: what the cluster says about policies and KServe decides what becomes of a change."""

from __future__ import annotations

import contextlib
import json
import logging
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelserve.canary.admission import gate as module
from modelserve.canary.admission.gate import Gate
from modelserve.canary.admission.reviews import Change, NoReview, review
from modelserve.canary.admission.sharing import operations
from modelserve.canary.rollout import Away
from modelserve.canary.rollout.fingerprint import USUALLY_IGNORED

HELD = [{"op": "add", "path": "/spec/predictor/canaryTrafficPercent", "value": 0}]
PROMOTED = {"components": {"predictor": {"latestRolledoutRevision": "names-predictor-00001"}}}


def a_service(image: str, **annotations: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "names", "namespace": "default", "annotations": annotations},
        "spec": {"predictor": {"containers": [{"image": image}]}},
        "status": PROMOTED,
    }


def a_change(**annotations: str) -> Change:
    """A new model, or one that only has other annotations."""
    new = a_service("a:1", **annotations) if annotations else a_service("a:2")
    return Change(uid="1", old=a_service("a:1"), new=new, manager="kustomize-controller")


@pytest.fixture
def gate(connection: Any) -> Gate:
    return Gate(connection, kserve_namespace="kserve")


@pytest.fixture
def obey(api_server: Any) -> Callable[..., None]:
    """Puts a policy."""

    def obey(namespace: str = "default", **spec: Any) -> None:
        whole = {"targetRef": {"name": "names"}, **spec}
        api_server.put("modelserve.dev", "canarypolicies", namespace, "any", spec=whole)

    return obey


@pytest.fixture
def configure(api_server: Any) -> Callable[[str], None]:
    """Puts what KServe is configured with."""

    def configure(content: str) -> None:
        config = {"inferenceService": content}
        api_server.put("", "configmaps", "kserve", "inferenceservice-config", data=config)

    return configure


@pytest.mark.parametrize(
    ("where", "spec", "is_held"),
    [
        ("default", {}, True),
        ("default", {"targetRef": {"name": "names", "kind": "InferenceService"}}, True),
        ("default", {"suspend": True}, True),
        ("default", {"steps": [{"percent": 100}], "nosuch": 1}, True),
        ("default", {"targetRef": {"name": "others"}}, False),
        ("default", {"targetRef": {"name": "names", "kind": "Service"}}, False),
        ("elsewhere", {}, False),
    ],
    ids=str,
)
def test_a_new_model_is_held_by_a_policy_for_it_whatever_else_it_says(
    where: str, spec: dict[str, Any], is_held: bool, gate: Gate, obey: Any
) -> None:
    obey(where, **spec)
    assert gate.decide(a_change()) == (HELD if is_held else [])


def test_a_policy_holds_from_when_it_is_there_until_it_is_gone(
    gate: Gate, obey: Any, api_server: Any
) -> None:
    assert gate.decide(a_change()) == []
    obey()
    assert gate.decide(a_change()) == HELD
    api_server.take_away("modelserve.dev", "canarypolicies", "default", "any")
    assert gate.decide(a_change()) == []


def test_what_kserve_is_configured_to_keep_makes_no_revision(
    gate: Gate, obey: Any, configure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    obey()
    configure(json.dumps({"serviceAnnotationDisallowedList": ["note"]}))
    assert gate.decide(a_change(note="1")) == []
    assert gate.decide(a_change(other="1")) == HELD
    configure("{}")
    assert gate.decide(a_change(note="1")) == [], "what was read holds for a minute"
    monkeypatch.setattr(module, "_READ_AGAIN_SECONDS", 0.0)
    again = Gate(gate._connection, kserve_namespace="kserve")
    assert again.decide(a_change(note="1")) == HELD


@pytest.mark.parametrize("content", [None, "{", "[]", "1", '{"serviceAnnotationDisallowedList": 1}'])
def test_a_configuration_that_cannot_be_read_holds_more_and_is_told(
    content: str | None, gate: Gate, obey: Any, configure: Any, caplog: pytest.LogCaptureFixture
) -> None:
    obey()
    if content is not None:
        configure(content)
    with caplog.at_level(logging.WARNING):
        assert gate.decide(a_change()) == HELD
    assert "what KServe is configured to hand on is not known" in caplog.text


def test_a_cluster_that_does_not_say_which_policies_there_are(gate: Gate, obey: Any, api_server: Any) -> None:
    obey()
    api_server.is_away = True
    with pytest.raises(Away):
        gate.decide(a_change())
    api_server.is_away = False
    assert gate.decide(a_change()) == HELD


def decide(change: Change) -> list[dict[str, Any]]:
    """As the gate does where there is a policy for what is changed."""
    assert len(change.name) == 2
    return operations(change.old, change.new, manager=change.manager, ignored=USUALLY_IGNORED)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 101) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
places = st.lists(
    st.sampled_from(
        ["metadata", "spec", "predictor", "status", "components", "annotations", "labels", "name"]
    ),
    min_size=1,
    max_size=4,
)


@given(path=places, value=json_values, side=st.sampled_from(["oldObject", "object"]), more=json_values)
def test_whatever_is_sent_is_answered_or_refused(path: list[str], value: Any, side: str, more: Any) -> None:
    """Any part of a review may be anything."""
    request: dict[str, Any] = {
        "uid": "7",
        "oldObject": a_service("a:1", note="1"),
        "object": a_service("a:2"),
        "options": more,
    }
    target = request[side]
    for step in path[:-1]:
        target = target.setdefault(step, {}) if isinstance(target.get(step, {}), dict) else target
    target[path[-1]] = value
    with contextlib.suppress(NoReview):
        answer = review(json.dumps({"request": request}).encode(), decide)
        expect_let_in(json.loads(answer)["response"])


def expect_let_in(response: dict[str, Any]) -> None:
    """Check an answer to review ``7``: that it changes the share at most."""
    assert (response["uid"], response["allowed"]) == ("7", True)
    if "patch" in response:
        assert json.loads(b64decode(response["patch"]))[0]["path"] == HELD[0]["path"]


@pytest.mark.parametrize("depth", [1000, 2000])
def test_what_is_nested_too_deeply_is_refused_or_answered(depth: int) -> None:
    """How deep that is depends on the process, and on what called; it is no fault of the webhook's."""
    deep = "[" * depth + "]" * depth
    whole = json.dumps({"request": {"uid": "7", "oldObject": a_service("a:1"), "object": a_service("deep")}})
    with contextlib.suppress(NoReview):
        answer = review(whole.replace('"deep"', deep).encode(), decide)
        expect_let_in(json.loads(answer)["response"])
