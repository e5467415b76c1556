"""The pictures of a drift report, whatever the samples are called."""

from __future__ import annotations

from html import unescape

import numpy as np
import pytest

from modelserve.drift.report.plots import distributions
from modelserve.drift.table import Kind


@pytest.mark.parametrize("name", ["$x^$", "製品", "plain"])
def test_a_category_is_drawn_as_it_is_called(name: str) -> None:
    baseline = np.array([name, "other", "other"])
    drawn = distributions(f"label {name}", Kind.CATEGORY, baseline, baseline[:2])
    texts = unescape(drawn)
    assert f">{name}</text>" in texts
    assert f">label {name}</text>" in texts
