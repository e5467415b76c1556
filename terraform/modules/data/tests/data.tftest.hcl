mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_secretsmanager_secret_version" {
    defaults = { secret_string = "abcdefghijklmnopqrstuvwxyz" }
  }
}

variables {
  name                      = "modelserve-test"
  tags                      = { team = "serving" }
  vpc_id                    = "vpc-0123456789abcdef0"
  subnet_ids                = ["subnet-a", "subnet-b", "subnet-c"]
  client_security_group_ids = { cluster = "sg-0123456789abcdef0" }
  kms_key_arn               = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  log_kms_key_arn           = "arn:aws:kms:eu-central-1:123456789012:key/99999999-2222-3333-4444-555555555555"
  cache                     = { auth_token_secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:cache" }
}

run "the_database_is_closed_encrypted_and_kept" {
  command = plan

  assert {
    condition     = !aws_db_instance.this.publicly_accessible && aws_db_instance.this.multi_az && aws_db_instance.this.deletion_protection && !aws_db_instance.this.skip_final_snapshot && !aws_db_instance.this.delete_automated_backups && aws_db_instance.this.backup_retention_period == 14
    error_message = "The database is public, alone, or easily lost."
  }
  assert {
    condition = aws_db_instance.this.storage_encrypted && toset([
      aws_db_instance.this.kms_key_id, aws_db_instance.this.master_user_secret_kms_key_id, aws_db_instance.this.performance_insights_kms_key_id,
    ]) == toset([var.kms_key_arn])
    error_message = "Something of the database is not encrypted by the key."
  }
  assert {
    condition     = aws_db_instance.this.manage_master_user_password && aws_db_instance.this.password == null && aws_db_instance.this.iam_database_authentication_enabled
    error_message = "Somebody else than RDS knows the password, or pods cannot log in by their role."
  }
  assert {
    condition     = one([for parameter in aws_db_parameter_group.this.parameter : parameter.value if parameter.name == "rds.force_ssl"]) == "1" && aws_db_parameter_group.this.family == "postgres17"
    error_message = "The database takes connections without TLS."
  }
  assert {
    condition     = alltrue([for group in concat(values(aws_cloudwatch_log_group.database), [aws_cloudwatch_log_group.cache]) : group.kms_key_id == var.log_kms_key_arn && group.retention_in_days == 365])
    error_message = "Logs are not encrypted, or kept for ever."
  }
  assert {
    condition     = alltrue([for one in [aws_db_instance.this, aws_elasticache_replication_group.this, aws_iam_role.monitoring] : one.tags == tomap({ team = "serving" })])
    error_message = "Something has not the tags."
  }
}

run "the_cache_is_encrypted_wants_a_token_and_forgets_nothing" {
  command = plan

  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_enabled && aws_elasticache_replication_group.this.transit_encryption_mode == "required" && aws_elasticache_replication_group.this.auth_token == "abcdefghijklmnopqrstuvwxyz"
    error_message = "The cache takes clients without TLS or token."
  }
  assert {
    condition     = aws_elasticache_replication_group.this.at_rest_encryption_enabled && aws_elasticache_replication_group.this.kms_key_id == var.kms_key_arn
    error_message = "The cache's snapshots are not encrypted by the key."
  }
  assert {
    condition     = aws_elasticache_replication_group.this.num_cache_clusters == 2 && aws_elasticache_replication_group.this.automatic_failover_enabled && aws_elasticache_replication_group.this.multi_az_enabled
    error_message = "Nobody takes over from the cache."
  }
  assert {
    condition     = one(aws_elasticache_parameter_group.this.parameter).value == "noeviction" && output.cache_node_ids == ["modelserve-test-001", "modelserve-test-002"]
    error_message = "A full cache forgets runs, or has other names."
  }
}

run "only_the_clients_come_in_and_nothing_goes_out" {
  command = plan

  assert {
    condition = { for key, rule in aws_vpc_security_group_ingress_rule.this : key => [rule.from_port, rule.to_port, rule.referenced_security_group_id] } == {
      "database-cluster" = [5432, 5432, "sg-0123456789abcdef0"], "cache-cluster" = [6379, 6379, "sg-0123456789abcdef0"]
    }
    error_message = "Others come in, or to other ports."
  }
}

run "an_environment_to_throw_away" {
  command = plan

  variables {
    deletion_protection = false
    multi_zone          = false
  }

  assert {
    condition     = !aws_db_instance.this.deletion_protection && aws_db_instance.this.skip_final_snapshot && aws_db_instance.this.delete_automated_backups && aws_elasticache_replication_group.this.final_snapshot_identifier == null
    error_message = "Something of it stays."
  }
  assert {
    condition     = !aws_db_instance.this.multi_az && aws_elasticache_replication_group.this.num_cache_clusters == 1 && !aws_elasticache_replication_group.this.automatic_failover_enabled
    error_message = "A copy is paid that was not asked for."
  }
}

run "refuses_what_is_not_its_kind" {
  command = plan

  variables {
    name                      = "Modelserve"
    subnet_ids                = ["subnet-a", "subnet-a"]
    client_security_group_ids = {}
    kms_key_arn               = "alias/data"
    log_retention_days        = 2
    database                  = { version = "17.2", class = "t4g.medium", storage_gib = 10, backup_days = 0 }
    cache                     = { version = "8", type = "t4g.small", auth_token_secret_arn = "token" }
  }

  expect_failures = [
    var.name, var.subnet_ids, var.client_security_group_ids, var.kms_key_arn, var.log_retention_days, var.database, var.cache,
  ]
}
