"""What other people's exporters are taken to tell is what they tell."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

HERE = Path(__file__).parent
FOLDER = HERE.parents[2] / "observability" / "grafana" / "dashboards"
KNOWN: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "scrapes" / "names.yaml").read_text("utf-8"))
LABELS = {name: labels for one in KNOWN.values() for name, labels in one["metrics"].items()}
_PARTS = re.compile("_(bucket|sum|count)$")


def known(name: str) -> list[str] | None:
    """The labels of a metric, or of the histogram that it is a part of."""
    return LABELS.get(name, LABELS.get(_PARTS.sub("", name)))


def queries() -> str:
    """All that is asked anywhere, the variables' queries included."""
    boards = [json.loads(file.read_text("utf-8")) for file in sorted(FOLDER.glob("*.json"))]
    panels = [one for board in boards for one in board["panels"]]
    asked = [target["expr"] for one in panels for target in one.get("targets", [])]
    asked += [one.get("definition", "") for board in boards for one in board["templating"]["list"]]
    return "\n".join(asked)


def test_only_what_is_known_is_asked() -> None:
    asked = set(re.findall(r"\b(?:kube|kn|DCGM_FI|container|node|target)_\w+", queries()))
    labels = {label for found in LABELS.values() for label in found}
    metrics = {name for name in asked if name not in labels}
    assert len(metrics) > 20
    assert not {name for name in metrics if known(name) is None}


@pytest.mark.parametrize("file", sorted(HERE.glob("scrapes/*.prom")), ids=lambda file: str(file.stem))
def test_what_stands_in_for_an_exporter_has_its_names_and_labels(file: Path) -> None:
    families = list(text_string_to_metric_families(file.read_text("utf-8")))
    assert families
    for family in families:
        for sample in family.samples:
            # The parser gives counters a suffix that NVIDIA's do not have.
            labels = known(sample.name) or known(sample.name.removesuffix("_total"))
            assert labels is not None, sample.name
            assert set(sample.labels) <= set(labels), sample.name
