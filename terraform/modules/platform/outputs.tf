output "manifests" {
  description = "YAML of all that the cluster gets, for the folder `git.path`: Argo CD's Applications of the charts and of the models, Knative, Karpenter's machines, the gateway's binding and the store of secrets."
  value       = join("---\n", [for object in local.objects : yamlencode(object)])
}

output "charts" {
  description = "Version of each chart that `chart_repository` has to hold."
  value       = { for name, chart in local.charts : name => chart.version }
}

output "versions" {
  description = "Version of each part of the platform."
  value       = local.versions
}
