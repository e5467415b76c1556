data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.name

  # What each service says of itself in a call to KMS, so that it uses the key for this account alone.
  services = {
    logs = {
      principal = "logs.${local.region}.amazonaws.com"
      condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${local.region}:${local.account}:*" } }
    }
    cloudwatch = { principal = "cloudwatch.amazonaws.com", condition = local.own_account }
    budgets    = { principal = "budgets.amazonaws.com", condition = local.own_account }
    costalerts = { principal = "costalerts.amazonaws.com", condition = local.own_account }
  }
  own_account = { StringEquals = { "aws:SourceAccount" = local.account } }

  # Of the names of what they are for, so that policies can be read before anything is there.
  generated = { for name, secret in var.secrets : name => secret if secret.generate }
  # By its days: the function may be made in the same run, and its ARN is not known before.
  rotated = { for name, secret in var.secrets : name => secret if secret.rotation_days != null }
}

resource "aws_kms_key" "this" {
  for_each = var.keys

  description             = "${var.name}: ${each.value.description}"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          # Without it a key can be made that nobody may use or delete. Who may use it is said by IAM.
          Sid       = "AccountDecidesByIam"
          Effect    = "Allow"
          Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
          Action    = "kms:*"
          Resource  = "*"
        },
      ],
      [for service in sort(tolist(each.value.services)) : {
        Sid       = "${title(service)}Encrypts"
        Effect    = "Allow"
        Principal = { Service = local.services[service].principal }
        # A group of logs keeps its key's data keys, and asks for the key's description.
        Action    = service == "logs" ? ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"] : ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
        Condition = local.services[service].condition
      }],
    )
  })

  tags = merge(var.tags, { Name = "${var.name}-${each.key}" })
}

resource "aws_kms_alias" "this" {
  for_each = var.keys

  name          = "alias/${var.name}-${each.key}"
  target_key_id = aws_kms_key.this[each.key].key_id
}

resource "aws_secretsmanager_secret" "this" {
  for_each = var.secrets

  name                    = "${var.name}/${each.key}"
  description             = each.value.description
  kms_key_id              = aws_kms_key.this[each.value.key].arn
  recovery_window_in_days = var.recovery_window_days

  tags = var.tags

  lifecycle {
    precondition {
      condition     = contains(keys(var.keys), each.value.key)
      error_message = "Secret ${each.key} is to be encrypted by ${each.value.key}; keys has ${join(", ", keys(var.keys))}."
    }
  }
}

resource "aws_secretsmanager_secret_policy" "this" {
  for_each = var.secrets

  secret_arn          = aws_secretsmanager_secret.this[each.key].arn
  block_public_policy = true

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "secretsmanager:*"
        Resource  = "*"
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "OwnAccountOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "secretsmanager:GetSecretValue"
        Resource  = "*"
        Condition = { StringNotEquals = { "aws:PrincipalAccount" = local.account } }
      },
    ]
  })
}

data "aws_secretsmanager_random_password" "this" {
  for_each = local.generated

  password_length     = 48
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret_version" "this" {
  for_each = local.generated

  secret_id     = aws_secretsmanager_secret.this[each.key].id
  secret_string = data.aws_secretsmanager_random_password.this[each.key].random_password

  lifecycle {
    # The next plan draws another one, and a rotation writes its own.
    ignore_changes = [secret_string]
  }
}

resource "aws_secretsmanager_secret_rotation" "this" {
  #checkov:skip=CKV_AWS_304:The days are the caller's, whom checkov does not see
  for_each = local.rotated

  secret_id           = aws_secretsmanager_secret.this[each.key].id
  rotation_lambda_arn = each.value.rotation_lambda_arn

  rotation_rules {
    automatically_after_days = each.value.rotation_days
  }

  # It turns the value at once: the first one would come after, and be the one that counts.
  depends_on = [aws_secretsmanager_secret_version.this]
}
