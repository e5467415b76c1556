"""Of RDS and ElastiCache: parameter groups, and how a database or a cache is made up."""

from __future__ import annotations

import hashlib
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.elasticache import urls as cache_urls
from moto.elasticache.exceptions import InvalidParameterValueException
from moto.elasticache.models import ReplicationGroup
from moto.elasticache.responses import ElastiCacheResponse
from moto.rds import urls as database_urls
from moto.rds.responses import RDSResponse

Object = dict[str, Any]

_INSIGHTS = {
    "EnablePerformanceInsights": "performance_insights_enabled",
    "PerformanceInsightsKMSKeyId": "performance_insights_kms_key_id",
    "PerformanceInsightsRetentionPeriod": "performance_insights_retention_period",
}


class _Rds(RDSResponse):  # type: ignore[misc]
    def create_db_instance(self) -> ActionResult:
        answer = super().create_db_instance()
        (database,) = self.backend.describe_db_instances(self.params["DBInstanceIdentifier"])
        # moto gives all the same, and Terraform finds them by it.
        database.dbi_resource_id = f"db-{hashlib.sha256(database.arn.encode()).hexdigest()[:26].upper()}"
        for parameter, attribute in _INSIGHTS.items():
            setattr(database, attribute, self.params.get(parameter))
        return answer

    def modify_db_parameter_group(self) -> ActionResult:
        answer = super().modify_db_parameter_group()
        (group,) = self.backend.describe_db_parameter_groups(
            {"db_parameter_group_name": self.params["DBParameterGroupName"]}
        )
        for parameter in group.parameters.values():
            parameter["Source"] = "user"
        return answer


class _ElastiCache(ElastiCacheResponse):  # type: ignore[misc]
    def _groups(self) -> dict[str, Object]:
        groups: dict[str, Object] = self.elasticache_backend.__dict__.setdefault("parameter_groups", {})
        return groups

    def _group(self) -> Object:
        name = self._get_param("CacheParameterGroupName")
        try:
            return self._groups()[name]
        except KeyError:
            raise _NoParameterGroup(f"CacheParameterGroup {name} not found.") from None

    # Parameter groups

    def create_cache_parameter_group(self) -> ActionResult:
        name = self._get_param("CacheParameterGroupName")
        arn = f"arn:aws:elasticache:{self.region}:{self.current_account}:parametergroup:{name}"
        self._groups()[name] = {
            "CacheParameterGroupName": name,
            "CacheParameterGroupFamily": self._get_param("CacheParameterGroupFamily"),
            "Description": self._get_param("Description"),
            "IsGlobal": False,
            "ARN": arn,
            "parameters": {},
        }
        self.elasticache_backend.add_tags_to_resource(arn, self._get_param("Tags") or [])
        return ActionResult({"CacheParameterGroup": self._groups()[name]})

    def describe_cache_parameter_groups(self) -> ActionResult:
        wanted = (
            [self._group()] if self._get_param("CacheParameterGroupName") else list(self._groups().values())
        )
        return ActionResult({"CacheParameterGroups": wanted})

    def modify_cache_parameter_group(self) -> ActionResult:
        group = self._group()
        for one in self._get_param("ParameterNameValues"):
            group["parameters"][one["ParameterName"]] = one["ParameterValue"]
        return ActionResult({"CacheParameterGroupName": group["CacheParameterGroupName"]})

    def describe_cache_parameters(self) -> ActionResult:
        parameters = [
            {"ParameterName": name, "ParameterValue": value, "Source": "user"}
            for name, value in self._group()["parameters"].items()
        ]
        return ActionResult({"Parameters": parameters})

    def delete_cache_parameter_group(self) -> EmptyResult:
        del self._groups()[self._group()["CacheParameterGroupName"]]
        return EmptyResult()

    def list_tags_for_resource(self) -> ActionResult:
        arn = self._get_param("ResourceName")
        if ":parametergroup:" not in arn:
            return super().list_tags_for_resource()
        tags = self.elasticache_backend.tagging_service.list_tags_for_resource(arn)
        return ActionResult({"TagList": tags["Tags"]})

    def delete_cache_subnet_group(self) -> EmptyResult:
        del self.elasticache_backend.cache_subnet_groups[self._get_param("CacheSubnetGroupName")]
        return EmptyResult()

    # The machines of a group: moto makes one of any number, knows its name only, and deletes for ever.

    def _get_int_param(self, param_name: str, if_none: int | None = None) -> Any:
        if param_name == "ReplicasPerNodeGroup":
            if_none = super()._get_int_param("NumCacheClusters", 1) - 1
        return super()._get_int_param(param_name, if_none)

    def delete_replication_group(self) -> ActionResult:
        answer = super().delete_replication_group()
        del self.elasticache_backend.replication_groups[self._get_param("ReplicationGroupId")]
        return answer

    def _group_of(self, cluster: str | None) -> ReplicationGroup | None:
        groups = self.elasticache_backend.replication_groups.values()
        return next((group for group in groups if cluster in group.member_clusters), None)

    def describe_cache_clusters(self) -> ActionResult:
        name = self._get_param("CacheClusterId")
        group = self._group_of(name)
        if group is None:
            return super().describe_cache_clusters()
        cluster = {
            "CacheClusterId": name,
            "CacheClusterStatus": group.status,
            "NumCacheNodes": 1,
            "ReplicationGroupId": group.replication_group_id,
            "ARN": f"arn:aws:elasticache:{self.region}:{self.current_account}:cluster:{name}",
            "CacheParameterGroup": {"CacheParameterGroupName": group.cache_parameter_group_name},
            "SecurityGroups": [
                {"SecurityGroupId": one, "Status": "active"} for one in group.security_group_ids or []
            ],
            **{
                key: getattr(group, attribute)
                for key, attribute in {
                    "CacheNodeType": "cache_node_type",
                    "Engine": "engine",
                    "EngineVersion": "engine_version",
                    "CacheSubnetGroupName": "cache_subnet_group_name",
                    "PreferredMaintenanceWindow": "preferred_maintenance_window",
                    "TransitEncryptionEnabled": "transit_encryption_enabled",
                    "TransitEncryptionMode": "transit_encryption_mode",
                    "AutoMinorVersionUpgrade": "auto_minor_version_upgrade",
                    "AtRestEncryptionEnabled": "at_rest_encryption_enabled",
                    "SnapshotRetentionLimit": "snapshot_retention_limit",
                    "SnapshotWindow": "snapshot_window",
                }.items()
            },
        }
        return ActionResult({"CacheClusters": [cluster]})


class _NoParameterGroup(InvalidParameterValueException):  # type: ignore[misc]
    code = "CacheParameterGroupNotFound"


def extend() -> None:
    """Have moto's server answer so."""
    for urls, response in ((database_urls, _Rds), (cache_urls, _ElastiCache)):
        for path in urls.url_paths:
            urls.url_paths[path] = response.dispatch
