output "workload_role_arns" {
  description = "ARNs of the workloads' roles by the keys of `workloads`; with `irsa` the service account carries it as `eks.amazonaws.com/role-arn`."
  value       = { for key, role in aws_iam_role.workload : key => role.arn }
}

output "github_role_arns" {
  description = "ARNs of the roles for GitHub Actions, of `plan`, `apply` and `push` those that exist."
  value       = { for key, role in aws_iam_role.github : key => role.arn }
}

output "github_provider_arn" {
  description = "ARN of GitHub's OIDC provider, for other environments in the account; null without subjects."
  value       = local.github_provider_arn
}
