"""Prometheus's own parser reads what the server exposes."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families


def samples(server: Any) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(f"{key}={value}" for key, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(server.get("/metrics").text)
        for sample in family.samples
    }


def requests(server: Any, model: str, outcome: str) -> float:
    name = "modelserve_requests_total"
    labels = (f"model={model}", f"outcome={outcome}", "protocol=v1", "revision=local")
    return samples(server).get((name, *labels), 0.0)


def test_calls_are_counted_by_outcome(server: Any) -> None:
    path = "/v1/models/bert-ner:predict"
    before = [requests(server, "bert-ner", outcome) for outcome in ("ok", "invalid_input")]
    assert server.post(path, json={"instances": ["Berlin"]}).status_code == 200
    assert server.post(path, json={"instances": [1]}).status_code == 400
    after = [requests(server, "bert-ner", outcome) for outcome in ("ok", "invalid_input")]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1]


def test_an_unknown_model_makes_no_series(server: Any) -> None:
    assert server.post("/v1/models/made-up:predict", json={"instances": []}).status_code == 404
    assert not [key for key in samples(server) if "model=made-up" in key]
    assert requests(server, "", "not_found") >= 1


def test_loaded_models_are_told(server: Any) -> None:
    found = samples(server)
    for model in ("bert-ner", "resnet-classifier"):
        assert found["modelserve_model_loaded", f"model={model}", "revision=local"] == 1
