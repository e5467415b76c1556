"""What ``terraform show -json`` tells of a plan or a state: the resources that would exist, or do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelserve.errors import ModelServeError

Object = Mapping[str, Any]

_ACCEPTED = "accepted is what `terraform show -json PLAN` or, of a state, `terraform show -json` prints"
_ZONE = re.compile(r"([a-z]{2}(?:-[a-z]+)+-\d+)[a-z]")
_ARN = re.compile(r"arn:[a-z-]+:[a-z0-9-]+:([a-z]{2}(?:-[a-z]+)+-\d+):")
_AWS = "hashicorp/aws"


class PlanError(ModelServeError):
    """A file that is neither a plan nor a state; the message says what is accepted."""


class NotTold(Exception):
    """Something that a resource's cost depends on and the plan does not tell."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of a plan or a state.

    Attributes:
        address: in all, such as ``module.network.aws_eip.nat["eu-central-1a"]``.
        type: such as ``aws_eip``.
        name: such as ``nat``.
        index: its key among those of ``for_each`` or ``count``.
        module: the address of the module it is in; empty for the root.
        values: its attributes; those that are not known before it is made are absent.
    """

    address: str
    type: str
    name: str
    index: str | int | None
    module: str
    values: Object

    def at(self, *path: str) -> Any:
        """An attribute, within the first of blocks on the way to it; None where it is null or not known."""
        found: Any = self.values
        for step in path:
            if isinstance(found, Sequence) and not isinstance(found, str):
                found = found[0] if found else None
            if not isinstance(found, Mapping):
                return None
            found = found.get(step)
        return found

    def text(self, *path: str) -> str | None:
        """An attribute that is a text and not empty."""
        found = self.at(*path)
        return found if isinstance(found, str) and found else None

    def number(self, *path: str) -> int | None:
        """An attribute that is a whole number; Terraform writes some of them as texts."""
        found = self.at(*path)
        if isinstance(found, str) and re.fullmatch(r"-?\d+", found, re.ASCII):
            return int(found)
        return found if isinstance(found, int) and not isinstance(found, bool) else None

    def blocks(self, name: str) -> list[Object]:
        """Its blocks of a name."""
        found = self.values.get(name)
        return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class Plan:
    """What would exist.

    Attributes:
        resources: all of them that are managed, of all modules.
        configuration: the root module's code, of which a state has none.
        region: of AWS; None where nothing tells.
        remarks: what a reader should know before the figures.
    """

    resources: tuple[Resource, ...]
    configuration: Object = field(default_factory=dict)
    region: str | None = None
    remarks: tuple[str, ...] = ()

    def of_type(self, *types: str) -> list[Resource]:
        """The resources of some types."""
        return [resource for resource in self.resources if resource.type in types]


def read_plan(path: Path) -> Plan:
    """The plan or state in a file.

    Raises:
        PlanError: it cannot be read, or is neither.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise PlanError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PlanError(f"{path} is no text, as a plan's own file is not; {_ACCEPTED}") from error
    return parse_plan(text, str(path))


def parse_plan(text: str, where: str) -> Plan:
    """The plan or state that a text is.

    Args:
        text: JSON, as ``terraform show -json`` prints it.
        where: it is from, for the error.

    Raises:
        PlanError: it is neither.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PlanError(f"{where} is no JSON; {_ACCEPTED}") from error
    if not isinstance(document, dict) or not str(document.get("format_version", "")).startswith("1."):
        raise PlanError(f"{where} has no format_version of 1.x; {_ACCEPTED}")
    values = document.get("planned_values", document.get("values"))
    if not isinstance(values, dict):
        raise PlanError(f"{where} has neither planned_values nor values; {_ACCEPTED}")
    try:
        resources = tuple(_resources(values.get("root_module", {}), ""))
        configuration = document.get("configuration", {})
        providers = _aws_providers(configuration, document.get("variables", {}))
    except (AttributeError, KeyError, TypeError) as error:
        raise PlanError(f"{where} is not formed as Terraform does it ({error!r}); {_ACCEPTED}") from error
    region = providers.get("aws") or _region_of(resources)
    return Plan(
        resources,
        configuration.get("root_module", {}),
        region,
        tuple(_remarks(document, providers, region)),
    )


def _resources(module: Object, address: str) -> Iterator[Resource]:
    for found in module.get("resources", []):
        if found["mode"] == "managed":
            yield Resource(
                found["address"],
                found["type"],
                found["name"],
                found.get("index"),
                address,
                dict(found.get("values") or {}),
            )
    for child in module.get("child_modules", []):
        yield from _resources(child, child["address"])


def _aws_providers(configuration: Object, variables: Object) -> dict[str, str]:
    """Regions of AWS's providers by their names in the code, of those that say one."""
    found = {}
    for key, provider in configuration.get("provider_config", {}).items():
        if not provider.get("full_name", "").endswith(_AWS):
            continue
        region = provider.get("expressions", {}).get("region", {})
        value = region.get("constant_value")
        for reference in region.get("references", []):
            variable = variables.get(reference.removeprefix("var."), {})
            value = value or variable.get("value")
        if isinstance(value, str) and value:
            found[key] = value
    return found


def _region_of(resources: Sequence[Resource]) -> str | None:
    """The one region that zones or, where there are none, names of resources tell."""
    for attribute, pattern in (("availability_zone", _ZONE), ("arn", _ARN)):
        matches = [pattern.match(resource.text(attribute) or "") for resource in resources]
        regions = {match[1] for match in matches if match}
        if len(regions) == 1:
            return regions.pop()
    return None


def _remarks(document: Object, providers: Mapping[str, str], region: str | None) -> Iterator[str]:
    if document.get("errored"):
        yield "the plan ended with an error: what comes after it is not in it"
    others = sorted({other for other in providers.values() if other != region})
    if region and others:
        yield f"resources in {', '.join(others)} are priced as in {region}"
