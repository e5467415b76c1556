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
}

variables {
  name         = "modelserve-test"
  tags         = { team = "serving" }
  kms_key_arn  = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  repositories = ["bert-ner", "charts/karpenter"]
}

run "buckets_are_closed_encrypted_and_versioned" {
  command = plan

  assert {
    condition = { for kind, bucket in aws_s3_bucket.this : kind => bucket.bucket } == {
      models = "modelserve-test-models-123456789012", data = "modelserve-test-data-123456789012", logs = "modelserve-test-logs-123456789012",
    } && alltrue([for bucket in aws_s3_bucket.this : bucket.tags == tomap({ team = "serving" }) && !bucket.force_destroy])
    error_message = "A bucket has not its name or tags, or is deleted with what is in it."
  }
  assert {
    condition = keys(aws_s3_bucket_public_access_block.this) == keys(aws_s3_bucket.this) && alltrue([
      for block in aws_s3_bucket_public_access_block.this : block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets
    ])
    error_message = "A bucket can be made public."
  }
  assert {
    condition = { for kind, found in aws_s3_bucket_server_side_encryption_configuration.this : kind => one([for rule in found.rule : coalesce(rule.apply_server_side_encryption_by_default[0].kms_master_key_id, "its own")]) } == {
      models = var.kms_key_arn, data = var.kms_key_arn, logs = "its own"
    }
    error_message = "A bucket for models or data is not encrypted by the key."
  }
  assert {
    condition     = alltrue([for one in aws_s3_bucket_versioning.this : one.versioning_configuration[0].status == "Enabled"]) && alltrue([for one in aws_s3_bucket_ownership_controls.this : one.rule[0].object_ownership == "BucketOwnerEnforced"])
    error_message = "A bucket has no versions, or objects of others."
  }
  assert {
    condition     = keys(aws_s3_bucket_logging.this) == ["data", "models"]
    error_message = "Nobody sees who read a model."
  }
}

run "policies_want_tls_and_the_key_and_let_in_who_writes_logs" {
  command = plan

  assert {
    condition = alltrue([for kind, one in aws_s3_bucket_policy.this : length([
      for statement in jsondecode(one.policy).Statement : statement
      if statement.Effect == "Deny" && statement.Action == "s3:*" && contains(flatten([statement.Resource]), "arn:aws:s3:::modelserve-test-${kind}-123456789012/*")
    ]) == 2])
    error_message = "A bucket takes calls without TLS 1.2."
  }
  assert {
    condition = alltrue([for kind in ["models", "data"] : toset([
      for statement in jsondecode(aws_s3_bucket_policy.this[kind].policy).Statement : statement.Sid if statement.Effect == "Deny" && statement.Action == "s3:PutObject"
    ]) == toset(["NoOtherEncryption", "NoOtherKey"])])
    error_message = "A bucket takes objects that its key does not encrypt."
  }
  assert {
    condition = { for kind, one in aws_s3_bucket_policy.this : kind => [
      for statement in jsondecode(one.policy).Statement : [statement.Principal.Service, statement.Resource] if statement.Effect == "Allow"
      ] } == {
      models = []
      data   = []
      logs = [
        ["logging.s3.amazonaws.com", "arn:aws:s3:::modelserve-test-logs-123456789012/s3/models/*"],
        ["logging.s3.amazonaws.com", "arn:aws:s3:::modelserve-test-logs-123456789012/s3/data/*"],
        ["logdelivery.elasticloadbalancing.amazonaws.com", "arn:aws:s3:::modelserve-test-logs-123456789012/load-balancers/AWSLogs/123456789012/*"],
      ]
    }
    error_message = "Others are let in, or elsewhere."
  }
}

run "what_grows_is_taken_away" {
  command = plan

  assert {
    condition = { for kind, one in aws_s3_bucket_lifecycle_configuration.this : kind => { for rule in one.rule : rule.id => [
      rule.filter[0].prefix, try(rule.expiration[0].days, 0), try(rule.noncurrent_version_expiration[0].noncurrent_days, 0),
      ] if rule.id != "unfinished-uploads" } } == {
      models = { old-models = ["", 0, 90] }
      data   = { requests = ["requests/", 30, 1], reports = ["reports/", 365, 1] }
      logs   = { logs = ["", 365, 1] }
    }
    error_message = "Something is kept for ever, or a model is not."
  }
  assert {
    condition     = alltrue([for one in aws_s3_bucket_lifecycle_configuration.this : anytrue([for rule in one.rule : try(rule.abort_incomplete_multipart_upload[0].days_after_initiation == 7, false)])])
    error_message = "Parts of uploads are kept for ever."
  }
}

run "repositories_keep_their_tags_and_are_scanned" {
  command = plan

  assert {
    condition = toset([for one in aws_ecr_repository.this : one.name]) == toset(["modelserve-test/bert-ner", "modelserve-test/charts/karpenter"]) && alltrue([
      for one in aws_ecr_repository.this : one.image_tag_mutability == "IMMUTABLE" && one.image_scanning_configuration[0].scan_on_push && !one.force_delete &&
      one.encryption_configuration[0].encryption_type == "KMS" && one.encryption_configuration[0].kms_key == var.kms_key_arn
    ])
    error_message = "A repository has not its name, lets tags move, is not scanned or not encrypted by the key."
  }
  assert {
    condition     = alltrue([for one in aws_ecr_lifecycle_policy.this : [for rule in jsondecode(one.policy).rules : rule.selection.countNumber] == [7, 50]])
    error_message = "A repository keeps all images for ever."
  }
}

run "an_environment_to_throw_away" {
  command = plan

  variables {
    force_destroy = true
  }

  assert {
    condition     = alltrue([for bucket in aws_s3_bucket.this : bucket.force_destroy]) && alltrue([for one in aws_ecr_repository.this : one.force_delete])
    error_message = "A bucket or a repository stays."
  }
}

run "refuses_what_is_not_its_kind" {
  command = plan

  variables {
    name         = "m"
    kms_key_arn  = "alias/data"
    repositories = ["Bert"]
    kept_images  = 1
    days         = { reports = 30 }
  }

  expect_failures = [var.name, var.kms_key_arn, var.repositories, var.kept_images, var.days]
}
