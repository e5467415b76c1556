# A cluster with every kind of node group that the module knows, on a network of its own.
terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 6.0"
    }
  }
}

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.name
}

resource "aws_kms_key" "this" {
  for_each = toset(["logs", "secrets"])

  description             = "modelserve-dev: ${each.key}"
  enable_key_rotation     = true
  deletion_window_in_days = 7

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "AccountDecidesByIam"
          Effect    = "Allow"
          Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
          Action    = "kms:*"
          Resource  = "*"
        },
      ],
      each.key != "logs" ? [] : [
        {
          Sid       = "LogsEncrypt"
          Effect    = "Allow"
          Principal = { Service = "logs.${local.region}.amazonaws.com" }
          Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
          Resource  = "*"
          Condition = {
            ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${local.region}:${local.account}:*" }
          }
        },
      ],
    )
  })
}

module "network" {
  source = "../../../network"

  name               = "modelserve-dev"
  availability_zones = [for letter in ["a", "b", "c"] : "${local.region}${letter}"]
  log_kms_key_arn    = aws_kms_key.this["logs"].arn
}

module "cluster" {
  source = "../.."

  name                     = "modelserve-dev"
  kubernetes_version       = "1.35"
  subnet_ids               = module.network.private_subnet_ids
  control_plane_subnet_ids = module.network.intra_subnet_ids
  secrets_kms_key_arn      = aws_kms_key.this["secrets"].arn
  log_kms_key_arn          = aws_kms_key.this["logs"].arn
  tags                     = { environment = "dev" }

  access_entries = {
    administrators = {
      principal_arn = "arn:${local.partition}:iam::${local.account}:role/administrators"
      policy        = "cluster_admin"
    }
    developers = {
      principal_arn = "arn:${local.partition}:iam::${local.account}:role/developers"
      policy        = "view"
      namespaces    = ["modelserve"]
      groups        = ["modelserve-editors"]
    }
  }

  node_groups = {
    general = {
      instance_types = ["m7i.xlarge", "m7a.xlarge"]
      min_size       = 2
      max_size       = 6
      desired_size   = 2
    }
    memory = {
      instance_types = ["r7i.2xlarge", "r7a.2xlarge"]
      capacity       = "spot"
      min_size       = 0
      max_size       = 4
      desired_size   = 0
      taints         = { spot = {} }
    }
    # Time slices by day, off at night.
    gpu = {
      instance_types = ["g6.2xlarge"]
      min_size       = 0
      max_size       = 2
      desired_size   = 1
      disk_gib       = 150
      gpu            = "time-sliced"
      schedules = {
        evening = { recurrence = "0 20 * * *", time_zone = "Europe/Berlin", min_size = 0, max_size = 0, desired_size = 0 }
        morning = { recurrence = "0 7 * * 1-5", time_zone = "Europe/Berlin", min_size = 0, max_size = 2, desired_size = 1 }
      }
    }
    # Slices that hardware keeps apart.
    gpu-mig = {
      instance_types = ["p5.48xlarge"]
      min_size       = 0
      max_size       = 1
      desired_size   = 0
      disk_gib       = 300
      subnet_ids     = [module.network.private_subnet_ids[0]]
      gpu            = "all-1g.10gb"
      efa_interfaces = 2
    }
    # For the manifests' component numa-aligned.
    numa = {
      instance_types = ["c7i.metal-24xl"]
      min_size       = 0
      max_size       = 1
      desired_size   = 0
      static_cpus    = true
    }
  }

  model_bucket_arns = ["arn:${local.partition}:s3:::modelserve-dev-models"]
}

output "cluster_name" {
  description = "Name of the cluster."
  value       = module.cluster.cluster_name
}

output "karpenter_queue_name" {
  description = "Queue of interruptions."
  value       = module.cluster.karpenter_queue_name
}
