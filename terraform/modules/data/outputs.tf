output "database_endpoint" {
  description = "Host of the database."
  value       = aws_db_instance.this.address
}

output "database_port" {
  description = "Port of the database."
  value       = aws_db_instance.this.port
}

output "database_name" {
  description = "Database that is there from the beginning."
  value       = aws_db_instance.this.db_name
}

output "database_secret_arn" {
  description = "Secret with the administrator's name and password, which RDS turns every seven days."
  value       = aws_db_instance.this.master_user_secret[0].secret_arn
}

output "database_identifier" {
  description = "Identifier of the database, for alarms."
  value       = aws_db_instance.this.identifier
}

output "database_resource_id" {
  description = "ID that rights to log in name (`rds-db:connect`)."
  value       = aws_db_instance.this.resource_id
}

output "cache_endpoint" {
  description = "Host that takes the cache's writes."
  value       = aws_elasticache_replication_group.this.primary_endpoint_address
}

output "cache_port" {
  description = "Port of the cache."
  value       = aws_elasticache_replication_group.this.port
}

output "cache_node_ids" {
  description = "Identifiers of the cache's nodes, for alarms."
  value       = [for number in range(var.multi_zone ? 2 : 1) : format("%s-%03d", var.name, number + 1)]
}
