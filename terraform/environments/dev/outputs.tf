output "cluster_name" {
  description = "Name of the cluster, for `aws eks update-kubeconfig`."
  value       = module.environment.cluster_name
}

output "platform" {
  description = "Manifests of all that the cluster gets, for the folder that it follows in Git."
  value       = module.environment.platform
}

output "charts" {
  description = "Charts, and their versions, that `chart_repository` has to hold."
  value       = module.environment.charts
}

output "chart_repository" {
  description = "Where the charts are pushed to."
  value       = module.environment.chart_repository
}

output "repository_urls" {
  description = "Where images are pushed to, by their names."
  value       = module.environment.repository_urls
}

output "bucket_names" {
  description = "Names of the buckets `models`, `data` and `logs`."
  value       = module.environment.bucket_names
}

output "database" {
  description = "Host, port and name of the database, and the secret of its administrator."
  value       = module.environment.database
}

output "cache" {
  description = "Host and port of the cache, and the secret with its token."
  value       = module.environment.cache
}

output "github_role_arns" {
  description = "Roles of GitHub's jobs."
  value       = module.environment.github_role_arns
}

output "prometheus_endpoint" {
  description = "Address of the managed Prometheus; null without it."
  value       = module.environment.prometheus_endpoint
}
