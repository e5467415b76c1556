"""Prices of one region, from a file: they are noted by hand, and each says from which list and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modelserve.errors import ModelServeError
from modelserve.written import first_mistake

HOURS_A_MONTH = 730
"""A twelfth of a year, as AWS's own calculator has it."""


class PriceError(ModelServeError):
    """A price file that is none; the message says where, and what is accepted."""


class NotPriced(ModelServeError):
    """Something that a price file says nothing of."""


_Usd = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
_Text = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Item(_Strict):
    usd: _Usd
    per: Literal["hour", "month", "use"]
    source: _Text
    noted: date


class _Machines(_Strict):
    source: _Text
    noted: date
    usd_per_hour: Mapping[str, _Usd]


class _Spot(_Strict):
    origin: _Text
    noted: date
    share_of_on_demand: Mapping[str, Annotated[Decimal, Field(gt=0, le=1)]]


class _File(_Strict):
    region: _Text
    currency: Literal["USD"]
    origin: _Text
    items: Mapping[str, _Item]
    machines: Mapping[str, _Machines]
    spot: _Spot


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of a region.

    Attributes:
        region: that they hold in.
        origin: where they are from, in a sentence.
        noted: the oldest and the newest day on which one was noted.
    """

    region: str
    origin: str
    noted: tuple[date, date]
    _file: _File

    def a_month(self, item: str) -> Decimal:
        """USD for one of it for a month, or for one unit of what is paid by use.

        Raises:
            NotPriced: the file does not have it.
        """
        try:
            found = self._file.items[item]
        except KeyError as error:
            raise NotPriced(f"the prices for {self.region} have no item {item}") from error
        return found.usd * HOURS_A_MONTH if found.per == "hour" else found.usd

    def machine_a_month(self, kind: str, machine: str) -> Decimal:
        """USD for a machine that runs all month, on demand.

        Args:
            kind: of machines: ``ec2``, ``rds_postgres``, ``elasticache_redis``, ``elasticache_valkey``.
            machine: its type, such as ``m7i.xlarge``.

        Raises:
            NotPriced: the file does not have it.
        """
        machines = self._file.machines.get(kind)
        if machines is None or machine not in machines.usd_per_hour:
            raise NotPriced(f"the prices for {self.region} have no {machine} among {kind}")
        return machines.usd_per_hour[machine] * HOURS_A_MONTH

    def spot_share(self, machine: str) -> Decimal:
        """What spot is taken to cost, as a share of the on-demand price: an assumption for each family.

        Raises:
            NotPriced: the file has none for the machine's family.
        """
        family = machine.partition(".")[0]
        try:
            return self._file.spot.share_of_on_demand[family]
        except KeyError as error:
            raise NotPriced(f"the prices for {self.region} have no spot share for {family}") from error


def parse_prices(text: str | bytes, where: str) -> Prices:
    """The prices that a text is.

    Args:
        text: JSON.
        where: it is from, for the error.

    Raises:
        PriceError: it has mistakes.
    """
    try:
        found = _File.model_validate_json(text)
    except ValidationError as error:
        raise PriceError(
            f"{where} is no price file: {first_mistake(error, 'the file')}; accepted is what the package's "
            "files have: region, currency USD, origin, items, machines and spot, each price with its source "
            "and day"
        ) from error
    noted = [item.noted for item in found.items.values()]
    noted += [machines.noted for machines in found.machines.values()] + [found.spot.noted]
    return Prices(found.region, found.origin, (min(noted), max(noted)), found)


def read_prices(path: Path) -> Prices:
    """The prices in a file.

    Raises:
        PriceError: it cannot be read, or has mistakes.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise PriceError(f"{path} cannot be read: {error.strerror}") from error
    return parse_prices(text, str(path))


def packaged_prices() -> dict[str, Prices]:
    """The prices that come with the package, by region."""
    found = [
        parse_prices(file.read_bytes(), file.name)
        for file in (files("modelserve.cost") / "prices").iterdir()
        if file.name.endswith(".json")
    ]
    return {prices.region: prices for prices in sorted(found, key=lambda prices: prices.region)}
