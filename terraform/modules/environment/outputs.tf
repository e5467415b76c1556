output "cluster_name" {
  description = "Name of the cluster, for `aws eks update-kubeconfig`."
  value       = module.cluster.cluster_name
}

output "platform" {
  description = "Manifests of all that the cluster gets, for the folder `clusters/ENVIRONMENT` in Git."
  value       = module.platform.manifests
}

output "charts" {
  description = "Charts, and their versions, that `chart_repository` has to hold."
  value       = module.platform.charts
}

output "chart_repository" {
  description = "Where the charts are pushed to."
  value       = "oci://${local.registry}/charts"
}

output "repository_urls" {
  description = "Where images are pushed to, by their names."
  value       = { for image in var.images : image => module.storage.repository_urls[image] }
}

output "bucket_names" {
  description = "Names of the buckets `models`, `data` and `logs`."
  value       = module.storage.bucket_names
}

output "database" {
  description = "Host, port and name of the database, and the secret of its administrator."
  value = {
    host       = module.data.database_endpoint
    port       = module.data.database_port
    name       = module.data.database_name
    secret_arn = module.data.database_secret_arn
  }
}

output "cache" {
  description = "Host and port of the cache, and the secret with its token."
  value = {
    host       = module.data.cache_endpoint
    port       = module.data.cache_port
    secret_arn = module.secrets.secret_arns["cache"]
  }
}

output "github_role_arns" {
  description = "Roles of GitHub's jobs."
  value       = module.identity.github_role_arns
}

output "prometheus_endpoint" {
  description = "Address of the managed Prometheus; null without it."
  value       = module.observability.prometheus_endpoint
}
