"""What an account holds once an environment was applied, read back by AWS's own client."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

Object = dict[str, Any]


def named(tags: list[Object]) -> str:
    return next((str(tag["Value"]) for tag in tags if tag["Key"] == "Name"), "")


def statements(policy: str | Object) -> list[Object]:
    found = json.loads(policy) if isinstance(policy, str) else policy
    answer: list[Object] = found["Statement"]
    return answer


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_network(environment: Any) -> None:
    every = environment.account.every
    (vpc,) = (
        one for one in every("ec2", "describe_vpcs", "Vpcs") if named(one["Tags"]) == environment.prefix
    )
    here = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]

    subnets = every("ec2", "describe_subnets", "Subnets", Filters=here)
    assert len(subnets) == 9, "public, private and intra, in three zones"
    assert len({one["AvailabilityZone"] for one in subnets}) == 3
    tagged = [{tag["Key"] for tag in one["Tags"]} for one in subnets]
    assert sum("kubernetes.io/role/elb" in keys for keys in tagged) == 3
    assert sum("kubernetes.io/role/internal-elb" in keys for keys in tagged) == 3
    assert sum("karpenter.sh/discovery" in keys for keys in tagged) == 3

    gateways = every("ec2", "describe_nat_gateways", "NatGateways", Filter=here)
    assert len(gateways) == (3 if environment.is_lasting else 1)
    logs = environment.account.client("ec2").describe_flow_logs()["FlowLogs"]
    assert [one["TrafficType"] for one in logs if one["ResourceId"] == vpc["VpcId"]] == ["ALL"]


def test_no_group_lets_the_world_in(environment: Any) -> None:
    rules = environment.account.every("ec2", "describe_security_group_rules", "SecurityGroupRules")
    entrances = [one for one in rules if not one["IsEgress"]]
    assert entrances
    assert [
        one for one in entrances if one.get("CidrIpv4") == "0.0.0.0/0" or one.get("CidrIpv6") == "::/0"
    ] == []


def test_cluster(environment: Any) -> None:
    eks = environment.account.client("eks")
    cluster = eks.describe_cluster(name=environment.prefix)["cluster"]
    assert cluster["resourcesVpcConfig"]["endpointPrivateAccess"] is True
    (logging,) = (one for one in cluster["logging"]["clusterLogging"] if one["enabled"])
    assert set(logging["types"]) >= {"api", "audit", "authenticator"}
    assert cluster["encryptionConfig"][0]["resources"] == ["secrets"]
    assert cluster["accessConfig"]["authenticationMode"] == "API"

    def of_cluster(call: str, key: str) -> list[Any]:
        found: list[Any] = environment.account.every("eks", call, key, clusterName=environment.prefix)
        return found

    # What follows a group's name is Terraform's, so that a new one can be there before the old one goes.
    groups = {
        name.rpartition("-")[0]: eks.describe_nodegroup(clusterName=environment.prefix, nodegroupName=name)[
            "nodegroup"
        ]
        for name in of_cluster("list_nodegroups", "nodegroups")
    }
    assert groups["general"]["scalingConfig"]["minSize"] >= (3 if environment.is_lasting else 2)
    templates = environment.account.client("ec2")
    for name, group in groups.items():
        (version,) = templates.describe_launch_template_versions(
            LaunchTemplateId=group["launchTemplate"]["id"], Versions=[group["launchTemplate"]["version"]]
        )["LaunchTemplateVersions"]
        data = version["LaunchTemplateData"]
        assert data["MetadataOptions"]["HttpTokens"] == "required", name
        assert all(disk["Ebs"]["Encrypted"] for disk in data["BlockDeviceMappings"]), name
    assert ("gpu" in groups) == environment.is_lasting


def test_buckets(environment: Any) -> None:
    s3 = environment.account.client("s3")
    for kind, bucket in environment.outputs()["bucket_names"].items():
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
        assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
        (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        encryption = rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]
        assert encryption == ("AES256" if kind == "logs" else "aws:kms")
        with pytest.raises(ClientError, match="403"):
            s3.put_object(Bucket=bucket, Key="one", Body=b"not by TLS")
        assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]


def test_every_image_has_a_repository_that_is_scanned_and_does_not_change(environment: Any) -> None:
    repositories = {
        one["repositoryUri"]: one
        for one in environment.account.every("ecr", "describe_repositories", "repositories")
    }
    urls = environment.outputs()["repository_urls"]
    assert set(urls.values()) <= set(repositories)
    for url in urls.values():
        assert repositories[url]["imageScanningConfiguration"]["scanOnPush"] is True
        assert repositories[url]["imageTagMutability"].startswith("IMMUTABLE")
        assert repositories[url]["encryptionConfiguration"]["encryptionType"] == "KMS"


def test_database_and_cache(environment: Any) -> None:
    (database,) = environment.account.client("rds").describe_db_instances(
        DBInstanceIdentifier=environment.prefix
    )["DBInstances"]
    assert database["StorageEncrypted"] is True
    assert database["PubliclyAccessible"] is False
    assert database["MultiAZ"] is environment.is_lasting
    assert database["DeletionProtection"] is (environment.name == "prod")
    assert database["MasterUserSecret"]["SecretStatus"] == "active", "RDS keeps the password, and rotates it"
    (group,) = environment.account.client("elasticache").describe_replication_groups(
        ReplicationGroupId=environment.prefix
    )["ReplicationGroups"]
    assert group["TransitEncryptionEnabled"] is True
    assert group["AtRestEncryptionEnabled"] is True
    assert group["AuthTokenEnabled"] is True
    assert len(group["MemberClusters"]) == (2 if environment.is_lasting else 1)
    assert group["AutomaticFailover"] == ("enabled" if environment.is_lasting else "disabled")


def test_the_way_in(environment: Any) -> None:
    elb = environment.account.client("elbv2")
    (balancer,) = elb.describe_load_balancers(Names=[environment.prefix])["LoadBalancers"]
    zones = [one["SubnetId"] for one in balancer["AvailabilityZones"]]
    subnets = environment.account.every("ec2", "describe_subnets", "Subnets", SubnetIds=zones)
    assert len(subnets) == 3
    for subnet in subnets:
        assert "kubernetes.io/role/elb" in {tag["Key"] for tag in subnet["Tags"]}, "public"
    listeners = {
        one["Port"]: one
        for one in elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    }
    assert "TLS13" in listeners[443]["SslPolicy"]
    assert listeners[80]["DefaultActions"][0]["RedirectConfig"]["Protocol"] == "HTTPS"
    certificate = listeners[443]["Certificates"][0]["CertificateArn"]
    described = environment.account.client("acm").describe_certificate(CertificateArn=certificate)[
        "Certificate"
    ]
    assert described["Status"] == "ISSUED"
    assert set(described["SubjectAlternativeNames"]) == {environment.domain, f"*.{environment.domain}"}

    firewall = environment.account.client("wafv2").get_web_acl_for_resource(
        ResourceArn=balancer["LoadBalancerArn"]
    )["WebACL"]
    assert firewall["Name"] == environment.prefix
    assert any("RateBasedStatement" in rule["Statement"] for rule in firewall["Rules"])

    (zone,) = (
        one
        for one in environment.account.every("route53", "list_hosted_zones", "HostedZones")
        if one["Name"] == f"{environment.domain}."
    )
    records = environment.account.every(
        "route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"]
    )
    assert {one["Name"].replace("\\052", "*") for one in records if one["Type"] == "A"} == {
        f"{environment.domain}.",
        f"*.{environment.domain}.",
    }


def test_a_models_role_reads_its_own_folder_only(environment: Any) -> None:
    eks, iam = environment.account.client("eks"), environment.account.client("iam")
    models = environment.outputs()["bucket_names"]["models"]
    roles = {}
    for one in eks.list_pod_identity_associations(clusterName=environment.prefix, namespace="modelserve")[
        "associations"
    ]:
        association = eks.describe_pod_identity_association(
            clusterName=environment.prefix, associationId=one["associationId"]
        )["association"]
        roles[one["serviceAccount"]] = association["roleArn"].rpartition("/")[2]
    assert set(roles) == {"bert-ner", "resnet-classifier"}
    for account, role in roles.items():
        document = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
        assert [one["Principal"] for one in statements(document)] == [{"Service": "pods.eks.amazonaws.com"}]
        assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
        (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
        policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        reads = [one for one in statements(policy) if "s3:GetObject" in listed(one["Action"])]
        assert [listed(one["Resource"]) for one in reads] == [[f"arn:aws:s3:::{models}/{account}/*"]]
        assert {action for one in statements(policy) for action in listed(one["Action"])} == {
            "s3:GetObject",
            "s3:ListBucket",
            "kms:Decrypt",
        }


def test_no_policy_of_an_environment_is_for_all(environment: Any) -> None:
    iam = environment.account.client("iam")
    roles = [
        one["RoleName"]
        for one in environment.account.every("iam", "list_roles", "Roles")
        if one["RoleName"].startswith(environment.prefix)
    ]
    assert len(roles) > 5
    for role in roles:
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for one in statements(document):
                assert "NotAction" not in one, (role, name)
                assert not [
                    action for action in listed(one["Action"]) if action.endswith(":*") or action == "*"
                ]


def test_keys_are_rotated(environment: Any) -> None:
    kms = environment.account.client("kms")
    aliases = {
        one["AliasName"]: one["TargetKeyId"]
        for one in environment.account.every("kms", "list_aliases", "Aliases")
        if one["AliasName"].startswith(f"alias/{environment.prefix}")
    }
    assert {name.rpartition("-")[2] for name in aliases} == {"cluster", "data", "logs", "observability"}
    assert all(kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] for key in aliases.values())


def test_somebody_is_told(environment: Any) -> None:
    alarms = environment.account.every(
        "cloudwatch", "describe_alarms", "MetricAlarms", AlarmNamePrefix=environment.prefix
    )
    assert alarms
    topics = {action for one in alarms for action in one["AlarmActions"]}
    (topic,) = topics
    subscriptions = environment.account.client("sns").list_subscriptions_by_topic(TopicArn=topic)
    assert [one["Endpoint"] for one in subscriptions["Subscriptions"]] == ["oncall@example.com"]
    budgets = environment.account.client("budgets")
    budget = {"AccountId": "123456789012", "BudgetName": environment.prefix}
    assert budgets.describe_budget(**budget)["Budget"]["TimeUnit"] == "MONTHLY"
    notices = budgets.describe_notifications_for_budget(**budget)["Notifications"]
    assert {(one["NotificationType"], one["Threshold"]) for one in notices} == {
        ("ACTUAL", 80.0),
        ("ACTUAL", 100.0),
        ("FORECASTED", 100.0),
    }


def test_what_the_platforms_manifests_name_is_there(environment: Any) -> None:
    """They are what the cluster and the account meet by."""
    outputs = environment.outputs()
    text = json.dumps(list(yaml.safe_load_all(outputs["platform"])))
    account = environment.account

    found = set(re.findall(r"arn:aws:elasticloadbalancing:[^\"]+", text))
    groups = account.every("elbv2", "describe_target_groups", "TargetGroups")
    assert found
    assert found <= {one["TargetGroupArn"] for one in groups}

    queue = f"{environment.prefix}-karpenter"
    assert queue in text
    assert account.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]

    (profile,) = set(re.findall(r'"instanceProfile": "([^"]+)"', text))
    assert account.client("iam").get_instance_profile(InstanceProfileName=profile)

    repositories = {
        one["repositoryName"] for one in account.every("ecr", "describe_repositories", "repositories")
    }
    charts = {f"{environment.prefix}/charts/{name}" for name in outputs["charts"]}
    assert charts
    assert charts <= repositories


def test_costs_are_told_apart_by_environment(environment: Any) -> None:
    resources = environment.account.every(
        "resourcegroupstaggingapi",
        "get_resources",
        "ResourceTagMappingList",
        TagFilters=[{"Key": "environment", "Values": [environment.name]}],
    )
    services = {one["ResourceARN"].split(":")[2] for one in resources}
    assert services >= {"ec2", "elasticache", "elasticloadbalancing", "kms", "logs", "rds", "s3"}
    cluster = environment.account.client("eks").describe_cluster(name=environment.prefix)["cluster"]
    assert cluster["tags"]["environment"] == environment.name
