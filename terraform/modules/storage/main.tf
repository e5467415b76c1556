data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.name

  # The names of all accounts' buckets are one namespace.
  bucket_names = { for kind in ["models", "data", "logs"] : kind => "${var.name}-${kind}-${local.account}" }
  # Of the names, so that policies can be read before the buckets are there.
  bucket_arns = { for kind, name in local.bucket_names : kind => "arn:${local.partition}:s3:::${name}" }
  # Neither load balancers nor S3 itself write logs to a bucket with a key of ours.
  encrypted = ["models", "data"]
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_144:Models are in Git's releases or made again; a second region is a decision of its own
  #checkov:skip=CKV_AWS_18:The bucket for logs would log itself; the others do
  #checkov:skip=CKV_AWS_19:Each is encrypted below; a choice between two ways is not followed
  #checkov:skip=CKV_AWS_145:The bucket for logs: those who write them know no key of ours
  #checkov:skip=CKV2_AWS_62:Nobody waits for an object
  for_each = local.bucket_names

  bucket        = each.value
  force_destroy = var.force_destroy

  tags = var.tags
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.bucket_names

  bucket                  = aws_s3_bucket.this[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.bucket_names

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.bucket_names

  bucket = aws_s3_bucket.this[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.bucket_names

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    # One data key for many objects: KMS is paid by the call.
    bucket_key_enabled = contains(local.encrypted, each.key)

    apply_server_side_encryption_by_default {
      sse_algorithm     = contains(local.encrypted, each.key) ? "aws:kms" : "AES256"
      kms_master_key_id = contains(local.encrypted, each.key) ? var.kms_key_arn : null
    }
  }
}

resource "aws_s3_bucket_logging" "this" {
  for_each = toset(local.encrypted)

  bucket        = aws_s3_bucket.this[each.key].id
  target_bucket = aws_s3_bucket.this["logs"].id
  target_prefix = "s3/${each.key}/"

  # S3 tries the bucket when it is named.
  depends_on = [aws_s3_bucket_policy.this]
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.bucket_names

  bucket = aws_s3_bucket.this[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "TlsOnly"
          Effect    = "Deny"
          Principal = { AWS = "*" }
          Action    = "s3:*"
          Resource  = [local.bucket_arns[each.key], "${local.bucket_arns[each.key]}/*"]
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
        {
          Sid       = "Tls12Only"
          Effect    = "Deny"
          Principal = { AWS = "*" }
          Action    = "s3:*"
          Resource  = [local.bucket_arns[each.key], "${local.bucket_arns[each.key]}/*"]
          Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
        },
      ],
      local.statements[each.key],
    )
  })

  depends_on = [aws_s3_bucket_public_access_block.this]
}

locals {
  # An upload that says nothing gets the bucket's key; one that names another way or key is refused.
  own_key_only = { for kind in local.encrypted : kind => [
    {
      Sid       = "NoOtherEncryption"
      Effect    = "Deny"
      Principal = { AWS = "*" }
      Action    = "s3:PutObject"
      Resource  = "${local.bucket_arns[kind]}/*"
      Condition = {
        Null            = { "s3:x-amz-server-side-encryption" = "false" }
        StringNotEquals = { "s3:x-amz-server-side-encryption" = "aws:kms" }
      }
    },
    {
      Sid       = "NoOtherKey"
      Effect    = "Deny"
      Principal = { AWS = "*" }
      Action    = "s3:PutObject"
      Resource  = "${local.bucket_arns[kind]}/*"
      Condition = {
        Null            = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = "false" }
        StringNotEquals = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = var.kms_key_arn }
      }
    },
  ] }

  # Each bucket's log goes to its own prefix.
  log_delivery = concat([for kind in local.encrypted : {
    Sid       = "${title(kind)}Logs"
    Effect    = "Allow"
    Principal = { Service = "logging.s3.amazonaws.com" }
    Action    = "s3:PutObject"
    Resource  = "${local.bucket_arns["logs"]}/s3/${kind}/*"
    Condition = {
      ArnEquals    = { "aws:SourceArn" = local.bucket_arns[kind] }
      StringEquals = { "aws:SourceAccount" = local.account }
    }
    }], [
    {
      Sid       = "LoadBalancersLog"
      Effect    = "Allow"
      Principal = { Service = "logdelivery.elasticloadbalancing.amazonaws.com" }
      Action    = "s3:PutObject"
      # The second part is the load balancers' own.
      Resource  = "${local.bucket_arns["logs"]}/load-balancers/AWSLogs/${local.account}/*"
      Condition = { ArnLike = { "aws:SourceArn" = "arn:${local.partition}:elasticloadbalancing:${local.region}:${local.account}:loadbalancer/*" } }
    },
  ])
  statements = merge(local.own_key_only, { logs = local.log_delivery })
}
