"""Whether there is a runtime for what an InferenceService asks for."""

from __future__ import annotations

from difflib import get_close_matches

from modelserve.doctor.components import Component
from modelserve.doctor.facts import Facts, Object
from modelserve.doctor.findings import Cause, Code

NAMESPACED = "servingruntimes.serving.kserve.io"
OF_CLUSTER = "clusterservingruntimes.serving.kserve.io"


def missing(facts: Facts, component: Component) -> Cause | None:
    """The runtime that a component's model is without; None where it has one, or may have one."""
    model: Object | None = component.spec.get("model")
    if model is None or not _were_read(facts, component.namespace):
        return None
    runtimes = [*facts.of(NAMESPACED, component.namespace), *facts.all(OF_CLUSTER)]
    name = model.get("runtime")
    if name:
        return _unnamed(name, runtimes)
    wanted, version = model["modelFormat"]["name"], model["modelFormat"].get("version")
    offered = [one for runtime in runtimes for one in _formats(runtime)]
    if any(one["name"] == wanted and _selects(one, version) for one in offered):
        return _disabled_or_other(wanted, model.get("protocolVersion"), runtimes)
    says = f"{wanted} {version}" if version else wanted
    return Cause(
        Code.FORMAT_UNSUPPORTED,
        f"no runtime of the namespace or the cluster serves the model format {says} by itself",
        f"{_close(wanted, sorted({one['name'] for one in offered}), 'format')}apply a ServingRuntime that "
        "supports it with autoSelect, or name one in spec.predictor.model.runtime",
    )


def _were_read(facts: Facts, namespace: str) -> bool:
    return facts.was_read(NAMESPACED, namespace) and facts.was_read(OF_CLUSTER, "")


def _unnamed(name: str, runtimes: list[Object]) -> Cause | None:
    found = next((one for one in runtimes if one["metadata"]["name"] == name), None)
    if found is not None and not found["spec"].get("disabled"):
        return None
    names = sorted(one["metadata"]["name"] for one in runtimes if not one["spec"].get("disabled"))
    state = "is disabled" if found else "does not exist in the namespace or the cluster"
    return Cause(
        Code.RUNTIME_MISSING,
        f"the runtime {name} that it names {state}",
        f"{_close(name, names, 'runtime')}apply the ServingRuntime {name} to this namespace, or take "
        "spec.predictor.model.runtime away, so that one is chosen by the model format",
    )


def _disabled_or_other(wanted: str, protocol: str | None, runtimes: list[Object]) -> Cause | None:
    """Whether those that serve the format are switched off, or speak another protocol."""
    serving = [one for one in runtimes if any(form["name"] == wanted for form in _formats(one))]
    active = [one for one in serving if not one["spec"].get("disabled")]
    spoken = [one for one in active if _speaks(one, protocol)]
    if spoken:
        return None
    names = ", ".join(sorted(one["metadata"]["name"] for one in active or serving))
    why = f"does not speak the protocol {protocol}" if active else "is disabled"
    return Cause(
        Code.FORMAT_UNSUPPORTED,
        f"what serves the model format {wanted} ({names}) {why}",
        "correct spec.predictor.model.protocolVersion, or apply or enable a runtime that serves both",
    )


def _speaks(runtime: Object, protocol: str | None) -> bool:
    spoken = runtime["spec"].get("protocolVersions")
    return protocol is None or not spoken or protocol in spoken


def _formats(runtime: Object) -> list[Object]:
    found: list[Object] = runtime["spec"].get("supportedModelFormats") or []
    return found


def _selects(offered: Object, version: str | None) -> bool:
    return bool(offered.get("autoSelect")) and (version is None or offered.get("version") in (None, version))


def _close(wanted: str, known: list[str], what: str) -> str:
    """A hint, where a name is nearly one that is known."""
    close = get_close_matches(wanted, known, n=3)
    return f"correct the {what}'s name ({', '.join(close)}?), " if close else ""
