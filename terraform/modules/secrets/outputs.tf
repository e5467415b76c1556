output "key_arns" {
  description = "ARNs of the keys by their purposes."
  value       = { for purpose, key in aws_kms_key.this : purpose => key.arn }
}

output "secret_arns" {
  description = "ARNs of the secrets by their names, once those that are generated have a value."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.arn }
  depends_on  = [aws_secretsmanager_secret_version.this]
}
