"""State and lock, a second apply, a change, and the end, after which there is nothing to read back."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError


def test_the_state_is_in_the_bucket_and_locked_while_it_is_used(environment: Any) -> None:
    s3 = environment.account.client("s3")
    key = f"modelserve/{environment.name}.tfstate"
    (bucket,) = (one["Name"] for one in s3.list_buckets()["Buckets"] if "terraform-states" in one["Name"])
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"]]
    assert keys == [key], "the lock went with the run"

    lock = {"ID": "1", "Operation": "OperationTypeApply", "Who": "somebody else", "Version": "1.10.0"}
    s3.put_object(Bucket=bucket, Key=f"{key}.tflock", Body=json.dumps(lock))
    refused = environment.run("plan", "-lock-timeout=0s", accepted=(1,))
    assert "somebody else" in refused.stderr
    s3.delete_object(Bucket=bucket, Key=f"{key}.tflock")


def test_a_second_apply_changes_nothing(environment: Any) -> None:
    assert environment.planned() == {}


def test_a_change_is_made_in_place_and_once(environment: Any) -> None:
    change = environment.folder / "change.auto.tfvars.json"
    change.write_text(json.dumps({"client_cidrs": ["203.0.113.0/24", "198.51.100.0/24"]}))
    planned = environment.planned()
    assert {actions[0] for actions in planned.values()} == {"create"}
    assert all(".aws_vpc_security_group_ingress_rule." in address for address in planned), planned
    environment.run("apply", "plan")
    assert environment.planned() == {}
    rules = environment.account.every("ec2", "describe_security_group_rules", "SecurityGroupRules")
    assert "198.51.100.0/24" in {one.get("CidrIpv4") for one in rules}


def test_an_environment_goes_and_leaves_nothing(environment: Any) -> None:
    """The last of these tests: there is nothing to read back after it."""
    if environment.name == "prod":
        refused = environment.run(
            "destroy", "-auto-approve", "-target=module.environment.module.data", accepted=(1,)
        )
        assert re.search("protect", refused.stderr, re.IGNORECASE)
        main = environment.folder / "main.tf"
        main.write_text(re.sub(r"is_protected( +)= true", r"is_protected\1= false", main.read_text()))
        environment.run("apply", "-auto-approve")
    environment.run("destroy", "-auto-approve")

    account = environment.account
    left = account.every(
        "resourcegroupstaggingapi",
        "get_resources",
        "ResourceTagMappingList",
        TagFilters=[{"Key": "environment", "Values": [environment.name]}],
    )
    # A key waits for its end for as long as its deletion may be taken back, and a gateway is listed after it.
    arns = [one["ResourceARN"] for one in left]
    assert [arn for arn in arns if ":kms:" not in arn and ":natgateway/" not in arn] == []
    ids = [arn.rpartition("/")[2] for arn in arns if ":natgateway/" in arn]
    gateways = account.every("ec2", "describe_nat_gateways", "NatGateways", NatGatewayIds=ids)
    assert {one["State"] for one in gateways} == {"deleted"}
    for arn in arns:
        if ":kms:" in arn:
            key = account.client("kms").describe_key(KeyId=arn)["KeyMetadata"]
            assert key["KeyState"] == "PendingDeletion"
    with pytest.raises(ClientError, match="ResourceNotFound"):
        account.client("eks").describe_cluster(name=environment.prefix)
    roles = [one["RoleName"] for one in account.every("iam", "list_roles", "Roles")]
    assert [name for name in roles if name.startswith(environment.prefix)] == []
