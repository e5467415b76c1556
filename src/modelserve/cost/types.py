"""Types of resources that cost nothing by existing: they are free, or paid by what passes through them."""

from __future__ import annotations

from dataclasses import dataclass

from modelserve.cost.lines import Group


@dataclass(frozen=True, slots=True)
class Usage:
    """Something that is paid by use; how much of it there is, the user says or nobody.

    Attributes:
        item: of the price file.
        group: that it is told under.
        what: it is.
        unit: that it is paid by.
        types: of resources that it is paid for.
    """

    item: str
    group: Group
    what: str
    unit: str
    types: frozenset[str]


def _usage(item: str, group: Group, what: str, unit: str, *types: str) -> Usage:
    return Usage(item, group, what, unit, frozenset(types))


USAGE = {
    "nat_gb": _usage("nat_gateway_gb", Group.NETWORK, "data through NAT gateways", "GB", "aws_nat_gateway"),
    "endpoint_gb": _usage(
        "interface_endpoint_gb", Group.NETWORK, "data through interface endpoints", "GB", "aws_vpc_endpoint"
    ),
    "lcu_hours": _usage(
        "load_balancer_lcu_hour",
        Group.EDGE,
        "capacity units of load balancers",
        "LCU hours",
        "aws_lb",
        "aws_alb",
    ),
    "waf_million_requests": _usage(
        "waf_million_requests", Group.EDGE, "requests that web ACLs see", "million", "aws_wafv2_web_acl"
    ),
    "s3_gb": _usage("s3_standard_gb", Group.DATA, "objects in S3, standard class", "GB", "aws_s3_bucket"),
    "ecr_gb": _usage("ecr_gb", Group.DATA, "images in ECR", "GB", "aws_ecr_repository"),
    "log_gb": _usage(
        "log_gb", Group.WATCHING, "logs taken in by CloudWatch", "GB", "aws_cloudwatch_log_group"
    ),
    "prometheus_million_samples": _usage(
        "prometheus_million_samples",
        Group.WATCHING,
        "samples taken in by Prometheus",
        "million",
        "aws_prometheus_workspace",
    ),
}
"""By the names that ``--usage`` takes; S3 and ECR are GB kept for the month, all else is of the month."""

ALWAYS_LEFT_OUT = (
    "traffic to the internet, between zones and between regions",
    "support plans, taxes, free tiers, discounts, reservations and savings plans",
)

LEFT_OUT = {
    "aws_cloudwatch_event_rule": "events that rules match",
    "aws_cloudwatch_log_group": "logs that are kept",
    "aws_db_instance": "database storage that grows, larger backups, more I/O, insights beyond 7 days",
    "aws_dynamodb_table": "requests to tables, and what they keep",
    "aws_ecr_repository": "scans of images",
    "aws_eks_cluster": "machines of Karpenter, and volumes and load balancers that the cluster makes itself",
    "aws_elasticache_replication_group": "snapshots of caches",
    "aws_kms_key": "calls to KMS, and earlier material of keys that rotated",
    "aws_lambda_function": "runs of functions",
    "aws_prometheus_workspace": "samples that are kept and queried",
    "aws_route53_record": "DNS queries",
    "aws_s3_bucket": "requests to S3, and classes other than standard",
    "aws_secretsmanager_secret": "calls to Secrets Manager",
    "aws_sns_topic": "notifications",
    "aws_sqs_queue": "messages of queues",
}
"""What is not in an estimate, by the type whose presence makes it matter."""

_FREE = """
aws_acm_certificate aws_acm_certificate_validation aws_autoscaling_group_tag aws_autoscaling_policy
aws_autoscaling_schedule aws_budgets_budget aws_ce_anomaly_monitor aws_ce_anomaly_subscription
aws_cloudwatch_event_target aws_cloudwatch_log_data_protection_policy aws_cloudwatch_log_group
aws_cloudwatch_log_resource_policy aws_cloudwatch_log_stream aws_db_option_group aws_db_parameter_group
aws_db_subnet_group aws_default_network_acl aws_default_route_table aws_default_security_group
aws_ebs_encryption_by_default aws_ec2_tag aws_ecr_lifecycle_policy aws_ecr_registry_scanning_configuration
aws_ecr_repository aws_ecr_repository_policy aws_eip_association aws_eks_access_entry
aws_eks_access_policy_association aws_eks_addon aws_eks_identity_provider_config aws_eks_node_group
aws_eks_pod_identity_association aws_elasticache_parameter_group aws_elasticache_subnet_group
aws_elasticache_user aws_elasticache_user_group aws_elasticache_user_group_association aws_flow_log
aws_iam_access_key aws_iam_account_password_policy aws_iam_group aws_iam_instance_profile
aws_iam_openid_connect_provider aws_iam_policy aws_iam_policy_attachment aws_iam_role
aws_iam_role_policies_exclusive
aws_iam_role_policy aws_iam_role_policy_attachment aws_iam_role_policy_attachments_exclusive
aws_iam_service_linked_role aws_iam_user aws_iam_user_policy aws_internet_gateway aws_kms_alias aws_kms_grant
aws_kms_key_policy aws_lambda_permission aws_launch_template aws_lb_listener aws_lb_listener_certificate
aws_lb_listener_rule aws_lb_target_group aws_lb_target_group_attachment aws_main_route_table_association
aws_network_acl aws_network_acl_rule aws_placement_group aws_prometheus_alert_manager_definition
aws_prometheus_rule_group_namespace aws_prometheus_workspace aws_prometheus_workspace_configuration aws_route
aws_route53_record aws_route_table aws_route_table_association aws_s3_bucket
aws_s3_bucket_lifecycle_configuration aws_s3_bucket_logging aws_s3_bucket_notification
aws_s3_bucket_object_lock_configuration aws_s3_bucket_ownership_controls aws_s3_bucket_policy
aws_s3_bucket_public_access_block aws_s3_bucket_server_side_encryption_configuration aws_s3_bucket_versioning
aws_secretsmanager_secret_policy aws_secretsmanager_secret_rotation aws_secretsmanager_secret_version
aws_security_group aws_security_group_rule aws_sns_topic aws_sns_topic_policy aws_sns_topic_subscription
aws_sqs_queue aws_sqs_queue_policy aws_subnet aws_vpc aws_vpc_dhcp_options aws_vpc_dhcp_options_association
aws_vpc_endpoint_policy aws_vpc_security_group_egress_rule aws_vpc_security_group_ingress_rule
aws_wafv2_ip_set aws_wafv2_regex_pattern_set aws_wafv2_web_acl_association
aws_wafv2_web_acl_logging_configuration aws_cloudwatch_event_rule aws_dynamodb_table aws_lambda_function
null_resource random_bytes random_id random_password random_pet random_string terraform_data time_offset
time_rotating time_sleep time_static tls_private_key tls_self_signed_cert
"""

FREE = frozenset(_FREE.split())
"""Types with no price of their own by time, and node groups, which are reckoned by themselves."""
