"""The price files of the package, and what is refused as one."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from modelserve.cost.items import PRICED
from modelserve.cost.prices import NotPriced, PriceError, Prices, packaged_prices, parse_prices, read_prices
from modelserve.cost.types import FREE, LEFT_OUT, USAGE

US = json.loads((files("modelserve.cost") / "prices" / "us-east-1.json").read_bytes())


def test_each_file_is_named_for_its_region_and_has_the_same_items() -> None:
    found = {
        file.name: json.loads(file.read_bytes()) for file in (files("modelserve.cost") / "prices").iterdir()
    }
    assert {f"{one['region']}.json" for one in found.values()} == set(found)
    assert {frozenset(one["items"]) for one in found.values()} == {frozenset(US["items"])}
    assert set(packaged_prices()) == {"us-east-1", "eu-central-1"}
    for one in found.values():
        assert "not fetched" in one["origin"]
        assert "://" not in json.dumps(one)


def test_what_is_paid_by_use_has_a_price(prices: Prices) -> None:
    for kind in USAGE.values():
        assert prices.a_month(kind.item) > 0
        assert kind.types <= PRICED | FREE
    assert set(LEFT_OUT) <= PRICED | FREE
    assert not PRICED & FREE


def test_hours_are_those_of_a_month_and_digits_stay_as_they_are(prices: Prices) -> None:
    assert prices.a_month("nat_gateway") == Decimal("0.045") * 730
    assert prices.a_month("kms_key") == 1
    assert prices.machine_a_month("ec2", "g6.2xlarge") == Decimal("0.9776") * 730
    assert prices.spot_share("g6.2xlarge") == Decimal("0.5")


def test_what_a_file_does_not_have_is_told(prices: Prices) -> None:
    with pytest.raises(NotPriced, match=r"us-east-1 have no u-24tb1\.metal among ec2"):
        prices.machine_a_month("ec2", "u-24tb1.metal")
    with pytest.raises(NotPriced, match=r"no m7i\.xlarge among mainframes"):
        prices.machine_a_month("mainframes", "m7i.xlarge")
    with pytest.raises(NotPriced, match="no item moon"):
        prices.a_month("moon")
    with pytest.raises(NotPriced, match="no spot share for u-24tb1"):
        prices.spot_share("u-24tb1.metal")


def without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda file: file.pop(key)


@pytest.mark.parametrize(
    ("spoil", "place"),
    [
        (without("region"), "region"),
        (without("spot"), "spot"),
        (lambda file: file.update(currency="EUR"), "currency"),
        (lambda file: file.update(more=1), "more"),
        (lambda file: file["items"]["kms_key"].update(usd=-1), "items.kms_key.usd"),
        (lambda file: file["items"]["kms_key"].update(usd="NaN"), "items.kms_key.usd"),
        (lambda file: file["items"]["kms_key"].update(per="year"), "items.kms_key.per"),
        (lambda file: file["items"]["kms_key"].pop("source"), "items.kms_key.source"),
        (lambda file: file["items"]["kms_key"].update(noted="soon"), "items.kms_key.noted"),
        (lambda file: file["machines"]["ec2"].pop("noted"), "machines.ec2.noted"),
        (lambda file: file["spot"]["share_of_on_demand"].update(g6=1.5), "spot.share_of_on_demand.g6"),
    ],
)
def test_a_file_with_a_mistake_is_refused_by_its_place(
    spoil: Callable[[dict[str, Any]], object], place: str
) -> None:
    file = json.loads(json.dumps(US))
    spoil(file)
    with pytest.raises(PriceError, match=f"mine is no price file: {place}: .*; accepted is"):
        parse_prices(json.dumps(file), "mine")


@pytest.mark.parametrize("text", ["", "[]", "{", "7", b"\xff\xfe"])
def test_what_is_no_object_is_refused(text: str | bytes) -> None:
    with pytest.raises(PriceError, match="is no price file: the file: "):
        parse_prices(text, "mine")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match="none cannot be read: No such file"):
        read_prices(tmp_path / "none")
