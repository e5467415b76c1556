"""The canary controller's folder says the same as the program that it deploys."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from modelserve.canary.admission.server import PATH
from modelserve.canary.controller.admitting import NAME
from modelserve.canary.controller.leading import NAME as LEASE
from modelserve.canary.controller.resource import KIND, TARGETS, CanaryPolicySpec, spec_of
from modelserve.canary.rollout.fingerprint import USUALLY_IGNORED, fingerprint
from modelserve.canary.running.specification import SpecificationError
from modelserve.cli import canary_controller

Object = dict[str, Any]
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "inferenceservices" / "canary-controller"
RBAC = ROOT / "inferenceservices" / "components" / "rbac"


@pytest.fixture(scope="module")
def objects(build_folder: Callable[[Path], list[Object]]) -> dict[tuple[str, str], Object]:
    """What the folder builds, by kind and name."""
    return {(one["kind"], one["metadata"]["name"]): one for one in build_folder(FOLDER)}


@pytest.fixture(scope="module")
def definition(objects: dict[tuple[str, str], Object]) -> Object:
    found: Object = objects["CustomResourceDefinition", f"{KIND.plural}.{KIND.group}"]["spec"]
    return found


@pytest.fixture(scope="module")
def schema(definition: Object) -> Object:
    """Of ``spec``, as JSON schema."""
    (version,) = definition["versions"]
    found: Object = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found


def fields(schema: Object, whole: Object, path: str = "spec") -> Iterator[tuple[str, Any]]:
    """Every field with its type, whether it may be null, and the names that it must have."""
    options = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    is_nullable = schema.get("nullable", False) or len(options) < len(schema.get("anyOf", []))
    (found,) = options
    if "$ref" in found:
        found = whole["$defs"][found["$ref"].rpartition("/")[2]]
    yield path, (found["type"], is_nullable, sorted(found.get("required", [])), found.get("minItems"))
    for name, inner in found.get("properties", {}).items():
        yield from fields(inner, whole, f"{path}.{name}")
    if "items" in found:
        yield from fields(found["items"], whole, f"{path}[]")


def test_the_definition_has_the_fields_that_the_controller_reads(definition: Object, schema: Object) -> None:
    assert (definition["group"], definition["names"]["kind"]) == (KIND.group, KIND.name)
    assert [one["name"] for one in definition["versions"]] == [KIND.version]
    known = CanaryPolicySpec.model_json_schema(by_alias=True)
    assert dict(fields(schema, schema)) == dict(fields(known, known))


def test_the_definition_has_the_values_that_the_controller_takes(schema: Object) -> None:
    known = CanaryPolicySpec.model_json_schema(by_alias=True)
    assert schema["properties"]["onInconclusive"]["enum"] == known["$defs"]["OnInconclusive"]["enum"]
    names = known["$defs"]["Measurements"]["properties"]["names"]["enum"]
    assert schema["properties"]["prometheus"]["properties"]["names"]["enum"] == names
    target = schema["properties"]["targetRef"]["properties"]
    assert target["kind"]["enum"] == list(TARGETS)
    assert target["apiVersion"]["enum"] == [one.api_version for one in TARGETS.values()]


SMALLEST: Object = {"targetRef": {"name": "names"}, "prometheus": {"url": "http://prometheus:9090"}}


@pytest.mark.parametrize(
    "change",
    [
        {"steps": []},
        {"steps": [{"percent": 0}]},
        {"steps": [{"percent": 100}]},
        {"steps": [{"percent": 1.5}]},
        {"steps": [{"percent": 10, "leastSeconds": -1}]},
        {"leastRequests": -1},
        {"warmUp": {"seconds": -1}},
        {"warmUp": {"requests": -1}},
        {"checks": {"errors": {"tolerated": -0.1, "limit": 0.1}}},
        {"checks": {"errors": {"tolerated": 0.1}}},
        {"checks": {"latency": [{"quantile": 0.5, "tolerated": 0.9, "limit": 2}]}},
        {"checks": {"drift": None}},
        {"checks": {"latency": None}},
        {"onInconclusive": "perhaps"},
        {"suspend": "perhaps"},
        {"targetRef": {"name": ""}},
        {"targetRef": {"name": "names", "kind": "Deployment"}},
        {"prometheus": {"url": "prometheus:9090"}},
        {"prometheus": {"url": "http://prometheus:9090", "names": "others"}},
    ],
    ids=str,
)
def test_what_one_of_them_refuses_the_other_refuses(change: Object, schema: Object) -> None:
    spec = {**SMALLEST, **change}
    assert not jsonschema_rs.is_valid(schema, spec)
    with pytest.raises(SpecificationError):
        spec_of({"spec": spec})


DOCUMENTS = [
    yaml.safe_load(block)
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *FOLDER.glob("*.md")]
    for block in re.findall(r"^```yaml\n(.*?)^```", path.read_text("utf-8"), re.M | re.S)
    if "kind: CanaryPolicy\n" in block
]


def test_documents_have_policies_in_them() -> None:
    assert len(DOCUMENTS) >= 2


@pytest.mark.parametrize("policy", [{"spec": SMALLEST}, *DOCUMENTS])
def test_policies_of_the_documents_are_accepted(policy: Object, schema: Object) -> None:
    jsonschema_rs.validate(schema, policy["spec"])
    spec_of(policy)


def test_the_admission_policy_and_the_webhook_know_the_same_new_models(
    objects: dict[tuple[str, str], Object],
) -> None:
    policy = objects["ValidatingAdmissionPolicy", NAME]["spec"]
    said = {one["name"]: one["expression"] for one in policy["variables"]}
    assert set(ast.literal_eval(said["ignored"])) == USUALLY_IGNORED.annotations | USUALLY_IGNORED.labels
    predictor = dict.fromkeys(ast.literal_eval(said["fields"]), 1)
    one, other = ({"metadata": {}, "spec": {"predictor": fields}} for fields in ({}, predictor))
    assert fingerprint(one) == fingerprint(other)
    for name in predictor:
        assert fingerprint(one) == fingerprint({"metadata": {}, "spec": {"predictor": {name: 2}}})
    assert policy["failurePolicy"] == "Fail"
    assert policy["paramKind"] == {"apiVersion": KIND.api_version, "kind": KIND.name}


def test_the_webhook_is_called_where_it_listens(objects: dict[tuple[str, str], Object]) -> None:
    (webhook,) = objects["MutatingWebhookConfiguration", NAME]["webhooks"]
    where = webhook["clientConfig"]["service"]
    service = objects["Service", where["name"]]
    assert (where["path"], where["namespace"]) == (PATH, service["metadata"]["namespace"])
    ports = {one["name"]: one for one in service["spec"]["ports"]}
    assert ports["webhook"]["port"] == where.get("port", 443)
    (container,) = objects["Deployment", "canary-controller"]["spec"]["template"]["spec"]["containers"]
    listens = {one["name"]: one["containerPort"] for one in container["ports"]}
    parser = argparse.ArgumentParser()
    canary_controller.add_parser(parser.add_subparsers())
    options = parser.parse_args(["controller", *container["args"]])
    assert listens == {"http": options.http_port, "webhook": options.webhook_port}
    assert {ports[name]["targetPort"] for name in ports} == set(listens)
    assert NAME > "inferenceservice.serving.kserve.io", "called after KServe's own"


def test_secrets_and_leases_are_its_own(objects: dict[tuple[str, str], Object]) -> None:
    rules = [
        rule for (kind, _), one in objects.items() if kind in ("Role", "ClusterRole") for rule in one["rules"]
    ]
    assert all("*" not in (*rule["resources"], *rule["verbs"], *rule["apiGroups"]) for rule in rules)
    assert not {"delete", "deletecollection"} & {verb for rule in rules for verb in rule["verbs"]}
    named = {
        resource: rule.get("resourceNames")
        for rule in rules
        if rule["verbs"] != ["create"]
        for resource in rule["resources"]
    }
    assert (named["secrets"], named["leases"]) == ([NAME], [LEASE])
    assert named["mutatingwebhookconfigurations"] == [NAME]
    cluster = objects["ClusterRole", "modelserve-canary-controller"]["rules"]
    assert "secrets" not in [resource for rule in cluster for resource in rule["resources"]]


def test_it_may_change_of_a_service_what_the_judge_may(objects: dict[tuple[str, str], Object]) -> None:
    mine = objects["ValidatingAdmissionPolicy", "modelserve-canary-controller"]["spec"]
    judges = next(yaml.safe_load_all((RBAC / "canary-judge-policy.yaml").read_text()))["spec"]
    said = [["".join(rule["expression"].split()) for rule in one["validations"]] for one in (mine, judges)]
    assert said[0] == said[1]
    (mine_of,), (judges_of,) = (one["matchConstraints"]["resourceRules"] for one in (mine, judges))
    assert judges_of.items() <= mine_of.items()
