output "topic_arn" {
  description = "Topic of the notices, for alarms of others and for chats."
  value       = aws_sns_topic.this.arn
}

output "log_group_names" {
  description = "Names of the groups of logs by their keys."
  value       = { for key, group in aws_cloudwatch_log_group.this : key => group.name }
}

output "prometheus_endpoint" {
  description = "Address of the managed Prometheus, to which `api/v1/remote_write` is added; null without it."
  value       = one(aws_prometheus_workspace.this[*].prometheus_endpoint)
}

output "prometheus_arn" {
  description = "ARN of the managed Prometheus, for the rights of who writes to it (`aps:RemoteWrite`); null without it."
  value       = one(aws_prometheus_workspace.this[*].arn)
}
