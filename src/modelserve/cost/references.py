"""What the code of a plan refers to, where the value itself is not known before it is made.

A plan does not know the id of a subnet that it would make, and so not which three an endpoint is in. But its
configuration has what the expression refers to, and the resources that are meant are in the plan. Where that
does not tell them for certain, nothing is said: locals, for one, are not in the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from modelserve.cost.plan import Object, Plan, Resource

_KEY = r'\["(?:[^"\\]|\\.)*"\]|\[\d+\]'
_MODULE = re.compile(rf"module\.([\w-]+)(?:{_KEY})?")
_NAMED = re.compile(rf"([a-z][a-z0-9_]*)\.([\w-]+)({_KEY})?(\[)?")


@dataclass(frozen=True, slots=True)
class _Found:
    """What expressions come to: resources by module, type and name, and whether one of many is picked."""

    named: frozenset[tuple[str, str, str]] = frozenset()
    keys: frozenset[str | int] = frozenset()
    picks: bool = False
    is_dark: bool = False

    def __or__(self, other: _Found) -> _Found:
        return _Found(
            self.named | other.named,
            self.keys | other.keys,
            self.picks or other.picks,
            self.is_dark or other.is_dark,
        )


_DARK, _PICKS, _NONE = _Found(is_dark=True), _Found(picks=True), _Found()

_OTHERS = {
    **dict.fromkeys(("path", "terraform", "self"), _NONE),
    **dict.fromkeys(("each", "count"), _PICKS),
    **dict.fromkeys(("local", "data"), _DARK),
}
"""What references that begin so come to; all others are to resources, variables and modules."""


class References:
    """The references of a plan's resources.

    Attributes:
        plan: that they are in.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def leaves_out(self, resource: Resource, attribute: str) -> bool:
        """Whether the code is there and does not set an attribute, so that the default holds."""
        expressions = self._expressions(resource)
        return expressions is not None and attribute not in expressions

    def one(self, resource: Resource, *path: str, of_type: str) -> Resource | None:
        """The one resource of a type that an attribute refers to; None where that is not certain.

        Of several instances it is the one with the key of ``resource``, or the one whose key comes before a
        slash in it, as in ``gpu/evening``.
        """
        found = self._follow(_references(self._expressions(resource), path), resource.module)
        candidates = [one for one in self._instances(found) if one.type == of_type]
        if found.keys:
            candidates = [one for one in candidates if one.index in found.keys]
        if found.picks and len(candidates) > 1:
            key = resource.index
            candidates = [one for one in candidates if one.index == key] or [
                one for one in candidates if str(key).startswith(f"{one.index}/")
            ]
        return candidates[0] if len(candidates) == 1 else None

    def count(self, resource: Resource, attribute: str, *, of_type: str) -> int | None:
        """How many resources of a type an attribute lists; None where that is not certain."""
        found = self._follow(_references(self._expressions(resource), (attribute,)), resource.module)
        if found.is_dark or found.picks or found.keys or {type_ for _, type_, _ in found.named} != {of_type}:
            return None
        return len(self._instances(found)) or None

    def _instances(self, found: _Found) -> list[Resource]:
        return [one for one in self.plan.resources if (one.module, one.type, one.name) in found.named]

    def _expressions(self, resource: Resource) -> Object | None:
        for one in (self._module(resource.module) or {}).get("resources", []):
            if one.get("mode") == "managed" and one.get("address") == f"{resource.type}.{resource.name}":
                return one.get("expressions", {})  # type: ignore[no-any-return]
        return None

    def _module(self, address: str) -> Object | None:
        """The code of a module by the address of an instance of it."""
        code: Any = self.plan.configuration
        for name in _MODULE.findall(address):
            code = code.get("module_calls", {}).get(name, {}).get("module")
            if code is None:
                return None
        return code  # type: ignore[no-any-return]

    def _follow(self, references: Sequence[str] | None, module: str) -> _Found:
        """What references come to, by way of variables and outputs of modules."""
        if references is None:
            return _DARK
        found = _NONE
        for reference in references:
            found |= self._followed(reference, module)
        return found

    def _followed(self, reference: str, module: str) -> _Found:
        head, _, rest = reference.partition(".")
        if head in _OTHERS:
            return _OTHERS[head]
        if head == "var":
            return self._variable(rest, module)
        if head == "module":
            return self._output(rest, module)
        named = _NAMED.match(reference)
        if named is None:
            return _DARK
        keys = [] if named[3] is None else [_key(named[3])]
        return _Found(frozenset([(module, named[1], named[2])]), frozenset(keys), picks=named[4] is not None)

    def _variable(self, text: str, module: str) -> _Found:
        if not re.fullmatch(r"[\w-]+", text):
            return _PICKS
        calls = [*_MODULE.finditer(module)]
        if not calls:
            return _NONE  # the root's: no resource of the plan
        parent = module[: calls[-1].start()].rstrip(".")
        call = (self._module(parent) or {}).get("module_calls", {}).get(calls[-1][1], {})
        expression = call.get("expressions", {}).get(text)
        if expression is None or "constant_value" in expression:
            return _NONE
        return self._follow(_references({text: expression}, (text,)), parent)

    def _output(self, text: str, module: str) -> _Found:
        name, _, output = text.partition(".")
        if not output:
            # Beside each reference to an output there is one to its module; by itself it is all outputs.
            return _NONE
        if not re.fullmatch(r"[\w-]+\.[\w-]+", text):
            return _PICKS
        child = f"{module}.module.{name}" if module else f"module.{name}"
        outputs = (self._module(child) or {}).get("outputs", {})
        return self._follow(_references(outputs.get(output), ("expression",)), child)


def _key(text: str) -> str | int:
    inner = text[1:-1]
    return int(inner) if inner.isdigit() else inner[1:-1].replace('\\"', '"').replace("\\\\", "\\")


def _references(expressions: Object | None, path: Sequence[str]) -> list[str] | None:
    """The references of an expression, within the first of blocks on the way to it."""
    found: Any = expressions
    for step in path:
        if isinstance(found, list):
            found = found[0] if found else None
        if not isinstance(found, dict):
            return None
        found = found.get(step)
    return [*_all_references(found)] if isinstance(found, dict) else None


def _all_references(expression: Object) -> Iterator[str]:
    for reference in expression.get("references", []):
        if isinstance(reference, str):
            yield reference
