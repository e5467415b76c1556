locals {
  # What is kept, by prefix; an old version goes with its object, but for models, which are to be had back.
  lifecycles = {
    models = [{ id = "old-models", prefix = "", expire = null, move = null, old = var.days.old_models }]
    data = [
      { id = "requests", prefix = "requests/", expire = var.days.requests, move = null, old = 1 },
      { id = "reports", prefix = "reports/", expire = var.days.reports, move = 30, old = 1 },
    ]
    logs = [{ id = "logs", prefix = "", expire = var.days.logs, move = null, old = 1 }]
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = local.lifecycles

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    id     = "unfinished-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  dynamic "rule" {
    for_each = each.value

    content {
      id     = rule.value.id
      status = "Enabled"

      filter {
        prefix = rule.value.prefix
      }

      noncurrent_version_expiration {
        noncurrent_days = rule.value.old
      }

      dynamic "expiration" {
        for_each = rule.value.expire == null ? [] : [rule.value.expire]

        content {
          days = expiration.value
        }
      }

      dynamic "transition" {
        for_each = rule.value.move == null ? [] : [rule.value.move]

        content {
          days          = transition.value
          storage_class = "STANDARD_IA"
        }
      }
    }
  }

  # Rules about old versions want versions.
  depends_on = [aws_s3_bucket_versioning.this]
}
