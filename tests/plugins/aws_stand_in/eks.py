"""Of EKS: add-ons, access entries, pod identities, and groups of machines, all kept with their cluster."""

from __future__ import annotations

import hashlib
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.eks import models, urls
from moto.eks.exceptions import ResourceNotFoundException
from moto.eks.responses import EKSResponse

Object = dict[str, Any]

_ISSUED = "https://oidc.eks.{region}.amazonaws.com/id/{number}"
_ADDON, _ENTRY, _ASSOCIATION = "addons", "access-entries", "pod-identity-associations"
_PATHS = (
    f"{_ADDON}$",
    f"{_ADDON}/(?P<addonName>[^/]+)$",
    f"{_ADDON}/(?P<addonName>[^/]+)/update$",
    f"{_ENTRY}$",
    f"{_ENTRY}/(?P<principalArn>.+)$",
    f"{_ASSOCIATION}$",
    f"{_ASSOCIATION}/(?P<associationId>[^/]+)$",
    "updates/(?P<updateId>[^/]+)$",
)


class _Eks(EKSResponse):  # type: ignore[misc]
    """What EKS answers to the calls that moto does not know."""

    def _cluster(self) -> models.Cluster:
        return self.eks_backend.describe_cluster(self._get_param("name") or self._get_param("clusterName"))

    def _kept(self, kind: str) -> dict[str, Object]:
        """All of a kind that the cluster has."""
        kinds: dict[str, dict[str, Object]] = self._cluster().__dict__.setdefault("kept", {})
        return kinds.setdefault(kind, {})

    def _one(self, kind: str, key: str) -> Object:
        try:
            return self._kept(kind)[key]
        except KeyError:
            raise ResourceNotFoundException(
                clusterName=self._cluster().name,
                nodegroupName=None,
                fargateProfileName=None,
                addonName=None,
                message=f"There is no {key} among the {kind}",
            ) from None

    def _arn(self, kind: str, key: str) -> str:
        return f"{self._cluster().arn.replace(':cluster/', f':{kind}/')}/{key}"

    def _given(self, *names: str) -> Object:
        return {name: value for name in names if (value := self._get_param(name)) is not None}

    # Of these two moto keeps too little.

    def create_cluster(self) -> ActionResult:
        answer = super().create_cluster()
        cluster = self._cluster()
        ec2 = ec2_backends[self.current_account][self.region]
        subnets = cluster.resources_vpc_config["subnetIds"]
        vpc = ec2.get_subnet(subnets[0]).vpc_id
        group = ec2.create_security_group(f"eks-cluster-sg-{cluster.name}", "nodes and control plane", vpc)
        cluster.resources_vpc_config |= {"vpcId": vpc, "clusterSecurityGroupId": group.id}
        for name in ("accessConfig", "upgradePolicy"):
            cluster.__dict__[name] = self._get_param(name)
        # moto has one issuer for all clusters of a region.
        number = hashlib.sha256(cluster.arn.encode()).hexdigest()[:32].upper()
        cluster.identity = {"oidc": {"issuer": _ISSUED.format(region=self.region, number=number)}}
        return answer

    def delete_cluster(self) -> ActionResult:
        group = self._cluster().resources_vpc_config["clusterSecurityGroupId"]
        answer = super().delete_cluster()
        ec2_backends[self.current_account][self.region].delete_security_group(group_id=group)
        return answer

    def create_nodegroup(self) -> ActionResult:
        answer = super().create_nodegroup()
        group = self._cluster().nodegroups[self._get_param("nodegroupName")]
        # moto has SSH keys where none are asked for, and its own way to update.
        group.remote_access, group.update_config = None, self._get_param("updateConfig")
        autoscaling_backends[self.current_account][self.region].create_auto_scaling_group(
            name=group.resources["autoScalingGroups"][0]["name"],
            availability_zones=[],
            # Machines would be started, and counted among what is left.
            desired_capacity=0,
            min_size=0,
            max_size=group.scaling_config["maxSize"],
            launch_config_name="",
            launch_template={
                "LaunchTemplateId": group.launch_template["id"],
                "Version": group.launch_template["version"],
            },
            vpc_zone_identifier=",".join(group.subnets),
            default_cooldown=None,
            health_check_period=None,
            health_check_type=None,
            load_balancers=[],
            target_group_arns=[],
            placement_group=None,
            termination_policies=[],
            tags=[],
        )
        return answer

    def delete_nodegroup(self) -> ActionResult:
        group = self._cluster().nodegroups[self._get_param("nodegroupName")]
        autoscaling_backends[self.current_account][self.region].delete_auto_scaling_group(
            group.resources["autoScalingGroups"][0]["name"]
        )
        return super().delete_nodegroup()

    # Add-ons

    def create_addon(self) -> ActionResult:
        name = self._get_param("addonName")
        given = self._given("serviceAccountRoleArn", "configurationValues", "tags")
        addon: Object = {
            "addonName": name,
            "clusterName": self._cluster().name,
            "status": "ACTIVE",
            "addonVersion": self._get_param("addonVersion") or "v1.0.0-eksbuild.1",
            "addonArn": self._arn("addon", name),
            "createdAt": utcnow(),
            "modifiedAt": utcnow(),
            **given,
        }
        associations = [
            self._associate({"namespace": "kube-system", **one})["associationArn"]
            for one in self._get_param("podIdentityAssociations") or []
        ]
        if associations:
            addon["podIdentityAssociations"] = associations
        self._kept(_ADDON)[name] = addon
        return ActionResult({"addon": addon})

    def describe_addon(self) -> ActionResult:
        return ActionResult({"addon": self._one(_ADDON, self._get_param("addonName"))})

    def update_addon(self) -> ActionResult:
        self._one(_ADDON, self._get_param("addonName")).update(
            self._given("addonVersion", "configurationValues", "serviceAccountRoleArn"), modifiedAt=utcnow()
        )
        return self.describe_update()

    def delete_addon(self) -> ActionResult:
        addon = self._one(_ADDON, self._get_param("addonName"))
        for arn in addon.get("podIdentityAssociations", []):
            del self._kept(_ASSOCIATION)[arn.rpartition("/")[2]]
        del self._kept(_ADDON)[addon["addonName"]]
        return ActionResult({"addon": addon})

    def describe_update(self) -> ActionResult:
        """All updates are done at once."""
        return ActionResult({"update": {"id": "1", "status": "Successful", "type": "AddonUpdate"}})

    # Access entries

    def create_access_entry(self) -> ActionResult:
        arn = self._get_param("principalArn")
        entry = {
            "clusterName": self._cluster().name,
            "principalArn": arn,
            "accessEntryArn": self._arn("access-entry", arn.rpartition(":")[2]),
            "username": arn,
            "type": self._get_param("type") or "STANDARD",
            "createdAt": utcnow(),
            "modifiedAt": utcnow(),
            **self._given("kubernetesGroups", "tags"),
        }
        self._kept(_ENTRY)[arn] = entry
        return ActionResult({"accessEntry": entry})

    def describe_access_entry(self) -> ActionResult:
        return ActionResult({"accessEntry": self._one(_ENTRY, self._get_param("principalArn"))})

    def update_access_entry(self) -> ActionResult:
        entry = self._one(_ENTRY, self._get_param("principalArn"))
        entry.update(self._given("kubernetesGroups", "username"))
        return ActionResult({"accessEntry": entry})

    def delete_access_entry(self) -> EmptyResult:
        del self._kept(_ENTRY)[self._one(_ENTRY, self._get_param("principalArn"))["principalArn"]]
        return EmptyResult()

    def associate_access_policy(self) -> ActionResult:
        entry = self._one(_ENTRY, self._get_param("principalArn"))
        policy = {
            "policyArn": self._get_param("policyArn"),
            "accessScope": self._get_param("accessScope"),
            "associatedAt": utcnow(),
            "modifiedAt": utcnow(),
        }
        entry.setdefault("policies", {})[policy["policyArn"]] = policy
        return ActionResult({**self._given("clusterName", "principalArn"), "associatedAccessPolicy": policy})

    def list_associated_access_policies(self) -> ActionResult:
        entry = self._one(_ENTRY, self._get_param("principalArn"))
        return ActionResult({"associatedAccessPolicies": list(entry.get("policies", {}).values())})

    def disassociate_access_policy(self) -> EmptyResult:
        del self._one(_ENTRY, self._get_param("principalArn"))["policies"][self._get_param("policyArn")]
        return EmptyResult()

    # Pod identities

    def _associate(self, given: Object) -> Object:
        kept = self._kept(_ASSOCIATION)
        number = f"a-{len(kept) + 1:017d}"
        kept[number] = {
            "clusterName": self._cluster().name,
            "associationArn": self._arn("podidentityassociation", number),
            "associationId": number,
            "createdAt": utcnow(),
            "modifiedAt": utcnow(),
            **given,
        }
        return kept[number]

    def create_pod_identity_association(self) -> ActionResult:
        given = self._given("namespace", "serviceAccount", "roleArn", "tags")
        return ActionResult({"association": self._associate(given)})

    def describe_pod_identity_association(self) -> ActionResult:
        return ActionResult({"association": self._one(_ASSOCIATION, self._get_param("associationId"))})

    def list_pod_identity_associations(self) -> ActionResult:
        namespace = self._get_param("namespace")
        found = [one for one in self._kept(_ASSOCIATION).values() if namespace in (None, one["namespace"])]
        return ActionResult({"associations": found})

    def update_pod_identity_association(self) -> ActionResult:
        association = self._one(_ASSOCIATION, self._get_param("associationId"))
        association.update(self._given("roleArn"))
        return ActionResult({"association": association})

    def delete_pod_identity_association(self) -> ActionResult:
        association = self._one(_ASSOCIATION, self._get_param("associationId"))
        del self._kept(_ASSOCIATION)[association["associationId"]]
        return ActionResult({"association": association})


def extend() -> None:
    """Have moto's server answer the paths of `_PATHS`, and its own, by `_Eks`."""
    for path in _PATHS:
        urls.url_paths["{0}/clusters/(?P<name>[^/]+)/" + path] = _Eks.dispatch
    for path in urls.url_paths:
        urls.url_paths[path] = _Eks.dispatch
