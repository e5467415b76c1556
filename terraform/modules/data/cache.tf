data "aws_secretsmanager_secret_version" "auth_token" {
  secret_id = var.cache.auth_token_secret_arn
}

resource "aws_elasticache_subnet_group" "this" {
  name        = var.name
  description = "Cache of ${var.name}"
  subnet_ids  = var.subnet_ids

  tags = var.tags
}

resource "aws_elasticache_parameter_group" "this" {
  name        = "${var.name}-valkey${split(".", var.cache.version)[0]}"
  description = "Cache of ${var.name}"
  family      = "valkey${split(".", var.cache.version)[0]}"

  # It holds queues: what is full refuses a write, and forgets nothing that it took.
  parameter {
    name  = "maxmemory-policy"
    value = "noeviction"
  }

  tags = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_log_group" "cache" {
  #checkov:skip=CKV_AWS_338:A year unless the caller says less, as environments do where nobody looks back so far
  name              = "/aws/elasticache/${var.name}/slow-log"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn

  tags = var.tags
}

resource "aws_elasticache_replication_group" "this" {
  #checkov:skip=CKV2_AWS_50:Another zone takes over unless an environment saves it
  replication_group_id = var.name
  description          = "Queues and caches of ${var.name}"
  engine               = "valkey"
  engine_version       = var.cache.version
  node_type            = var.cache.type
  port                 = local.ports.cache
  parameter_group_name = aws_elasticache_parameter_group.this.name

  num_cache_clusters         = var.multi_zone ? 2 : 1
  automatic_failover_enabled = var.multi_zone
  multi_az_enabled           = var.multi_zone

  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  auth_token                 = data.aws_secretsmanager_secret_version.auth_token.secret_string
  # With ROTATE the old token is good until clients have the new one.
  auth_token_update_strategy = "ROTATE"
  at_rest_encryption_enabled = true
  kms_key_id                 = var.kms_key_arn

  subnet_group_name  = aws_elasticache_subnet_group.this.name
  security_group_ids = [aws_security_group.this["cache"].id]

  snapshot_retention_limit   = var.cache.snapshot_days
  snapshot_window            = "01:00-02:00"
  maintenance_window         = "sun:03:00-sun:04:00"
  auto_minor_version_upgrade = true
  final_snapshot_identifier  = var.deletion_protection ? "${var.name}-final" : null

  log_delivery_configuration {
    destination      = aws_cloudwatch_log_group.cache.name
    destination_type = "cloudwatch-logs"
    log_format       = "json"
    log_type         = "slow-log"
  }

  tags = var.tags
}
