"""A rollout by ``canaryTrafficPercent``, from the first share to the end, with calls all the while."""

from __future__ import annotations

from typing import Any

MODEL = "bert-ner"
PATH = f"/v2/models/{MODEL}/infer"
BODY = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["Merkel in Berlin"]}]}
CALLS = 400
SHARE = "/spec/predictor/canaryTrafficPercent"


def change_model(namespace: Any, version: str, *, percent: int) -> None:
    """A new revision that gets a share."""
    flag = {"op": "add", "path": "/spec/predictor/containers/0/args/-", "value": f"--model_version={version}"}
    namespace.patch("inferenceservice", MODEL, flag, {"op": "add", "path": SHARE, "value": percent})


def set_share(namespace: Any, percent: int) -> None:
    namespace.patch("inferenceservice", MODEL, {"op": "add", "path": SHARE, "value": percent})


def revisions(namespace: Any) -> tuple[str, str]:
    """The one that was rolled out last, and the newest one that is ready."""
    predictor = namespace.wait_ready("inferenceservice", MODEL)["status"]["components"]["predictor"]
    return predictor["latestRolledoutRevision"], predictor["latestReadyRevision"]


def ask(namespace: Any, url: str, calls: int) -> dict[str, int]:
    """How many of the calls each revision answered."""
    counted: dict[str, int] = {}
    for _ in range(calls):
        answer = namespace.gateway.post(url, PATH, json=BODY)
        assert answer.status_code == 200, answer.text
        revision = answer.json()["parameters"]["revision"]
        counted[revision] = counted.get(revision, 0) + 1
    return counted


def wait_for_all(namespace: Any, url: str, revision: str, wait_for: Any) -> None:
    """Until twenty calls in a row are answered by one revision."""
    wait_for(lambda: ask(namespace, url, 20) == {revision: 20}, seconds=60)


def test_a_share_a_rollback_and_a_promotion_lose_no_call(service: str, namespace: Any, wait_for: Any) -> None:
    with namespace.load(service, PATH, BODY) as load:
        old, newest = revisions(namespace)
        assert old == newest
        change_model(namespace, "2", percent=20)
        wait_for(lambda: revisions(namespace)[1] != old, seconds=120)
        rolled_out, new = revisions(namespace)
        assert rolled_out == old

        wait_for(lambda: new in ask(namespace, service, 20), seconds=60)
        counted = ask(namespace, service, CALLS)
        # 80 of 400 are expected, with a standard deviation of 8; four of them are one in 16,000.
        assert counted.keys() == {old, new}
        assert 80 - 32 <= counted[new] <= 80 + 32

        # Each revision has a host of its own.
        scheme, _, host = service.partition("://")
        assert ask(namespace, f"{scheme}://prev-{host}", 5) == {old: 5}
        assert ask(namespace, f"{scheme}://latest-{host}", 5) == {new: 5}

        # Back before the promotion: the new revision stays, without calls.
        set_share(namespace, 0)
        wait_for_all(namespace, service, old, wait_for)
        assert revisions(namespace) == (old, new)

        set_share(namespace, 50)
        wait_for(lambda: new in ask(namespace, service, 20), seconds=60)

        # The promotion is the field's end.
        namespace.patch("inferenceservice", MODEL, {"op": "remove", "path": SHARE})
        wait_for_all(namespace, service, new, wait_for)
        assert revisions(namespace) == (new, new)

        # Back after the promotion.
        set_share(namespace, 0)
        wait_for_all(namespace, service, old, wait_for)
    assert load.failures == {}
    assert load.revisions.keys() == {old, new}


def test_a_new_revision_without_the_field_gets_everything(
    service: str, namespace: Any, wait_for: Any
) -> None:
    old, _ = revisions(namespace)
    flag = {"op": "add", "path": "/spec/predictor/containers/0/args/-", "value": "--model_version=2"}
    with namespace.load(service, PATH, BODY) as load:
        namespace.patch("inferenceservice", MODEL, flag)
        wait_for(lambda: old not in ask(namespace, service, 10), seconds=120)
    assert load.failures == {}


def test_metrics_name_the_revision(service: str, namespace: Any) -> None:
    _, revision = revisions(namespace)
    ask(namespace, service, 1)
    metrics = namespace.gateway.get(service, "/metrics").text
    assert (
        f'modelserve_requests_total{{model="{MODEL}",outcome="ok",protocol="v2",revision="{revision}"}}'
        in metrics
    )
