output "bucket_names" {
  description = "Names of the buckets `models`, `data` and `logs`, once their policies stand."
  value       = { for kind, bucket in aws_s3_bucket.this : kind => bucket.id }
  # A load balancer tries to write to its logs' bucket when it is made.
  depends_on = [aws_s3_bucket_policy.this]
}

output "bucket_arns" {
  description = "ARNs of the buckets."
  value       = { for kind, bucket in aws_s3_bucket.this : kind => bucket.arn }
}

output "repository_urls" {
  description = "Addresses of the repositories, for `docker push`, by their names without `NAME/`."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.repository_url }
}

output "repository_arns" {
  description = "ARNs of the repositories, likewise."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.arn }
}
