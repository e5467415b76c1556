output "cluster_name" {
  description = "Name of the cluster."
  value       = aws_eks_cluster.this.name
}

output "cluster_arn" {
  description = "ARN of the cluster."
  value       = aws_eks_cluster.this.arn
}

output "cluster_endpoint" {
  description = "URL of the API server."
  value       = aws_eks_cluster.this.endpoint
}

output "cluster_ca_certificate" {
  description = "Certificate of the API server's authority, in base64."
  value       = aws_eks_cluster.this.certificate_authority[0].data
}

output "cluster_security_group_id" {
  description = "Security group of the control plane and all nodes; databases open to it, and callers of a private API server are let in here."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}

output "oidc_provider_arn" {
  description = "IAM OIDC provider of the cluster, for roles by IRSA."
  value       = aws_iam_openid_connect_provider.cluster.arn
}

output "node_role_arn" {
  description = "Role of the managed node groups' machines."
  value       = aws_iam_role.node.arn
}

output "node_group_autoscaling_groups" {
  description = "Auto Scaling groups of the node groups by their keys, for alarms."
  value       = { for key, group in aws_eks_node_group.this : key => group.resources[0].autoscaling_groups[0].name }
}

output "log_group_name" {
  description = "CloudWatch log group of the control plane."
  value       = aws_cloudwatch_log_group.cluster.name
}

output "karpenter_queue_name" {
  description = "Queue of interruptions: `settings.interruptionQueue` of Karpenter's chart."
  value       = aws_sqs_queue.karpenter.name
}

output "karpenter_instance_profile" {
  description = "Instance profile for `spec.instanceProfile` of an EC2NodeClass."
  value       = aws_iam_instance_profile.karpenter_node.name
}
