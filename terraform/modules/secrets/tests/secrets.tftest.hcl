mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555", key_id = "11111111-2222-3333-4444-555555555555" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mock", id = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mock" }
  }
}

variables {
  name = "modelserve-test"
  tags = { team = "serving" }
  keys = {
    logs   = { description = "Groups of logs", services = ["logs"] }
    data   = { description = "Databases" }
    alarms = { description = "Notices", services = ["cloudwatch", "budgets", "costalerts"] }
  }
  secrets = {
    cache = { description = "Token of the cache", key = "data", generate = true }
    login = { description = "Client of the issuer", key = "data", rotation_lambda_arn = "arn:aws:lambda:eu-central-1:123456789012:function:turn", rotation_days = 7 }
  }
}

run "keys_are_turned_named_and_for_their_services_only" {
  assert {
    condition     = alltrue([for purpose, key in aws_kms_key.this : key.enable_key_rotation && key.deletion_window_in_days == 30 && key.tags == tomap({ team = "serving", Name = "modelserve-test-${purpose}" })])
    error_message = "A key is not turned, too easily lost, or without its name."
  }
  assert {
    condition     = toset([for alias in aws_kms_alias.this : alias.name]) == toset(["alias/modelserve-test-logs", "alias/modelserve-test-data", "alias/modelserve-test-alarms"])
    error_message = "Aliases are the names with their purposes."
  }
  assert {
    condition = { for purpose, key in aws_kms_key.this : purpose => [
      for statement in jsondecode(key.policy).Statement : values(statement.Principal)[0]
      ] } == {
      logs   = ["arn:aws:iam::123456789012:root", "logs.eu-central-1.amazonaws.com"]
      data   = ["arn:aws:iam::123456789012:root"]
      alarms = ["arn:aws:iam::123456789012:root", "budgets.amazonaws.com", "cloudwatch.amazonaws.com", "costalerts.amazonaws.com"]
    }
    error_message = "A key lets in others than the account and its services."
  }
  assert {
    condition = alltrue(flatten([for key in aws_kms_key.this : [
      for statement in jsondecode(key.policy).Statement : can(statement.Condition) && !contains(tolist(statement.Action), "kms:*")
      if can(statement.Principal.Service)
    ]]))
    error_message = "A service uses a key for other accounts, or for anything."
  }
}

run "secrets_are_encrypted_and_kept_to_the_account" {
  assert {
    condition     = alltrue([for name, secret in aws_secretsmanager_secret.this : secret.name == "modelserve-test/${name}" && secret.kms_key_id == aws_kms_key.this["data"].arn && secret.recovery_window_in_days == 30])
    error_message = "A secret has not its name, its key or its days of grace."
  }
  assert {
    condition = alltrue([for policy in aws_secretsmanager_secret_policy.this : policy.block_public_policy && anytrue([
      for statement in jsondecode(policy.policy).Statement : statement.Effect == "Deny" && try(statement.Condition.StringNotEquals["aws:PrincipalAccount"], "") == "123456789012"
    ])])
    error_message = "Another account could be given a secret."
  }
  assert {
    condition = alltrue([for policy in aws_secretsmanager_secret_policy.this : anytrue([
      for statement in jsondecode(policy.policy).Statement : statement.Effect == "Deny" && statement.Action == "secretsmanager:*" && try(statement.Condition.Bool["aws:SecureTransport"], "") == "false"
    ])])
    error_message = "A secret is given without TLS."
  }
  assert {
    condition     = keys(aws_secretsmanager_secret_version.this) == ["cache"] && keys(aws_secretsmanager_secret_rotation.this) == ["login"] && aws_secretsmanager_secret_rotation.this["login"].rotation_rules[0].automatically_after_days == 7
    error_message = "A value is made, or turned, where it was not asked for."
  }
}

run "refuses_what_is_not_its_kind" {
  command = plan

  variables {
    name                 = "modelserve_test"
    keys                 = { Data = { description = "x", services = ["s3"] } }
    secrets              = { "a/b" = { description = "x", key = "data", rotation_days = 0, rotation_lambda_arn = "turn" } }
    recovery_window_days = 3
  }

  expect_failures = [var.name, var.keys, var.secrets, var.recovery_window_days]
}

run "refuses_a_rotation_that_nobody_does" {
  command = plan

  variables {
    secrets = { cache = { description = "Token of the cache", key = "data", rotation_days = 7 } }
  }

  expect_failures = [var.secrets]
}

run "refuses_a_secret_of_an_unknown_key" {
  command = plan

  variables {
    secrets = { cache = { description = "Token of the cache", key = "nothing" } }
  }

  expect_failures = [aws_secretsmanager_secret.this]
}
